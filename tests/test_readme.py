"""What the README shows is what happens: its blocks are executed, its commands and links exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Block:
    """A fenced block, and what the comment above it says about testing it."""

    language: str
    code: str
    note: str


def blocks(text: str) -> list[Block]:
    """All fenced blocks of a Markdown text."""
    found = re.finditer(
        r"(?:<!-- tests: (?P<note>.*?) -->\n)?^```(?P<language>\w*)\n(?P<code>.*?)^```$", text, re.M | re.S
    )
    return [Block(match["language"], match["code"], match["note"] or "") for match in found]


RUN = [block for block in blocks(README) if not block.note]
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
TAUGHT = [
    pytest.param(block, id=f"{name}-{number}")
    for name in DOCUMENTS
    if name.startswith("docs/")
    for number, block in enumerate(blocks((ROOT / name).read_text(encoding="utf-8")))
]


@pytest.fixture
def with_photo(workplace: Path, astronaut: Path) -> Path:
    """A folder with photo.jpg in it."""
    with Image.open(astronaut) as picture:
        picture.convert("RGB").save(workplace / "photo.jpg", quality=95)
    return workplace


def test_every_block_is_run_or_says_why_not() -> None:
    assert {block.language for block in RUN} == {"bash", "python"}
    assert len(blocks(README)) == README.count("\n```") // 2


@pytest.mark.parametrize("block", RUN, ids=lambda block: block.language)
def test_blocks_run(block: Block, with_photo: Path) -> None:
    commands = Path(sys.executable).parent
    environ = {**os.environ, "PATH": os.pathsep.join([str(commands), os.environ["PATH"]])}
    program = [sys.executable, "-W", "error", "-c"] if block.language == "python" else ["bash", "-euc"]
    done = subprocess.run(
        [*program, block.code], cwd=with_photo, env=environ, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path for path in with_photo.rglob("*") if path.suffix in (".glb", ".html")]


@pytest.mark.parametrize("block", TAUGHT)
def test_blocks_of_the_docs_run(block: Block, workplace: Path) -> None:
    assert block.language == "python"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block.code],
        cwd=workplace, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    """They are not run here: this test is itself run by one of them."""
    shown = re.findall(r"^make (\w+)", next(block.code for block in blocks(README) if block.language == "sh"), re.M)
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert shown == ["demo", "test"]
    assert set(shown) <= set(targets)
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", (ROOT / document).read_text(encoding="utf-8"))
    folder = (ROOT / document).parent
    assert not [link for link in links if "://" not in link and not (folder / link).exists()]


def test_extras_are_those_of_the_package() -> None:
    shown = re.findall(r"^\| `(\w+)` \|", README, re.M)
    section = (ROOT / "pyproject.toml").read_text(encoding="utf-8").split("[project.optional-dependencies]")[1]
    declared = re.findall(r"^(\w+) = \[", section.split("\n[")[0], re.M)
    assert sorted(shown) == sorted(declared)


def test_a_python_that_runs_is_chosen(tmp_path: Path) -> None:
    for name, body in (("python3.13", "exit 127"), ("python3.12", f'exec {sys.executable} "$@"')):
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    assert find_python(tmp_path, "python3.99 python3.13 python3.12").stdout.strip() == str(tmp_path / "python3.12")


def test_without_a_python_it_says_what_to_install(tmp_path: Path) -> None:
    done = find_python(tmp_path, "python3.99")
    assert done.returncode == 1
    assert "headviz needs Python 3.10, 3.11, 3.12 or 3.13" in done.stderr


def find_python(folder: Path, names: str) -> subprocess.CompletedProcess[str]:
    """Run the Makefile's search for a Python with a folder in front of PATH."""
    environ = {"PATH": os.pathsep.join([str(folder), os.environ["PATH"]]), "PYTHON": names}
    command = ["sh", str(ROOT / ".ci" / "find-python")]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
