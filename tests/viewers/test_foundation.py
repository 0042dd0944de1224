"""The foundation without a browser: what JavaScript and Python share, shells, states, pictures."""

from __future__ import annotations

import base64
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from headviz.errors import HeadvizError, InputError, MeshError, MissingExtraError, OptionError, OutputError, RecordError
from headviz.geometry.mesh import Mesh
from headviz.viewers import Viewer, look, page, shells, view_mesh, write_page
from headviz.viewers.mesh import MeshState
from headviz.viewers.record import Record
from headviz.viewers.wire import pack

from .node import run_module

NUMBERS = [
    0, 1, -1, 0.5, 0.125, 1.125, 2.5, 1 / 3, 99.95, 99.96, 999.5, 1e3, 1234.5, 1e-4, 9.9951e-5, 1e-7, -3.14159e-9, 123456789.0, 1e12,
    9.999e11, 5e-324, 1e300, 0.0499999, 0.01, 0.0099999, 1e-5, 0.000009999,
]  # fmt: skip


def test_numbers_are_written_alike_in_both_languages() -> None:
    random = np.random.default_rng(0)
    values = [*NUMBERS, *(random.normal(size=400) * 10.0 ** random.integers(-9, 10, 400)).tolist()]
    code = """
    import { count, length, number } from "./core/format.js";
    const answer = (values) => values.map((v) => [number(v), number(v, 2), number(v, 5), length(v), count(Math.round(Math.abs(v) % 1e9), "ray")]);
    """
    for value, texts in zip(values, run_module(code, values), strict=True):
        whole = int(np.floor(abs(value) % 1e9 + 0.5))
        expected = [look.number(value), look.number(value, 2), look.number(value, 5), look.length(value)]
        assert texts == [*expected, look.count(whole, "ray")], value


def test_the_browser_unpacks_what_python_packs() -> None:
    random = np.random.default_rng(1)
    arrays = {
        "bits": random.random((5, 3)) > 0.5,
        "steps": random.integers(0, 300, (4, 7)),
        "deep": random.integers(-70000, 70000, 11),
        "single": random.normal(size=(3, 2)).astype(np.float32),
        "double": random.normal(size=9) * 1e-9,
        "rounded": random.normal(size=(50, 3)),
        "none": np.zeros((0, 3)),
        "odd": np.array([np.nan, np.inf, -np.inf, 0.0]),
    }
    data = pack(Record("mesh", {"größe": [1.5, None]}, arrays), {"step": 0}, precision={"rounded": 1e-3})
    code = """
    import { unpack } from "./core/wire.js";
    const answer = async (text) => {
      const found = await unpack(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)));
      const plain = ({ data, shape }) => ({ shape, type: data.constructor.name, values: Array.from(data, String) });
      const arrays = Object.fromEntries(Object.entries(found.arrays).map(([name, array]) => [name, plain(array)]));
      return { facts: found.facts, errors: found.errors, arrays };
    };
    """
    found = run_module(code, base64.b64encode(data).decode())
    assert found["facts"] == {"größe": [1.5, None]}
    for name, values in arrays.items():
        came = np.array([float(text.replace("Infinity", "inf")) for text in found["arrays"][name]["values"]])
        tolerance = found["errors"].get(name, 0.0)
        assert found["arrays"][name]["shape"] == list(values.shape)
        assert np.allclose(came.reshape(values.shape), values, rtol=0, atol=tolerance, equal_nan=True)
    assert list(found["errors"]) == ["rounded"]
    assert found["arrays"]["deep"]["type"] == "Int32Array"


def test_colours_are_the_same_in_both_languages(root: Path) -> None:
    words = (root / "headviz" / "viewers" / "web" / "core" / "look.js").read_text(encoding="utf-8")
    named = dict(re.findall(r'(\w+): "(#[0-9a-fA-F]{6})"', words[words.index("COLOR = {") : words.index("};")]))
    expected = {
        "inside": look.INSIDE, "outside": look.OUTSIDE, "current": look.CURRENT, "hit": look.HIT, "missed": look.MISSED,
        "wrong": look.WRONG, "skin": look.SKIN, "eyes": look.EYES,
    }  # fmt: skip
    assert named == expected


@pytest.fixture
def viewer(small_head: Mesh) -> Viewer:
    return view_mesh(small_head, title="A <b>ball</b>")


def test_states_are_pure(viewer: Viewer) -> None:
    changed = viewer.at(wireframe=True, cursor=[0.0, 0.1, 0.2])
    assert viewer.state == MeshState()
    assert changed.state == MeshState(wireframe=True, cursor=(0.0, 0.1, 0.2))
    assert changed.record is viewer.record
    with pytest.raises(OptionError, match="step, cursor, wireframe; there is no 'colour'"):
        viewer.at(colour="red")
    with pytest.raises(OptionError, match="step should be in 0 to 0; it is 1"):
        viewer.at(step=1)


def test_a_mesh_must_have_vertices_that_can_be_drawn() -> None:
    with pytest.raises(MeshError, match="at least one vertex; it has none"):
        view_mesh(Mesh(vertices=torch.zeros(0, 3), faces=torch.zeros(0, 3, dtype=torch.int64)))
    broken = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, math.nan, 0.0]])
    with pytest.raises(MeshError, match="1 of 3 are NaN"):
        view_mesh(Mesh(vertices=broken, faces=torch.tensor([[0, 1, 2]])))


def test_a_viewer_refuses_another_record(viewer: Viewer) -> None:
    with pytest.raises(RecordError, match="kind 'mesh' cannot draw a record of kind 'ray'"):
        type(viewer)(Record("ray"))
    with pytest.raises(RecordError, match="lacks vertices, faces"):
        type(viewer)(Record("mesh"))


def test_a_page_is_self_contained_and_escapes_words(viewer: Viewer, tmp_path: Path) -> None:
    text = viewer.to_html(tmp_path / "ball.html").read_text(encoding="utf-8")
    without_data = re.sub(r"[A-Za-z0-9+/=]{200,}", "", text)
    assert not re.findall(r"(?:https?:)?//[a-z]", without_data)
    assert "default-src 'none'" in without_data
    assert "<b>" not in without_data
    assert "A &lt;b&gt;ball" in without_data
    assert viewer.caption in without_data  # for readers without JavaScript
    assert len(without_data) < 5000


def test_pages_refuse_what_cannot_be(viewer: Viewer, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one viewer"):
        write_page(tmp_path / "p.html", [])
    with pytest.raises(InputError, match="theme should be one of auto, light, dark"):
        write_page(tmp_path / "p.html", [viewer], theme="pink")
    with pytest.raises(OutputError):
        viewer.to_html(tmp_path / "none" / "p.html")


def test_pictures(viewer: Viewer, tmp_path: Path) -> None:
    image = np.asarray(Image.open(viewer.to_png(tmp_path / "p.png", dpi=60)).convert("RGB")).astype(int)
    assert image.shape[1] == round(viewer.size[0] * 60)
    skin = abs(image - (0xD9, 0xA5, 0x8B)).sum(-1) < 60
    assert 0.02 < skin.mean() < 0.6
    dark = np.asarray(Image.open(viewer.to_png(tmp_path / "d.png", dpi=60, dark=True)).convert("RGB"))
    assert tuple(dark[1, 1]) == (0x15, 0x17, 0x1A)
    assert "<svg" in viewer.to_png(tmp_path / "p.svg").read_text(encoding="utf-8")
    assert viewer.to_png(tmp_path / "q.svg").read_bytes() == (tmp_path / "p.svg").read_bytes()
    with pytest.raises(OutputError, match=r"should end with \.png, \.svg, \.pdf"):
        viewer.to_png(tmp_path / "p.jpeg")
    with pytest.raises(OutputError, match=r"should end with \.gif or \.mp4"):
        viewer.to_gif(tmp_path / "p.png")


def test_a_picture_without_matplotlib_says_what_to_install(
    viewer: Viewer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"matplotlib is not installed; run: pip install 'headviz\[notebook\]'"):
        viewer.to_png(tmp_path / "p.png")


class TestWhichShell:
    """live → page → picture, and the reason is said."""

    @pytest.fixture(autouse=True)
    def in_a_kernel(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shells, "_has_kernel", lambda: True)

    def test_live(self, viewer: Viewer) -> None:
        bundle = viewer._repr_mimebundle_()
        assert "application/vnd.jupyter.widget-view+json" in bundle
        assert "Shown live, because a notebook kernel and anywidget are there" in bundle["text/plain"]
        assert viewer.caption in bundle["text/plain"]

    def test_page_without_a_kernel(self, viewer: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shells, "_has_kernel", lambda: False)
        bundle = viewer._repr_mimebundle_()
        assert bundle["text/plain"].endswith("Shown as a page, because no notebook kernel is running.")
        assert bundle["text/html"].startswith('<iframe title="A &lt;b&gt;ball')
        assert "no notebook kernel is running" in bundle["text/html"]

    def test_page_without_anywidget(self, viewer: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shells.importlib.util, "find_spec", lambda name: None)
        assert (
            "anywidget is not installed (pip install 'headviz[notebook]')" in viewer._repr_mimebundle_()["text/plain"]
        )

    def test_picture_without_the_bundle(self, viewer: Viewer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(shells, "BUNDLE", tmp_path / "none.js")
        monkeypatch.setattr(page, "BUNDLE", tmp_path / "none.js")
        bundle = viewer._repr_mimebundle_()
        assert "Shown as a picture, because the browser module has not been built" in bundle["text/plain"]
        assert "data:image/png;base64," in bundle["text/html"]
        with pytest.raises(HeadvizError, match="npm ci && npm run build"):
            viewer.to_html(tmp_path / "p.html")

    def test_what_was_asked_for(self, viewer: Viewer) -> None:
        assert shells.mime_bundle(viewer, "picture")["text/plain"].endswith("because it was asked for.")
        with pytest.raises(OptionError, match="shell should be one of auto, live, page, picture"):
            viewer.show("hologram")


def test_show_outside_a_notebook_opens_a_page(viewer: Viewer, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    opened: list[str] = []
    monkeypatch.setattr(shells.webbrowser, "open", opened.append)
    viewer.show()
    assert "shown as a page, because no notebook kernel is running" in capsys.readouterr().out
    assert Path(opened[0].removeprefix("file://")).read_text(encoding="utf-8").startswith("<!doctype html>")
    with pytest.raises(OptionError, match="needs a running notebook kernel"):
        viewer.show("live")


def test_widget_state_is_checked(viewer: Viewer) -> None:
    widget = viewer.widget()
    widget.state = {"wireframe": True}
    assert widget.viewer.state == MeshState(wireframe=True)
    with pytest.raises(OptionError, match="step should be in 0 to 0"):
        widget.state = {"step": 4}
    assert widget.state == MeshState(wireframe=True).plain()
