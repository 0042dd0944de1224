"""Viewers: records as live widgets, self-contained pages, pictures and windows.

>>> from headviz import viewers
>>> viewers.view_ray(shape).to_html("ray.html")
"""

from headviz.viewers.cubes import view_cubes
from headviz.viewers.mesh import view_mesh
from headviz.viewers.obj import view_obj
from headviz.viewers.octree import view_octree
from headviz.viewers.page import write_page
from headviz.viewers.quadtree import view_quadtree
from headviz.viewers.ray import view_ray
from headviz.viewers.reconstruction import view_reconstruction
from headviz.viewers.record import Record
from headviz.viewers.registry import open_record, register
from headviz.viewers.rendering import view_rendering
from headviz.viewers.sculpt import view_sculpt
from headviz.viewers.squares import view_squares
from headviz.viewers.trace import view_trace
from headviz.viewers.viewer import State, Viewer

__all__ = [
    "Record",
    "State",
    "Viewer",
    "open_record",
    "register",
    "view_cubes",
    "view_mesh",
    "view_obj",
    "view_octree",
    "view_quadtree",
    "view_ray",
    "view_reconstruction",
    "view_rendering",
    "view_sculpt",
    "view_squares",
    "view_trace",
    "write_page",
]
