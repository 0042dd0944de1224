"""The rules of the house that a program can check."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

MAX_FILE, MAX_FUNCTION, MAX_PARAMETERS = 400, 50, 8
#: Functions whose many parameters are a contract with other rooms, and how many they may have.
CONTRACTS = {"sphere_trace": 11}


def sources(root: Path) -> list[Path]:
    """The Python files of the packages."""
    return sorted([*(root / "headviz").rglob("*.py"), *(root / "apps").rglob("*.py"), root / "hatch_build.py"])


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions of a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_imports_point_downwards(root: Path) -> None:
    command = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    assert command, "import-linter is not installed in this environment"
    done = subprocess.run([command, "--no-cache"], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_files_are_short(root: Path) -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources(root)}
    assert not {str(path): length for path, length in lengths.items() if length > MAX_FILE}


def test_functions_are_short_and_take_few_parameters(root: Path) -> None:
    long = []
    for path in sources(root):
        for function in functions(path):
            given = function.args
            count = len([*given.posonlyargs, *given.args, *given.kwonlyargs])
            count -= bool(given.args) and given.args[0].arg in ("self", "cls")
            length = (function.end_lineno or function.lineno) - function.lineno + 1
            if length > MAX_FUNCTION or count > CONTRACTS.get(function.name, MAX_PARAMETERS):
                long.append(f"{path.relative_to(root)}: {function.name} has {length} lines, {count} parameters")
    assert not long


@pytest.mark.parametrize("module", ["headviz", "headviz_apps"])
def test_packages_come_from_the_checkout(module: str, root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import {module}; print({module}.__file__)"], capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()).is_relative_to(root)
