"""Viewers: records as live widgets, self-contained pages, pictures and windows.

>>> from headviz import viewers
>>> viewers.view_ray(shape).to_html("ray.html")
"""

from headviz.viewers.mesh import view_mesh
from headviz.viewers.page import write_page
from headviz.viewers.record import Record
from headviz.viewers.registry import open_record, register
from headviz.viewers.viewer import State, Viewer

__all__ = ["Record", "State", "Viewer", "open_record", "register", "view_mesh", "write_page"]
