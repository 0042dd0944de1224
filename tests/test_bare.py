"""What works without any extra, and how the rest says what is missing."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

HEAVY = [
    "torch",
    "numpy",
    "PIL",
    "mediapipe",
    "cv2",
    "gradio",
    "matplotlib",
    "pyvista",
    "PySide6",
    "ipywidgets",
    "anywidget",
]
EXTRAS = [
    "gradio",
    "anny",
    "anywidget",
    "ipywidgets",
    "pyvista",
    "pyvistaqt",
    "PySide6",
    "open3d",
    "pytorch3d",
    "pytest",
]
#: Modules that only rebuild the shipped assets, and may ask for the extra `train`.
REBUILDING = {
    *(f"headviz.heads.{name}" for name in ("build", "anny_source", "topology", "regions")),
    *(f"headviz.models.{name}" for name in ("calibrate", "collect")),
}


def loaded(code: str) -> set[str]:
    """Top-level packages that a fresh interpreter has loaded after some code."""
    script = f"{code}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_importing_headviz_loads_nothing_heavy() -> None:
    assert not loaded("import headviz, headviz.errors, headviz.assets") & set(HEAVY)


def test_help_loads_nothing_heavy() -> None:
    code = (
        "from headviz import cli\ntry:\n    cli.main(['--help'])\nexcept SystemExit as stop:\n    assert not stop.code"
    )
    assert not loaded(code) & set(HEAVY)


def test_help_and_import_are_quick() -> None:
    empty, imported, helped = (
        min(seconds(*command) for _ in range(7))
        for command in (["-c", "pass"], ["-c", "import headviz"], ["-m", "headviz", "--help"])
    )
    assert helped <= 0.3, f"headviz --help took {helped:.3f} s, of which the interpreter {empty:.3f} s"
    assert imported <= max(0.15, empty + 0.05), f"import headviz took {imported:.3f} s, the interpreter {empty:.3f} s"


def seconds(*arguments: str) -> float:
    """Time of a Python process."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def test_extras_are_really_absent(bare, tmp_path: Path) -> None:
    code = f"import importlib.util, json; print(json.dumps([n for n in {EXTRAS} if importlib.util.find_spec(n)]))"
    assert json.loads(bare.run("python", "-c", code, cwd=tmp_path).stdout) == []


def test_every_module_imports_with_the_core_dependencies_alone(bare, tmp_path: Path) -> None:
    code = """
import importlib, json, pkgutil, headviz
lacking = {}
for module in pkgutil.walk_packages(headviz.__path__, "headviz."):
    if not module.name.endswith("__main__"):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            lacking[module.name] = error.name
print(json.dumps(lacking))
"""
    lacking = json.loads(bare.run("python", "-c", code, cwd=tmp_path).stdout.splitlines()[-1])
    assert set(lacking) <= REBUILDING
    assert set(lacking.values()) <= {"scipy", "anny"}


def test_help_and_version_work(bare, tmp_path: Path) -> None:
    assert "reconstruct" in bare.run("headviz", "--help", cwd=tmp_path).stdout
    assert bare.run("headviz", "--version", cwd=tmp_path).stdout.startswith("headviz ")
    assert bare.run("python", "-m", "headviz", "--version", cwd=tmp_path).stdout.startswith("headviz ")


def test_demo_names_the_missing_extra(bare, tmp_path: Path) -> None:
    done = bare.run("headviz", "demo", cwd=tmp_path, code=2)
    assert done.stderr == "headviz: gradio is not installed; run: pip install 'headviz[demo]'\n"
    assert done.stdout == ""
