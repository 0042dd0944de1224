"""Everything that the notebooks use, by one line: ``import headviz.notebook as hv``.

One name before each call keeps visible what is headviz and what is Python, and ``hv.`` with the Tab key lists all there
is. Nothing here is new but :func:`check`, which says whether an answer to a notebook's question is right.

>>> import headviz.notebook as hv
>>> hv.view_ray(hv.preset("head"))
"""

import numpy as np
import torch

from headviz import models
from headviz.assets import path as asset
from headviz.geometry import *  # noqa: F403 -- the room's __all__ is what it offers
from headviz.geometry import __all__ as _geometry
from headviz.geometry import shapes, shapes2d
from headviz.geometry.camera import look_at_head
from headviz.geometry.contour import square_table
from headviz.geometry.cube_tables import cube_table
from headviz.geometry.sampling import sample_texture
from headviz.interop import load_mesh
from headviz.models.export import write_reconstruction
from headviz.notebook.checks import Verdict
from headviz.notebook.questions import check
from headviz.photo.picture import load_picture
from headviz.render.traced import trace_camera
from headviz.viewers import *  # noqa: F403
from headviz.viewers import __all__ as _viewers

__all__ = [  # noqa: PLE0604 -- names, joined
    *_geometry,
    *_viewers,
    "Verdict",
    "asset",
    "check",
    "cube_table",
    "load_mesh",
    "load_picture",
    "look_at_head",
    "models",
    "np",
    "sample_texture",
    "shapes",
    "shapes2d",
    "square_table",
    "torch",
    "trace_camera",
    "write_reconstruction",
]
