"""Meshes out of files, and to and from trimesh, pyvista, Open3D and PyTorch3D, each imported where it is used.

What survives everywhere, exactly: the order and number of vertices and faces, and positions in the library's precision.
Colours are linear here and sRGB there, in 8 bits but for what the functions say. A round trip through 8 bits moves a
value by at most half a level (0.0045 in linear light), and one that came from 8 bits not at all.

trimesh and pyvista hold one texture coordinate per vertex. A vertex on a seam of the texture is therefore copied; the
copies come after all vertices, and an attribute ``source_vertex`` says what they are copies of, by which the way back
joins them again. Morph targets and the mirror are attributes too (``morph_NAME``, ``mirror``); they stay as they are
when the other library turns the mesh. A mesh with seams gets normals where it has none, so that the seams do not show.
"""

from headviz.interop.libraries import (
    from_open3d,
    from_pytorch3d,
    from_pyvista,
    from_trimesh,
    pyvista_texture,
    to_open3d,
    to_pytorch3d,
    to_pytorch3d_cameras,
    to_pyvista,
    to_trimesh,
)
from headviz.interop.reading import MESH_FORMATS, load_mesh

__all__ = [
    "MESH_FORMATS",
    "from_open3d",
    "from_pytorch3d",
    "from_pyvista",
    "from_trimesh",
    "load_mesh",
    "pyvista_texture",
    "to_open3d",
    "to_pytorch3d",
    "to_pytorch3d_cameras",
    "to_pyvista",
    "to_trimesh",
]
