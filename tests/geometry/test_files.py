"""OBJ and PLY files as trimesh reads them, and files that are whole or absent."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from permissions import unprivileged

from headviz.errors import OutputError
from headviz.geometry.color import to_uint8
from headviz.geometry.files import atomic_write, sample_texture, write_glb, write_obj, write_ply, write_stl
from headviz.geometry.mesh import Mesh, split_seams, vertex_normals


def test_obj_is_read_by_trimesh(head: Mesh, tmp_path: Path) -> None:
    written = write_obj(tmp_path / "head.obj", head, attribution="by someone\nCC0")
    assert [path.name for path in written] == ["head.obj", "head.mtl", "head.png"]
    assert sorted(written) == sorted(tmp_path.iterdir())
    seen = trimesh.load_mesh(tmp_path / "head.obj", process=False)
    assert seen.volume > 0
    split, _ = split_seams(head)
    corners = np.concatenate([seen.vertices[seen.faces], np.pad(seen.visual.uv[seen.faces], ((0, 0), (0, 0), (0, 1)))])
    assert split.uv is not None
    ours = np.concatenate(
        [split.vertices[split.faces], np.pad(split.uv[split.faces].numpy(), ((0, 0), (0, 0), (0, 1)))]
    )
    np.testing.assert_allclose(corners, ours, atol=1e-6)
    picture = np.asarray(seen.visual.material.image.convert("RGB"))
    assert head.texture is not None
    assert (picture == to_uint8(head.texture)).all()


def test_obj_keeps_vertices_whole_and_gives_texture_indices_of_their_own(head: Mesh, tmp_path: Path) -> None:
    write_obj(tmp_path / "head.obj", head, attribution="by someone\nCC0")
    lines = (tmp_path / "head.obj").read_text().splitlines()
    kinds = [line.split()[0] for line in lines]
    assert head.uv is not None
    assert head.uv_faces is not None
    assert (kinds.count("v"), kinds.count("vt")) == (len(head.vertices), len(head.uv))
    assert kinds.count("f") == len(head.faces)
    assert "# CC0" in lines
    first = next(line for line in lines if line.startswith("f "))
    expected = [f"{v + 1}/{t + 1}/{v + 1}" for v, t in zip(head.faces[0], head.uv_faces[0], strict=True)]
    assert first.split()[1:] == expected


def test_obj_without_a_texture_is_one_file(colored: Mesh, tmp_path: Path) -> None:
    assert write_obj(tmp_path / "plain.obj", colored) == [tmp_path / "plain.obj"]
    seen = trimesh.load_mesh(tmp_path / "plain.obj", process=False)
    assert colored.colors is not None
    np.testing.assert_allclose(seen.visual.vertex_colors[:, :3], to_uint8(colored.colors[None])[0], atol=1)


def test_ply_is_read_by_trimesh(head: Mesh, tmp_path: Path) -> None:
    write_ply(tmp_path / "head.ply", head, attribution="by someone, CC0")
    data = (tmp_path / "head.ply").read_bytes()
    assert b"comment by someone, CC0\n" in data[:400]
    seen = trimesh.load_mesh(tmp_path / "head.ply", process=False)
    split, source = split_seams(head)
    np.testing.assert_array_equal(seen.vertices.astype(np.float32), split.vertices)
    np.testing.assert_array_equal(seen.faces, split.faces)
    normals = vertex_normals(head.vertices, head.faces)[source]
    assert split.texture is not None
    assert split.uv is not None
    expected = to_uint8(sample_texture(split.texture, split.uv)[None])[0]
    table = seen.metadata["_ply_raw"]["vertex"]["data"]
    np.testing.assert_array_equal(np.stack([table[n] for n in ("red", "green", "blue")], 1).reshape(-1, 3), expected)
    np.testing.assert_allclose(np.stack([table[n] for n in ("nx", "ny", "nz")], 1).reshape(-1, 3), normals, atol=1e-6)
    np.testing.assert_array_equal(np.stack([table["s"], table["t"]], 1).reshape(-1, 2), split.uv)


def test_ply_can_name_the_picture_of_an_obj_file(head: Mesh, tmp_path: Path) -> None:
    write_obj(tmp_path / "head.obj", head)
    write_ply(tmp_path / "head.ply", head, texture_file="head.png")
    seen = trimesh.load_mesh(tmp_path / "head.ply", process=False)
    assert head.texture is not None
    assert (np.asarray(seen.visual.material.image.convert("RGB")) == to_uint8(head.texture)).all()


def test_ply_prefers_the_colors_of_vertices_and_needs_none(plain: Mesh, colored: Mesh, tmp_path: Path) -> None:
    write_ply(tmp_path / "colored.ply", colored)
    assert colored.colors is not None
    seen = trimesh.load_mesh(tmp_path / "colored.ply", process=False)
    np.testing.assert_array_equal(seen.visual.vertex_colors[:, :3], to_uint8(colored.colors[None])[0])
    write_ply(tmp_path / "plain.ply", plain)
    assert b"red" not in (tmp_path / "plain.ply").read_bytes()[:400]
    assert len(trimesh.load_mesh(tmp_path / "plain.ply", process=False).faces) == len(plain.faces)


def test_stl_is_read_by_trimesh(head: Mesh, tmp_path: Path) -> None:
    write_stl(tmp_path / "head.stl", head, attribution="solid work\nof someone with a very long name" + 80 * "x")
    seen = trimesh.load_mesh(tmp_path / "head.stl", process=False)
    np.testing.assert_array_equal(seen.triangles.astype(np.float32), head.vertices[head.faces])
    np.testing.assert_allclose(
        np.asarray(seen.face_normals), trimesh.Trimesh(head.vertices, head.faces, process=False).face_normals, atol=1e-3
    )
    assert len((tmp_path / "head.stl").read_bytes()) == 84 + 50 * len(head.faces)


def test_obj_of_something_small_keeps_its_shape(plain: Mesh, tmp_path: Path) -> None:
    small = replace(plain, vertices=plain.vertices * 1e-6)
    write_obj(tmp_path / "small.obj", small, decimals=13)
    seen = trimesh.load_mesh(tmp_path / "small.obj", process=False, maintain_order=True)
    np.testing.assert_allclose(seen.vertices, small.vertices, atol=1e-13)


def test_texture_coordinates_start_at_the_lower_left() -> None:
    texture = torch.zeros(4, 4, 3)
    texture[3, 0] = 1.0  # the lower left texel
    colors = sample_texture(texture, torch.tensor([[0.125, 0.125], [0.125, 0.875], [0.0, 0.0], [0.25, 0.125]]))
    assert colors[:, 0].tolist() == pytest.approx([1.0, 0.0, 1.0, 0.5])


def test_a_block_that_ends_well_replaces_the_file(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")
    with atomic_write(path) as file:
        file.write(b"new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemExit, OSError("the encoder failed")])
def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(error: BaseException, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("old")

    def fail() -> None:
        with atomic_write(path) as file:
            file.write(b"half of it")
            raise error

    with pytest.raises(error if isinstance(error, type) else type(error)):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_interrupted_writers_leave_nothing(head: Mesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    for write, name in (
        (write_glb, "head.glb"),
        (write_obj, "head.obj"),
        (write_ply, "head.ply"),
        (write_stl, "head.stl"),
    ):
        with pytest.raises(KeyboardInterrupt):
            write(tmp_path / name, head)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="no umask")
def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "ordinary").write_bytes(b"")
    with atomic_write(tmp_path / "ours") as file:
        file.write(b"x")
    assert stat.S_IMODE((tmp_path / "ours").stat().st_mode) == stat.S_IMODE((tmp_path / "ordinary").stat().st_mode)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege")
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "link.json").symlink_to("real.json")
    with atomic_write(tmp_path / "link.json") as file:
        file.write(b"new")
    assert (tmp_path / "link.json").is_symlink()
    assert (tmp_path / "real.json").read_text() == "new"


def test_places_that_cannot_be_written(plain: Mesh, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    (tmp_path / "folder").mkdir()
    for path, message in (
        (tmp_path / "none" / "head.glb", "its folder does not exist"),
        (tmp_path / "file" / "head.glb", "Not a directory"),
        (tmp_path / "folder", "it is a folder"),
        (tmp_path / ("x" * 300), "name too long"),
        (tmp_path / "nul\0.glb", "not the name of a file"),
    ):
        with pytest.raises(OutputError, match=message) as caught:
            write_glb(path, plain)
        assert "\n" not in str(caught.value)
    assert (tmp_path / "file").read_text() == "kept"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_a_pipe_is_not_replaced(plain: Mesh, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match="it is a device or pipe"):
        write_glb(tmp_path / "pipe", plain)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="this system has no such permissions")
def test_a_folder_without_permission(plain: Mesh, tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    with unprivileged(folder):
        folder.chmod(0o500)
        with pytest.raises(OutputError, match="Permission denied"):
            write_glb(folder / "head.glb", plain)
    folder.chmod(0o700)


def test_a_full_disk(head: Mesh, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # what is longer fails as it does on a full disk
    try:
        with pytest.raises(OutputError, match="cannot be written: File too large"):
            write_glb(tmp_path / "head.glb", head)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []
