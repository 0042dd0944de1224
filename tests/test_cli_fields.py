"""``headviz extract`` and ``headviz trace`` as a person at a terminal would use them."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from headviz.cli import main
from headviz.geometry.field_network import FieldMLP, save_field_network
from headviz.geometry.files import write_ply
from headviz.geometry.mesh import Mesh
from headviz.interop import load_mesh

pytestmark = pytest.mark.usefixtures("workplace")


def said(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """What went to stdout and stderr."""
    seen = capsys.readouterr()
    return seen.out, seen.err


@pytest.mark.parametrize("suffix", [".glb", ".obj", ".ply"])
def test_extract_writes_a_closed_mesh_of_the_right_size(suffix: str, capsys) -> None:
    assert main(["extract", "sphere(0.1)", "--resolution", "40", "-o", f"ball{suffix}"]) == 0
    out, err = said(capsys)
    assert err == ""
    assert out.startswith(f"ball{suffix}: ")
    mesh = load_mesh(Path(f"ball{suffix}"))
    assert (mesh.vertices.norm(dim=1) - 0.1).abs().max() < 1e-3
    assert len(torch.unique(mesh.faces)) - len(mesh.faces) // 2 == 2  # a closed surface has 3/2 edges per face


def test_extract_counts_as_json(capsys) -> None:
    assert main(["extract", "head", "--resolution", "64", "--json"]) == 0
    made = json.loads(said(capsys)[0])
    assert made["output"] == "head_surface.glb"
    assert Path("head_surface.glb").is_file()
    assert made["evaluations"] == sum(level["evaluations"] for level in made["levels"])
    assert made["dense_evaluations"] == math.prod(n + 1 for n in made["cells"])
    assert made["warnings"] == []
    assert made["vertices"] > 1000


def test_methods_and_prunings_agree_on_a_sphere(capsys) -> None:
    counts = []
    for options in (["--method", "dense"], ["--prune", "sign"], []):
        assert main(["extract", "sphere", "--resolution", "32", "--json", *options]) == 0
        made = json.loads(said(capsys)[0])
        counts.append((made["vertices"], made["faces"]))
    assert len(set(counts)) == 1


def test_a_mesh_file_is_a_field_too(capsys) -> None:
    assert main(["extract", "torus", "--resolution", "48", "-o", "ring.ply"]) == 0
    assert main(["extract", "ring.ply", "--resolution", "32", "-o", "again.obj"]) == 0
    out, err = said(capsys)
    assert err == ""
    again, ring = load_mesh(Path("again.obj")), load_mesh(Path("ring.ply"))
    assert torch.allclose(again.vertices.amax(0), ring.vertices.amax(0), atol=0.01)


def test_a_mesh_with_a_hole_works_and_says_so(capsys) -> None:
    assert main(["extract", "sphere", "--resolution", "30", "-o", "ball.ply"]) == 0
    ball = load_mesh(Path("ball.ply"))
    write_ply("open.ply", Mesh(ball.vertices, ball.faces[4:]))
    said(capsys)
    assert main(["extract", "open.ply", "--resolution", "24"]) == 0
    assert "headviz: warning:" in said(capsys)[1]


def test_a_network_is_a_field_too(capsys) -> None:
    torch.manual_seed(0)
    save_field_network(
        "net.safetensors", FieldMLP(width=32, depth=3, radius=0.3), torch.tensor([[-0.5] * 3, [0.5] * 3])
    )
    assert main(["extract", "net.safetensors", "--resolution", "24", "--json"]) == 0
    made = json.loads(said(capsys)[0])
    assert made["kind"] == "network"
    assert made["lipschitz"] > 0
    assert main(["trace", "net.safetensors", "--size", "32"]) == 0


def test_trace_writes_the_record_and_a_picture(capsys) -> None:
    assert main(["trace", "torus", "--size", "64", "--json", "-o", "ring.npz"]) == 0
    made = json.loads(said(capsys)[0])
    assert made["files"] == ["ring.npz", "ring.png"]
    assert sum(made["status"].values()) == made["rays"] == 64 * 64
    record = np.load("ring.npz")
    assert record["depth"].shape == (64, 64)
    assert np.isfinite(record["depth"]).sum() == record["mask"].sum() == made["status"]["hit"] > 100
    assert record["offsets"][-1] == len(record["t"]) == len(record["index"])
    picture = np.asarray(Image.open("ring.png"))
    assert picture.shape[2] == 3
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50


def test_trace_of_a_photograph(astronaut: Path, capsys) -> None:
    assert main(["trace", str(astronaut), "--size", "48", "--json"]) == 0
    made = json.loads(said(capsys)[0])
    assert made["kind"] == "photograph"
    assert made["status"]["hit"] > 300
    assert Path("astronaut_trace.png").is_file()


def test_trace_warns_when_a_field_is_steeper_than_it_says(capsys, monkeypatch) -> None:
    from headviz.commands import trace
    from headviz.commands.fields import Source
    from headviz.geometry.shapes import sphere

    class Steep:
        bounds = sphere(0.1).bounds
        lipschitz = 0.7

        def __call__(self, points):
            return sphere(0.1)(points)

    monkeypatch.setattr(trace, "load_source", lambda text, progress: Source(Steep(), "steep", "shape"))
    assert main(["trace", "steep", "--size", "32"]) == 0
    assert "Lipschitz bound is too small" in said(capsys)[1]


@pytest.mark.parametrize("radius", ["1e-5", "0.1", "1000"])
def test_the_same_rays_hit_a_shape_of_any_size(radius: str, capsys) -> None:
    assert main(["trace", f"sphere({radius})", "--size", "64", "--json"]) == 0
    made = json.loads(said(capsys)[0])
    assert made["warnings"] == []
    # The box fills 0.94 of the picture's side; its near corners, not the sphere, touch that frame.
    assert made["status"]["hit"] == pytest.approx(1434, abs=15)


def test_nothing_is_written_over_what_is_read(capsys, astronaut: Path) -> None:
    assert main(["extract", "sphere", "--resolution", "16", "-o", "ball.glb"]) == 0
    shutil.copy(astronaut, "face.png")
    before = Path("ball.glb").read_bytes(), Path("face.png").read_bytes()
    said(capsys)
    assert main(["extract", "ball.glb", "-o", "ball.glb"]) == 2
    assert main(["trace", "face.png", "-o", "face.npz"]) == 2
    assert said(capsys)[1].count("name another file by -o") == 2
    assert main(["extract", "ball.glb", "--resolution", "16"]) == 0
    assert (Path("ball.glb").read_bytes(), Path("face.png").read_bytes()) == before


def test_an_empty_picture_is_announced(capsys) -> None:
    assert main(["trace", "sphere(0.1) - sphere(0.2)", "--size", "32"]) == 0
    assert "no ray hit anything" in said(capsys)[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["extract", "sphere("], "expression"),
        (["extract", "spere"], "sphere"),
        (["extract", "__import__('os').system('true')"], "column"),
        (["extract", "circle"], "plane"),
        (["trace", "circle"], "plane"),
        (["extract", "missing.obj"], "missing.obj"),
        (["extract", "empty.ply"], "empty.ply"),
        (["extract", "notes.txt"], "should be a mesh"),
        (["extract", "broken.safetensors"], "broken.safetensors"),
        (["extract", "broken.jpg"], "broken.jpg"),
        (["extract", "head", "-o", "head.xyz"], ".glb"),
        (["trace", "head", "-o", "head.png"], ".npz"),
        (["extract", "head", "--bounds", "0,0,0,0,1,1"], "finite box"),
        (["extract", "head", "--bounds", "5,5,5,6,6,6", "--resolution", "16"], "no surface"),
        (["extract", "plane()"], "bounds"),
        (["trace", "plane()"], "finite box"),
        (["extract", "folder/none"], "No such file"),
        (["extract", "none.xyz"], "No such file"),
        (["extract", "head", "--method", "dense", "--resolution", "9000"], "4 GiB"),
    ],
)  # fmt: skip
def test_bad_input_is_one_clear_line_and_exit_code_2(arguments: list[str], words: str, capsys) -> None:
    Path("empty.ply").write_bytes(b"")
    Path("notes.txt").write_text("hello")
    for name in ("broken.safetensors", "broken.jpg"):
        Path(name).write_bytes(b"\x00\x01 nothing")
    assert main(arguments) == 2
    out, err = said(capsys)
    assert out == ""
    assert err.startswith("headviz: ")
    assert err.count("\n") == 1
    assert words in err
    assert {path.name for path in Path.cwd().iterdir()} == {
        "empty.ply",
        "notes.txt",
        "broken.safetensors",
        "broken.jpg",
    }


@pytest.mark.parametrize(
    "arguments", [["extract", "head", "--resolution", "0"], ["trace", "head", "--size", "1e9"], ["extract"]]
)
def test_options_out_of_range_are_one_line(arguments: list[str], capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert said(capsys)[1].count("\n") == 1
