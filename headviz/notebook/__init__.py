"""Everything that the notebooks use, by one line: ``import headviz.notebook as hv``.

One name before each call keeps visible what is headviz and what is Python, and ``hv.`` with the Tab key lists all there
is. Nothing here is new but :func:`check`, which says whether an answer to a notebook's question is right.

>>> import headviz.notebook as hv
>>> hv.view_ray(hv.preset("head"))
"""

from dataclasses import replace
from tempfile import mkdtemp

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
from headviz.geometry.rbf import KERNELS, alpha_of_radius
from headviz.geometry.sampling import sample_texture
from headviz.heads.model import load_head
from headviz.heads.paint import paint, paint_maps
from headviz.heads.sculptable import sculptable_head
from headviz.interop import load_mesh
from headviz.models.export import write_reconstruction
from headviz.notebook import questions_rendering as _rendering  # noqa: F401 -- adds the questions of notebook 07
from headviz.notebook import questions_sculpting as _sculpting  # noqa: F401 -- adds the questions of notebook 06
from headviz.notebook.checks import Verdict
from headviz.notebook.questions import check
from headviz.photo.picture import load_picture
from headviz.render import *  # noqa: F403
from headviz.render import __all__ as _render
from headviz.render.traced import trace_camera
from headviz.sculpt import *  # noqa: F403
from headviz.sculpt import __all__ as _sculpt
from headviz.sculpt.files import open_session, save_session, start_named
from headviz.sculpt.transfer import replay_on
from headviz.viewers import *  # noqa: F403
from headviz.viewers import __all__ as _viewers
from headviz.viewers.picture_plots import plot_pictures
from headviz.viewers.plots import plot_curves, plot_heads, plot_warp

__all__ = [  # noqa: PLE0604 -- names, joined
    *_geometry,
    *_render,
    *_sculpt,
    *_viewers,
    "KERNELS",
    "Verdict",
    "alpha_of_radius",
    "asset",
    "check",
    "cube_table",
    "load_head",
    "load_mesh",
    "load_picture",
    "look_at_head",
    "mkdtemp",
    "models",
    "np",
    "open_session",
    "paint",
    "paint_maps",
    "plot_curves",
    "plot_heads",
    "plot_pictures",
    "plot_warp",
    "replace",
    "replay_on",
    "sample_texture",
    "save_session",
    "sculptable_head",
    "shapes",
    "shapes2d",
    "square_table",
    "start_named",
    "torch",
    "trace_camera",
    "write_reconstruction",
]
