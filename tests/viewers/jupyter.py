"""A JupyterLab for the tests: a server that asks nothing, and notebooks run in it by a real headless browser.

    from .jupyter import lab, notebook  # fixtures

    def test_a_widget(notebook):
        opened = notebook(["from headviz import viewers", "viewers.view_mesh(mesh)"])  # or a path, or a notebook
        opened.output(1).locator("canvas").wait_for()
        assert opened.value("1 + 1") == 2  # what Python has now

What may not happen, at the end of a test: an exception or an error on the console, a request that leaves this machine.
JupyterLab writes errors of its own to the console; such a line is noise if, and only if, it or its stack names an address
and every address that it names is one of JupyterLab's own files or services. A widget's module is a blob, and anywidget
and ipywidgets are extensions, so that what they say counts as ours. Noise is kept in `Notebook.noise`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest

__all__ = ["Lab", "Notebook", "lab", "notebook"]

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
#: Extensions that ask for a build of JupyterLab (dash comes with Open3D), for news, or that nothing here needs.
UNWANTED = [
    "@plotly/dash-jupyterlab", "open3d", "jupyterlab-plotly", "@jupyterlab/apputils-extension:announcements",
    "@jupyterlab/extensionmanager-extension",
]  # fmt: skip
SETTINGS = {
    # Every output stays on the page, also where it has been scrolled away.
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none", "autoStartDefaultKernel": True},
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
}
ADDRESS = re.compile(r"(?:blob:)?\w+://[^\s()'\"]+")
OWN = re.compile(r"http://127\.0\.0\.1:\d+/(static/lab|lab/api|api)/")
IDLE = "window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
CELLS = "window.jupyterapp.shell.currentWidget.content.widgets"
#: What an output says where a widget could not be shown.
BROKEN = re.compile(r"Error displaying widget|Failed to load model|Could not instantiate widget|Loading widget\.\.\.")


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab.

    Attributes:
        url: its address, with a slash at the end.
        folder: the folder that it serves.
    """

    url: str
    folder: Path

    def ask(self, path: str, method: str = "GET") -> Any:
        """The server's answer to a request of its interface."""
        with urllib.request.urlopen(
            urllib.request.Request(f"{self.url}api/{path}", method=method), timeout=20
        ) as answer:
            return json.loads(answer.read() or "null")

    def write(self, source: Path | Sequence[str] | nbformat.NotebookNode) -> str:
        """Put a notebook into the served folder, with the kernel that runs it; its name there."""
        if isinstance(source, Path):
            made = nbformat.read(source, as_version=4)
        elif isinstance(source, nbformat.NotebookNode):
            made = source
        else:
            made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in source])
        made.metadata["kernelspec"] = KERNEL
        name = f"{source.stem if isinstance(source, Path) else 'cells'}-{len(list(self.folder.iterdir()))}.ipynb"
        nbformat.write(made, self.folder / name)
        return name


class Notebook:
    """A notebook open in JupyterLab.

    Attributes:
        watch: its page, as the fixture `visit` gives it.
        page: Playwright's page.
        problems: what counts as wrong; a test that expects some empties the list.
        noise: errors that are JupyterLab's own.
    """

    def __init__(self, watch: Any) -> None:
        self.watch, self.page = watch, watch.page
        self.problems: list[str] = []
        self.noise: list[str] = []
        self.page.on("console", lambda line: line.type == "error" and self._hear(line.text, line.location["url"]))
        self.page.on("pageerror", lambda error: self._hear(str(error), error.stack or ""))

    def _hear(self, text: str, origin: str) -> None:
        """Sort an error: noise if it names addresses, and all of them are JupyterLab's."""
        addresses = ADDRESS.findall(f"{text} {origin}")
        own = bool(addresses) and all(OWN.match(address) for address in addresses)
        (self.noise if own else self.problems).append(f"{text} ({origin.splitlines()[0] if origin else 'no origin'})")

    def wait(self, seconds: float = 60) -> None:
        """Wait until the kernel has nothing to do."""
        self.watch.until(IDLE, seconds)

    def command(self, name: str, seconds: float = 120) -> None:
        """Run one of JupyterLab's commands to its end, the cells that it starts included."""
        self.page.evaluate(
            f"window.pending = true; window.jupyterapp.commands.execute({name!r})"
            ".finally(() => { window.pending = false; }), undefined"
        )
        self.watch.until("window.pending === false", seconds)
        self.wait(seconds)

    def run_all(self, seconds: float = 120) -> None:
        """Run every cell; a cell that raises fails the test."""
        self.command("notebook:run-all-cells", seconds)
        for number in range(self.page.evaluate(f"{CELLS}.length")):
            self._check(number)

    def run(self, number: int, seconds: float = 60) -> None:
        """Run one cell, counted from 0."""
        self.page.evaluate(f"window.jupyterapp.shell.currentWidget.content.activeCellIndex = {number}")
        self.command("notebook:run-cell", seconds)
        self._check(number)

    def _check(self, number: int) -> None:
        for output in self.outputs(number):
            if output["output_type"] == "error":
                trace = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(output["traceback"]))
                pytest.fail(f"cell {number}: {output['ename']}: {output['evalue']}\n{trace}")

    def outputs(self, number: int) -> list[dict[str, Any]]:
        """The outputs of a cell, as a notebook file holds them."""
        found: list[dict[str, Any]] = self.page.evaluate(f"{CELLS}[{number}].model.outputs?.toJSON() ?? []")
        return found

    def text(self, number: int) -> str:
        """What a cell printed."""
        return "".join(output["text"] for output in self.outputs(number) if output["output_type"] == "stream")

    def output(self, number: int) -> Any:
        """Locator of a cell's outputs, to look into and to photograph: `opened.output(1).screenshot(path=…)`."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(number).locator(".jp-Cell-outputArea")

    def value(self, expression: str) -> Any:
        """The present value of a Python expression in the kernel, through JSON."""
        code = f"import json as _json; print(_json.dumps({expression}))"
        self.page.evaluate(
            "code => { window.answer = ''; const done = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel"
            ".requestExecute({ code, store_history: false });"
            "done.onIOPub = (m) => { window.answer += m.content.text ?? m.content.evalue ?? ''; };"
            "window.pending = true; done.done.finally(() => { window.pending = false; }); }",
            code,
        )
        self.watch.until("window.pending === false", 60)
        return json.loads(self.page.evaluate("window.answer"))

    def broken(self) -> list[str]:
        """Outputs in which a widget should be and is not."""
        return [text for text in self.page.locator(".jp-OutputArea-output").all_inner_texts() if BROKEN.search(text)]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab in a folder of its own."""
    with running_lab(tmp_path_factory.mktemp("jupyter")) as running:
        yield running


@contextmanager
def running_lab(home: Path) -> Iterator[Lab]:
    """JupyterLab on a free local port, with all its files in a folder: no browser, token, news or questions."""
    folder = home / "notebooks"
    folder.mkdir()
    environ = os.environ | {f"JUPYTER_{kind}_DIR": str(home / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")}
    environ["IPYTHONDIR"] = str(home / "ipython")
    configure(home)
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser",
        "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", f"--ServerApp.root_dir={folder}",
    ]  # fmt: skip
    with (home / "log.txt").open("wb") as log:
        server = subprocess.Popen(command, env=environ, cwd=folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            yield Lab(address(server, home), folder)
        finally:
            server.terminate()
            server.wait(20)


def configure(home: Path) -> None:
    """Write the settings of a server into its folder."""
    settings = {
        "ServerApp": {"disable_check_xsrf": True},
        "IdentityProvider": {"token": ""},
        "LabApp": {
            "news_url": None,
            "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
            "user_settings_dir": str(home / "settings"),
            "workspaces_dir": str(home / "workspaces"),
        },
    }
    page = {"buildCheck": False, "buildAvailable": False, "disabledExtensions": dict.fromkeys(UNWANTED, True)}
    files = {
        home / "config" / "jupyter_server_config.json": settings,
        home / "config" / "labconfig" / "page_config.json": page,
    }
    files |= {home / "settings" / f"{name}.jupyterlab-settings": value for name, value in SETTINGS.items()}
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")


def address(server: subprocess.Popen[bytes], home: Path, seconds: float = 60) -> str:
    """The address of a server, once it answers."""
    note = home / "runtime" / f"jpserver-{server.pid}.json"
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        try:
            url = json.loads(note.read_text(encoding="utf-8"))["url"]
            with urllib.request.urlopen(f"{url}api/status", timeout=5):
                return url.replace("localhost", "127.0.0.1")
        except (OSError, json.JSONDecodeError):
            time.sleep(0.1)
    pytest.fail(f"JupyterLab does not answer:\n{(home / 'log.txt').read_text(encoding='utf-8')}")


@pytest.fixture
def notebook(lab: Lab, visit: Callable[..., Any]) -> Iterator[Callable[..., Notebook]]:
    """Open a notebook (a path, a list of cells or an `nbformat` notebook) and run all of its cells."""
    opened: list[Notebook] = []

    def open_notebook(
        source: Path | Sequence[str] | nbformat.NotebookNode,
        *,
        run: bool = True, seconds: float = 120, dark: bool = False, width: int = 1200, height: int = 900, **options: Any,
    ) -> Notebook:  # fmt: skip
        made = Notebook(visit("about:blank", width, height, **options))
        opened.append(made)
        made.page.goto(f"{lab.url}doc/tree/{lab.write(source)}")
        made.wait()
        if dark:
            made.page.evaluate(
                "window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})"
            )
        if run:
            made.run_all(seconds)
        return made

    yield open_notebook
    for made in opened:
        made.problems += made.broken()
        outside = [problem for problem in made.watch.problems if problem.startswith("outside:")]
        made.watch.problems[:] = outside + made.problems  # `visit` asks that these be none
    for kernel in lab.ask("kernels"):
        lab.ask(f"kernels/{kernel['id']}", "DELETE")
