"""Plain pictures of a reconstruction: the head over the photograph, and from three sides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from headviz.geometry.camera import Camera, look_at_head
from headviz.geometry.color import to_uint8
from headviz.geometry.mesh import Mesh
from headviz.geometry.sampling import sample_pixels
from headviz.models.reconstruction import Reconstruction
from headviz.render.light import Directional, Harmonics, Lighting, headlight
from headviz.render.shade import render
from headviz.render.surface import BACKGROUND

SIDE = 420  #: pixels of each of the preview's pictures
VIEWS = (("front", 0.0), ("three-quarter left", 0.8), ("right", -1.4))  #: name and yaw in radians


def head_window(reconstruction: Reconstruction, side: int = SIDE, margin: float = 0.25) -> tuple[Tensor, Camera]:
    """The photograph around the head, resized to side × side, and the camera of that part."""
    camera = reconstruction.camera
    seen = camera.project(reconstruction.posed.vertices)
    low, high = seen.amin(0), seen.amax(0)
    middle, extent = (low + high) / 2, float((high - low).max()) * (1 + 2 * margin)
    corner = middle - extent / 2
    factor = side / extent
    window = Camera(
        camera.rotation, camera.translation, camera.focal * factor, (camera.center - corner) * factor, side, side
    )
    picture, shrunk = reconstruction.image, 1.0
    if factor < 0.7:  # average before picking, or fine detail flickers
        planes = picture.permute(2, 0, 1)[None]
        planes = torch.nn.functional.interpolate(planes, scale_factor=factor, mode="bilinear", antialias=True)
        picture, shrunk = planes[0].permute(1, 2, 0), factor
    steps = (torch.arange(side) + 0.5) / factor
    v, u = torch.meshgrid(corner[1] + steps, corner[0] + steps, indexing="ij")
    points = torch.stack([u, v], dim=-1)
    part = sample_pixels(picture, points * shrunk)
    size = points.new_tensor([camera.width, camera.height])
    outside = ((points < 0) | (points > size)).any(-1)
    part[outside] = torch.tensor(BACKGROUND)
    return part, window


def overlay(reconstruction: Reconstruction, side: int = SIDE, opacity: float = 0.75) -> Float[Tensor, "s s 3"]:
    """The plain head, with the expression of the picture, drawn over the photograph; linear RGB."""
    part, window = head_window(reconstruction, side)
    posed = reconstruction.posed
    plain = Mesh(posed.vertices, posed.faces, normals=posed.normals)
    under = part.repeat_interleave(2, 0).repeat_interleave(2, 1)
    drawn = render(plain, window.scaled(2), light=_light_in_front(window), background=under)
    return part.lerp(_halved(drawn.picture), opacity)


def _halved(picture: Float[Tensor, "h w 3"]) -> Float[Tensor, "g v 3"]:
    """Half the size, by averaging: smooth edges for pictures drawn at twice the size."""
    return torch.nn.functional.avg_pool2d(picture.permute(2, 0, 1)[None], 2)[0].permute(1, 2, 0)


def _light_in_front(camera: Camera) -> Lighting:
    """The plain renders' light, turned with the camera so that what faces it is lit."""
    (key,) = (source for source in headlight().sources if isinstance(source, Directional))
    harmonics = torch.zeros(9, 3)
    harmonics[0] = 0.6
    return Lighting((Harmonics(harmonics), replace(key, direction=key.direction @ camera.rotation)))


def overlay_picture(reconstruction: Reconstruction, side: int = 640) -> UInt8[np.ndarray, "s s 3"]:
    """The overlay as 8-bit sRGB."""
    return to_uint8(overlay(reconstruction, side))


def turned_picture(reconstruction: Reconstruction, yaw: float, side: int = SIDE) -> Float[Tensor, "s s 3"]:
    """The textured head with its expression, seen from a yaw angle (radians); linear RGB."""
    posed = reconstruction.posed
    low, high = posed.vertices.amin(0), posed.vertices.amax(0)
    middle = tuple(((low + high) / 2).tolist())
    size = float((high - low).max())
    camera = look_at_head(yaw=yaw, target=middle, distance=4 * size, focal=3.3, size=2 * side)
    return _halved(render(posed, camera, light=None if posed.texture is not None else headlight()).picture)


def preview_picture(reconstruction: Reconstruction) -> UInt8[np.ndarray, "h w 3"]:
    """Photograph, overlay, and the head from three sides, with one line of numbers; 8-bit sRGB."""
    part, _ = head_window(reconstruction)
    pictures = [part, overlay(reconstruction)]
    pictures += [turned_picture(reconstruction, yaw) for _, yaw in VIEWS]
    row = np.concatenate([to_uint8(picture) for picture in pictures], axis=1)
    names = ["photograph", "fitted head", *(name for name, _ in VIEWS)]
    return captioned(row, names, caption(reconstruction))


def caption(reconstruction: Reconstruction) -> str:
    """One sentence about the reconstruction with its numbers."""
    report = reconstruction.report
    seconds = sum(reconstruction.timings.values())
    words = f"{len(reconstruction.mesh.vertices):,} vertices in {seconds:.2f} s"
    if "landmark_error_percent_of_face_width" in report:
        words += f" · landmarks within {report['landmark_error_percent_of_face_width']:.2f} % of the face's width"
    if "seen_fraction_of_skin" in report:
        words += f" · {100 * report['seen_fraction_of_skin']:.0f} % of the skin seen in the photograph"
    return words


def captioned(row: UInt8[np.ndarray, "h w 3"], names: list[str], sentence: str) -> UInt8[np.ndarray, "g w 3"]:
    """A row of equally wide pictures with a name under each and one sentence under all."""
    from PIL import Image, ImageDraw, ImageFont

    height, width = row.shape[:2]
    canvas = Image.new("RGB", (width, height + 64), (246, 245, 242))
    canvas.paste(Image.fromarray(row), (0, 0))
    draw = ImageDraw.Draw(canvas)
    small, large = ImageFont.load_default(15), ImageFont.load_default(20)
    for k, name in enumerate(names):
        draw.text(((k + 0.5) * width / len(names), height + 14), name, (85, 85, 85), font=small, anchor="mm")
    draw.text((width / 2, height + 44), sentence, (21, 23, 26), font=large, anchor="mm")
    return np.asarray(canvas)
