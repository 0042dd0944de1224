"""Meshes to and from trimesh, pyvista, Open3D and PyTorch3D. Each library is imported where it is used."""

from __future__ import annotations

import importlib
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from PIL import Image

from headviz.errors import MeshError, MissingExtraError, ShapeError
from headviz.geometry.arrays import Array, array_of, linear_of, rgb_of, tensor_of, tensors_of, three_channels
from headviz.geometry.camera import Camera, Cameras
from headviz.geometry.color import from_uint8, linear_to_srgb, to_uint8
from headviz.geometry.mesh import Mesh
from headviz.geometry.seams import attributes_of, uv_of_corners, with_attributes

_COLORS = "color"  # beside a texture: the name under which trimesh's own readers keep them


def to_trimesh(mesh: Mesh) -> Any:
    """A ``trimesh.Trimesh``, unprocessed.

    The texture becomes a PBR material with the base colour (metallic 0), colours become a colour visual, or the
    attribute ``color`` beside a texture. Positions, texture coordinates and normals become float64. Normals are passed
    on where there are some.
    """
    import trimesh

    split, attributes = attributes_of(mesh)
    found = trimesh.Trimesh(
        vertices=array_of(split.vertices),
        faces=array_of(split.faces),
        vertex_normals=None if split.normals is None else array_of(split.normals),
        # as floats, for trimesh writes attributes into GLB files and fails at integers there
        vertex_attributes={name: array_of(values.double()) for name, values in attributes.items()},
        process=False,
    )
    colors = None if split.colors is None else to_uint8(split.colors[None])[0]
    if split.uv is not None:
        picture = None if split.texture is None else Image.fromarray(to_uint8(split.texture))
        material = trimesh.visual.material.PBRMaterial(baseColorTexture=picture, metallicFactor=0.0)
        found.visual = trimesh.visual.TextureVisuals(uv=array_of(split.uv), material=material)
        if colors is not None:
            found.vertex_attributes[_COLORS] = colors
    elif colors is not None:
        found.visual = trimesh.visual.ColorVisuals(mesh=found, vertex_colors=colors)
    return found


def from_trimesh(mesh: Any, *, dtype: torch.dtype = torch.float32) -> Mesh:
    """The mesh of a ``trimesh.Trimesh``, or of a ``Scene``, whose parts are joined, with a warning.

    Kept: the base colour's texture, the colours of vertices (of faces as their mean at each vertex), normals that were
    set or read from a file. Left out: opacity, other materials and their factors, several materials on one mesh.

    Args:
        mesh: what to convert.
        dtype: of the positions; trimesh's own is float64.

    Raises:
        MeshError: it is neither, such as a point cloud or a path, or a scene without meshes.
    """
    import trimesh

    if isinstance(mesh, trimesh.Scene):
        placed = [(mesh.geometry[name], matrix) for matrix, name in map(mesh.graph.get, mesh.graph.nodes_geometry)]
        solid = [place for place in placed if isinstance(place[0], trimesh.Trimesh)]  # dump() forgets normals
        parts = [part.copy(include_cache=True).apply_transform(matrix) for part, matrix in solid]
        if not parts:
            kinds = {type(part).__name__ for part in mesh.geometry.values()} or {"nothing"}
            raise MeshError(f"a scene should have a mesh; it has {', '.join(sorted(kinds))}")
        if len(parts) > 1:
            warnings.warn(f"{len(parts)} parts are joined into one mesh", stacklevel=2)
        mesh = trimesh.util.concatenate(parts) if len(parts) > 1 else parts[0]
    if not isinstance(mesh, trimesh.Trimesh):
        raise MeshError(f"a Trimesh or a Scene was expected; it is a {type(mesh).__name__}")
    visual: Any = mesh.visual
    attributes: dict[str, Any] = mesh.vertex_attributes
    uv, texture, colors = None, None, attributes.get(_COLORS)
    if visual.kind == "texture":
        uv = None if visual.uv is None or len(visual.uv) != len(mesh.vertices) else tensor_of(visual.uv[:, :2], dtype)
        picture = getattr(visual.material, "baseColorTexture", None) or getattr(visual.material, "image", None)
        nothing = trimesh.visual.material.empty_material().image  # what stands in where there is no picture
        if uv is not None and picture is not None and not np.array_equal(picture, nothing):
            texture = from_uint8(np.asarray(picture.convert("RGB")))
    elif visual.kind in ("vertex", "face"):
        colors = visual.vertex_colors
    given = "vertex_normals" in mesh._cache.cache  # noqa: SLF001 - asked in public, trimesh computes them
    return with_attributes(
        Mesh(
            vertices=tensor_of(mesh.vertices, dtype),
            faces=tensor_of(mesh.faces, torch.int64).reshape(-1, 3),
            uv=uv,
            texture=texture,
            colors=None if colors is None else linear_of(colors),
            normals=tensor_of(mesh.vertex_normals, dtype) if given else None,
        ),
        tensors_of(attributes),
    )


def to_pyvista(mesh: Mesh) -> Any:
    """A ``pyvista.PolyData`` with texture coordinates, ``Normals`` and 8-bit ``RGB``, in the mesh's precision.

    pyvista keeps no texture with a mesh. It goes, linear as it is, to the field data ``texture`` and
    ``texture_shape``; :func:`pyvista_texture` makes the picture that ``add_mesh(…, texture=…)`` takes.

    Raises:
        MissingExtraError: pyvista is not installed.
    """
    pyvista = _library("pyvista", "desktop")
    split, attributes = attributes_of(mesh)
    found = pyvista.PolyData()
    if len(split.vertices):
        found = pyvista.PolyData.from_regular_faces(array_of(split.vertices), array_of(split.faces).reshape(-1, 3))
    for name, values in attributes.items():
        found.point_data[name] = array_of(values)
    if split.colors is not None:
        found.point_data["RGB"] = to_uint8(split.colors[None])[0]
    if split.normals is not None:
        found.point_data.active_normals = array_of(split.normals)
    if split.uv is not None:
        found.active_texture_coordinates = array_of(split.uv)
    if split.texture is not None:
        found.field_data["texture"] = array_of(split.texture).reshape(-1, 3)
        found.field_data["texture_shape"] = np.array(split.texture.shape[:2])
    return found


def pyvista_texture(mesh: Mesh) -> Any:
    """The texture of a mesh as an 8-bit ``pyvista.Texture``, or ``None`` where it has none.

    Raises:
        MissingExtraError: pyvista is not installed.
    """
    pyvista = _library("pyvista", "desktop")
    return None if mesh.texture is None else pyvista.Texture(to_uint8(mesh.texture))


def from_pyvista(mesh: Any, *, dtype: torch.dtype = torch.float32) -> Mesh:
    """The mesh of a ``pyvista.PolyData``; quadrangles, polygons and strips are cut into triangles by VTK.

    Kept: active texture coordinates and normals, ``RGB`` or ``RGBA`` of the points, and what :func:`to_pyvista` added.
    Left out: other arrays, lines and single points.

    Args:
        mesh: what to convert.
        dtype: of the positions.

    Raises:
        MissingExtraError: pyvista is not installed.
        MeshError: it is no PolyData, or has no faces.
    """
    pyvista = _library("pyvista", "desktop")
    if not isinstance(mesh, pyvista.PolyData):
        raise MeshError(f"PolyData was expected, such as .extract_surface() gives; it is a {type(mesh).__name__}")
    faces, strips = mesh.GetNumberOfPolys(), mesh.GetNumberOfStrips()
    if mesh.n_points and not faces + strips:
        lines, points = mesh.GetNumberOfLines(), mesh.GetNumberOfVerts()
        raise MeshError(f"PolyData should have faces; it has {lines} lines, {points} vertex cells and no faces")
    if strips or (faces and mesh.GetPolys().IsHomogeneous() != 3):
        mesh = mesh.triangulate()
    arrays = {name: np.asarray(mesh.point_data[name]) for name in mesh.point_data.keys()}  # noqa: SIM118 - no Mapping
    colors = arrays.get("RGB", arrays.get("RGBA"))
    uv, normals, texture = mesh.active_texture_coordinates, mesh.point_data.active_normals, None
    if uv is not None and "texture" in mesh.field_data:
        height, width = (int(size) for size in mesh.field_data["texture_shape"])
        texture = tensor_of(mesh.field_data["texture"]).reshape(height, width, 3)
    corners = mesh.GetPolys().GetConnectivityArray() if mesh.n_points else None
    return with_attributes(
        Mesh(
            vertices=tensor_of(mesh.points, dtype).reshape(-1, 3),
            faces=tensor_of([] if corners is None else pyvista.convert_array(corners), torch.int64).reshape(-1, 3),
            uv=None if uv is None else tensor_of(uv[:, :2], dtype),
            texture=texture,
            colors=None if colors is None else linear_of(colors),
            normals=None if normals is None else tensor_of(normals, dtype),
        ),
        tensors_of(arrays),
    )


def to_open3d(mesh: Mesh) -> Any:
    """An ``open3d.geometry.TriangleMesh``, in float64, its vertex colours as sRGB in [0, 1] (to 1e-6).

    Texture coordinates are per corner, so seams stay. The texture's rows are turned over, for Open3D keeps the last
    row first. Lost: morph targets and the mirror, for which it has no place; texture coordinates without a texture and
    colours beside one stay.

    Raises:
        MissingExtraError: open3d is not installed.
    """
    open3d = _library("open3d", "open3d")
    vector = open3d.utility
    found = open3d.geometry.TriangleMesh(
        vector.Vector3dVector(array_of(mesh.vertices.double())), vector.Vector3iVector(array_of(mesh.faces.int()))
    )
    if mesh.normals is not None:
        found.vertex_normals = vector.Vector3dVector(array_of(mesh.normals.double()))
    if mesh.colors is not None:
        found.vertex_colors = vector.Vector3dVector(array_of(linear_to_srgb(mesh.colors.double().clamp(0, 1))))
    if mesh.uv is not None:
        corners = mesh.uv[mesh.faces if mesh.uv_faces is None else mesh.uv_faces].reshape(-1, 2)
        found.triangle_uvs = vector.Vector2dVector(array_of(corners.double()))
        found.triangle_material_ids = vector.IntVector(np.zeros(len(mesh.faces), np.int32))
    if mesh.texture is not None:
        found.textures = [open3d.geometry.Image(np.ascontiguousarray(to_uint8(mesh.texture)[::-1]))]
    return found


def from_open3d(mesh: Any, *, dtype: torch.dtype = torch.float32) -> Mesh:
    """The mesh of an Open3D triangle mesh, of the legacy kind or the tensor kind (its albedo map is the texture).

    Texture coordinates come back per vertex where all corners of every vertex agree, else with indices of their own in
    the order of their values. Where there are several textures none is kept, and a warning says so.

    Args:
        mesh: what to convert.
        dtype: of the positions.

    Raises:
        MissingExtraError: open3d is not installed.
        MeshError: it is not a triangle mesh, but for example a point cloud.
        InputError: the texture is not an 8-bit picture.
    """
    open3d = _library("open3d", "open3d")
    pictures: list[Array] = []
    if isinstance(mesh, open3d.t.geometry.TriangleMesh):
        if mesh.has_valid_material() and "albedo" in mesh.material.texture_maps:
            pictures = [mesh.material.texture_maps["albedo"].as_tensor().cpu().numpy()]
        mesh = mesh.to_legacy()
        mesh.textures = []
    if not isinstance(mesh, open3d.geometry.TriangleMesh):
        raise MeshError(f"a TriangleMesh was expected; it is a {type(mesh).__name__}")
    pictures += [np.asarray(picture)[::-1] for picture in mesh.textures if not picture.is_empty()]
    if len(pictures) > 1:
        warnings.warn(f"{len(pictures)} textures on one mesh; none is kept, for a mesh has one", stacklevel=2)
    faces = tensor_of(mesh.triangles, torch.int64).reshape(-1, 3)
    uv, uv_faces = None, None
    if mesh.has_triangle_uvs():
        uv, uv_faces = uv_of_corners(tensor_of(mesh.triangle_uvs, dtype), faces, len(mesh.vertices))
    colors = np.asarray(mesh.vertex_colors) if mesh.has_vertex_colors() else None
    return Mesh(
        vertices=tensor_of(mesh.vertices, dtype).reshape(-1, 3),
        faces=faces,
        uv=uv,
        uv_faces=uv_faces,
        texture=from_uint8(rgb_of(pictures[0])) if len(pictures) == 1 and uv is not None else None,
        colors=None if colors is None else linear_of(colors),
        normals=tensor_of(mesh.vertex_normals, dtype) if mesh.has_vertex_normals() else None,
    )


def to_pytorch3d(mesh: Mesh) -> Any:
    """A ``pytorch3d.structures.Meshes`` of one mesh. Tensors are passed on: device, precision and gradients stay.

    Colours stay linear, as light is computed with. A texture becomes ``TexturesUV`` that is sampled as headviz samples
    (``align_corners=False``), else colours become ``TexturesVertex``, else texture coordinates get a white texture of
    one texel. Lost: colours beside a texture, coordinates without a texture beside colours, morph targets, the mirror.

    Raises:
        MissingExtraError: pytorch3d is not installed.
    """
    structures, renderer = (_library(f"pytorch3d.{room}", "pytorch3d") for room in ("structures", "renderer"))
    textures = None
    if mesh.uv is not None and (mesh.texture is not None or mesh.colors is None):
        textures = renderer.TexturesUV(
            maps=[mesh.vertices.new_ones(1, 1, 3) if mesh.texture is None else mesh.texture],
            faces_uvs=[mesh.faces if mesh.uv_faces is None else mesh.uv_faces],
            verts_uvs=[mesh.uv],
            align_corners=False,
        )
    elif mesh.colors is not None:
        textures = renderer.TexturesVertex([mesh.colors])
    normals = None if mesh.normals is None else [mesh.normals]
    return structures.Meshes([mesh.vertices], [mesh.faces], textures, verts_normals=normals)


def to_pytorch3d_cameras(cameras: Camera | Cameras) -> Any:
    """A ``pytorch3d.renderer.PerspectiveCameras`` in pixels (``in_ndc=False``); gradients flow through.

    PyTorch3D looks along +z with x to the left, and multiplies rows: p R + T. Its pixels are ours.

    Raises:
        MissingExtraError: pytorch3d is not installed.
    """
    renderer = _library("pytorch3d.renderer", "pytorch3d")
    several = Cameras.of(cameras) if isinstance(cameras, Camera) else cameras
    turned = several.rotation.new_tensor([-1.0, 1.0, -1.0])
    return renderer.PerspectiveCameras(
        R=several.rotation.mT * turned,
        T=several.translation * turned,
        focal_length=several.focal[:, None].expand(-1, 2),
        principal_point=several.center,
        image_size=torch.tensor([[several.height, several.width]]).expand(len(several), 2),
        in_ndc=False,
        device=several.rotation.device,
    )


def from_pytorch3d(meshes: Any) -> Mesh:
    """The mesh of a ``pytorch3d.structures.Meshes`` of one; tensors are passed on, and colours taken for linear.

    PyTorch3D does not say what its colours are: those that its own readers took from a picture are sRGB, and
    :func:`headviz.geometry.color.srgb_to_linear` makes them linear. A texture of one white texel is none.

    Raises:
        MissingExtraError: pytorch3d is not installed.
        MeshError: it is no Meshes, or its textures are an atlas or several maps.
        ShapeError: there is not one mesh but another number, or colours have not three channels.
    """
    structures, renderer = (_library(f"pytorch3d.{room}", "pytorch3d") for room in ("structures", "renderer"))
    if not isinstance(meshes, structures.Meshes):
        raise MeshError(f"Meshes were expected; it is a {type(meshes).__name__}")
    if len(meshes) != 1:
        raise ShapeError(f"a batch of one mesh was expected; there are {len(meshes)}")
    vertices, faces, textures = meshes.verts_list()[0], meshes.faces_list()[0], meshes.textures
    normals = meshes.verts_normals_list()[0] if meshes.has_verts_normals() else None
    found = Mesh(vertices, faces, normals=normals)
    if textures is None:
        return found
    if isinstance(textures, renderer.TexturesVertex):
        return replace(found, colors=three_channels(textures.verts_features_list()[0]))
    if not isinstance(textures, renderer.TexturesUV) or textures.maps_ids_list() is not None:
        raise MeshError(f"TexturesUV with one map or TexturesVertex were expected; it is {type(textures).__name__}")
    picture = three_channels(textures.maps_list()[0])
    uv, corners = textures.verts_uvs_list()[0], textures.faces_uvs_list()[0]
    white = picture.shape[:2] == (1, 1) and bool((picture == 1).all())
    per_vertex = len(uv) == len(vertices) and torch.equal(corners, faces)
    return replace(found, uv=uv, uv_faces=None if per_vertex else corners, texture=None if white else picture)


def _library(name: str, extra: str) -> Any:
    """An optional library, imported now; a typed error where it is not installed."""
    package = name.partition(".")[0]
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise  # it is there, and lacks something itself
        raise MissingExtraError(package, extra) from error
