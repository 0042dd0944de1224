"""The notebooks run from top to bottom, teach what is true, and are clean in the repository."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from notebook_answers import ANSWERS

from headviz.notebook.questions import QUESTIONS

ROOT = Path(__file__).parent.parent
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NAMES = [path.stem for path in PATHS]
IMPORT = "import headviz.notebook as hv"
WIDGET = "application/vnd.jupyter.widget-view+json"
#: Figures of the first thesis and of the second, with the notebook that redraws each.
FIGURES = [
    ("3.2", "04"), ("3.3", "04"), ("3.4", "05"), ("3.5", "03"), ("4.1", "01"), ("6.1", "03"), ("6.2", "03"),
    ("3.2", "06"), ("3.3", "06"),
]  # fmt: skip


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def sources(path: Path, kind: str) -> list[str]:
    return [cell.source for cell in read(path).cells if cell.cell_type == kind]


def headings(path: Path) -> list[str]:
    text = "\n".join(sources(path, "markdown"))
    return re.findall(r"^#+ (.+)$", text, re.M)


@dataclass(frozen=True)
class Run:
    """What one notebook did, see ``notebook_runner.py``.

    Attributes:
        cells: its code cells with their outputs.
        verdicts: by question: what the check said to no answer, to the right one, and to a wrong one.
    """

    cells: list[dict[str, Any]]
    verdicts: dict[str, list[str]]


def run(path: Path, folder: Path) -> Run:
    """Run a notebook in a kernel of this environment, without a network configuration of the user's."""
    made = folder / f"{path.stem}.json"
    environ = os.environ | {"JUPYTER_CONFIG_DIR": str(folder), "IPYTHONDIR": str(folder), "GOMP_SPINCOUNT": "2000"}
    environ.pop("PYTHONWARNINGS", None)
    command = [sys.executable, str(ROOT / "tests" / "notebook_runner.py"), str(path), str(made)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return Run(**json.loads(made.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Run]]]:
    """All notebooks, two at a time."""
    folder = tmp_path_factory.mktemp("notebooks")
    with ThreadPoolExecutor(2) as pool:
        started = {path.stem: pool.submit(run, path, folder) for path in PATHS}
        yield started
        for future in started.values():
            future.cancel()


def test_there_are_seven() -> None:
    assert [name[:2] for name in NAMES] == ["01", "02", "03", "04", "05", "06", "07"]


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_and_every_picture_is_live(name: str, runs: dict[str, Future[Run]]) -> None:
    cells = runs[name].result().cells
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert [output for output in outputs if output["output_type"] in ("stream", "error")] == [], (
        "nothing is printed, no warning"
    )
    viewers = [cell for cell in cells if "hv.view_" in cell["source"]]
    assert len(viewers) >= 3
    for cell in viewers:
        data = cell["outputs"][-1].get("data", {})
        assert WIDGET in data, cell["source"]
        assert "Shown live" in data["text/plain"] or ".widget()" in cell["source"]


@pytest.mark.parametrize("name", NAMES)
def test_questions_tell_right_from_wrong(name: str, runs: dict[str, Future[Run]]) -> None:
    verdicts = runs[name].result().verdicts
    assert sorted(verdicts) == sorted(question for question in ANSWERS if question[:2] == name[:2])
    for question, (none, right, wrong) in verdicts.items():
        assert none.startswith(f"{question}: No answer yet. "), none
        assert right == f"{question}: Right.", right
        assert wrong.startswith(f"{question}: Not yet"), wrong
        assert len(wrong) > len(question) + 30, "a hint should come with it"


def test_every_question_is_asked_once() -> None:
    asked = [
        name for path in PATHS for name in re.findall(r"\*\*Question (.+?)\.\*\*", "\n".join(sources(path, "markdown")))
    ]
    checked = [name for path in PATHS for name in re.findall(r'hv\.check\("(.+?)"', "\n".join(sources(path, "code")))]
    assert sorted(asked) == sorted(checked) == sorted(QUESTIONS) == sorted(ANSWERS)
    assert len(set(asked)) == len(asked)


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_it_is_clean(path: Path) -> None:
    book = read(path)
    nbformat.validate(book)
    assert book.metadata["kernelspec"]["name"] == "python3"
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code), "outputs should be stripped"
    assert code[0].source == IMPORT
    imports = [
        node
        for cell in code
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert len(imports) == 1
    assert len(path.read_bytes()) < 40_000


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_headings_and_links(path: Path) -> None:
    found = headings(path)
    assert found[0].startswith(f"{path.stem[:2]} · ")
    assert len(set(found)) == len(found) >= 5
    links = re.findall(r"\]\(([^)]+)\)", "\n".join(sources(path, "markdown")))
    assert links
    assert not [link for link in links if not (path.parent / link).is_file()]
    tries = sum(text.count("*Try this") for text in sources(path, "markdown"))
    assert tries >= 3, "a picture should come with something to try"


def test_wrong_figures_are_not_named() -> None:
    """docs/figures.md names cells that exist, in the section that it says, and that draw."""
    text = (ROOT / "docs" / "figures.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\d.]+) \| .+? \| \[(\d+), (.+?)\]\(\.\./notebooks/(.+?)\) \| `(.+?)` \|$", text, re.M)
    assert [row[:2] for row in rows] == FIGURES
    for figure, number, section, file, name in rows:
        assert file.startswith(number)
        above, drawn = "", None
        for cell in read(ROOT / "notebooks" / file).cells:
            if cell.id == name:
                drawn = cell
                break
            for heading in re.findall(r"^## (.+)$", cell.source, re.M) if cell.cell_type == "markdown" else []:
                above = heading
        assert drawn is not None, f"figure {figure}: {file} has no cell {name}"
        assert above == section, figure
        assert "hv.view_" in drawn.source, figure


def test_one_name_gives_everything() -> None:
    import headviz.notebook as hv

    assert not [name for name in hv.__all__ if not hasattr(hv, name)]
    used = {name for path in PATHS for name in re.findall(r"\bhv\.(\w+)", "\n".join(sources(path, "code")))}
    assert used <= set(hv.__all__), "notebooks use only what the module promises"
    words = (ROOT / "headviz" / "notebook" / "questions.py").read_text(encoding="utf-8")
    assert not re.search(r"^import headviz\.viewers|matplotlib|anywidget", words, re.M)
