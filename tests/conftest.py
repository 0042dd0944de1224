"""Shared fixtures. jaxtyping and beartype check every annotation of headviz while the tests run."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from dataclasses import dataclass
from email.parser import Parser
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook
from packaging.requirements import Requirement

# An int may stand where a float is asked for, as the static checker has it too.
install_import_hook(["headviz", "headviz_apps"], "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")

ROOT = Path(__file__).parent.parent

# PyTorch3D's compiled code wants a PyTorch of its own: `make test-pytorch3d` runs its tests in their environment.
collect_ignore = [] if importlib.util.find_spec("pytorch3d") else ["beside_pytorch3d"]

settings.register_profile("headviz", deadline=None, derandomize="CI" in os.environ, print_blob=True)
settings.load_profile("headviz")


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def astronaut() -> Path:
    """A photograph with one face (public domain)."""
    return ROOT / "assets" / "pictures" / "astronaut.png"


@dataclass(frozen=True)
class Environment:
    """A virtual environment outside the checkout.

    Attributes:
        folder: where it is.
        scripts: its folder of commands.
    """

    folder: Path
    scripts: Path

    def run(self, *command: str, cwd: Path, code: int = 0, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run one of its commands in a folder and check the exit code."""
        hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
        environ = {name: value for name, value in os.environ.items() if name not in hidden}
        done = subprocess.run(
            [str(self.scripts / command[0]), *command[1:]],
            cwd=cwd, env=environ, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip
        assert done.returncode == code, f"{command} exited with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built once."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="session")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment that has the wheel and what its metadata requires without any extra, and nothing else.

    The wheel is installed by pip. What it requires is linked from this environment, distribution by
    distribution, so that a package which only an extra brings cannot be imported.
    """
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    base = {"base": str(folder), "platbase": str(folder)}
    site, scripts = Path(sysconfig.get_path("purelib", "venv", base)), Path(sysconfig.get_path("scripts", "venv", base))
    python = str(scripts / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(pip, check=True)
    for entry in sorted(set().union(*(top_level(found) for found in closure(requirements(wheel))))):
        link(Path(sysconfig.get_path("purelib")) / entry, site / entry)
    return Environment(folder, scripts)


def requirements(wheel: Path) -> list[str]:
    """What a wheel requires, without its extras."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(name).decode())
    return [text for text in metadata.get_all("Requires-Dist", []) if "extra ==" not in text]


def closure(texts: list[str]) -> list[Distribution]:
    """The installed distributions that satisfy requirements, and all that those require in turn."""
    found: dict[tuple[str, str], Distribution] = {}
    waiting = [(Requirement(text), "") for text in texts]
    while waiting:
        requirement, parent = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": parent}):
            continue
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        for extra in ("", *requirement.extras):
            if (name, extra) not in found:
                found[name, extra] = distribution(name)
                waiting += [(Requirement(text), extra) for text in found[name, extra].requires or []]
    return list(found.values())


def top_level(installed: Distribution) -> set[str]:
    """Names in site-packages that belong to a distribution."""
    return {file.parts[0] for file in installed.files or [] if file.parts[0] not in ("..", "__pycache__")}


def link(source: Path, target: Path) -> None:
    """A link where the system allows one, else a copy."""
    try:
        target.symlink_to(source, target_is_directory=source.is_dir())
    except OSError:
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, target)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
