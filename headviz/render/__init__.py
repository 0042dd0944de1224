"""From meshes, fields, cameras and light to pictures, and gradients back.

>>> from headviz.render import RenderSettings, SoftMask, headlight, render
>>> drawn = render(mesh, camera, light=headlight(), soft=SoftMask())
>>> drawn.picture, drawn.soft_mask, drawn.depth, drawn.normals, drawn.uv, drawn.face
"""

from headviz.render.compare import PictureComparison, compare_pictures
from headviz.render.explain import GradientImage, RenderRecord, gradient_image
from headviz.render.fragments import Fragments
from headviz.render.light import Ambient, Directional, Harmonics, Lighting, Point, Source, headlight
from headviz.render.raster import Rasterizer, rasterize
from headviz.render.sdf import render_field
from headviz.render.shade import Rendering, RenderSettings, render
from headviz.render.soft import SoftMask, iou_loss

__all__ = [
    "Ambient",
    "Directional",
    "Fragments",
    "GradientImage",
    "Harmonics",
    "Lighting",
    "PictureComparison",
    "Point",
    "Rasterizer",
    "RenderRecord",
    "RenderSettings",
    "Rendering",
    "SoftMask",
    "Source",
    "compare_pictures",
    "gradient_image",
    "headlight",
    "iou_loss",
    "rasterize",
    "render",
    "render_field",
]
