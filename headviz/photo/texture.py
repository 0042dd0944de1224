"""From a photograph to a texture: projection, symmetry, inpainting, and how sure we are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from headviz.geometry.camera import Camera
from headviz.geometry.mesh import Mesh, vertex_normals
from headviz.geometry.polygon import polygon_distance
from headviz.geometry.sampling import sample_pixels
from headviz.photo.atlas import Atlas
from headviz.render.raster import rasterize
from headviz.render.surface import SKIN

#: Regions that an atlas for textures needs.
TEXTURE_REGIONS = (
    "skin", "face", "scalp", "neck", "left_ear", "right_ear", "mouth_inside", "tongue", "sockets",
    "right_eyeball", "left_eyeball",
)  # fmt: skip
GRAZING = (0.15, 0.5)  #: cosine between normal and view where trust begins and where it is full
DEPTH_SLACK = 0.004  #: metres that a texel may lie behind the visible surface
OUTLINE_EDGE = 0.0015  #: metres beside the outlines of eyes and mouth that are not trusted fully
DEPTH_SIDE = 400  #: longer side of the depth picture
MOUTH, TONGUE, WHITE = (0.06, 0.014, 0.014), (0.30, 0.10, 0.09), (0.60, 0.55, 0.52)
OUTLINE = 0.02  #: share of the head's size in the picture, along its outline, that may show the background
COARSE = 32  #: cells across the grid on which the two sides' tones are matched
FEW = slice(None, None, 7)  #: the texels that are enough for means over regions
PULL = 0.01  #: how strongly unseen skin tends to the skin tone, and unseen scalp to the hair's
IRIS_SHARE = 0.42  #: radius of the iris in the eyeball's chart, whose edge is at 1


@dataclass(frozen=True, eq=False)
class TextureResult:
    """A completed texture.

    Attributes:
        texture: linear RGB, shape (size, size, 3).
        confidence: 1 seen, ½ mirrored, 0 inpainted, smooth in between, shape (size, size).
        seen: share of the skin's area that the photograph shows, in [0, 1].
        seen_face: the same of the region ``face``.
    """

    texture: Float[Tensor, "s s 3"]
    confidence: Float[Tensor, "s s"]
    seen: float
    seen_face: float


@dataclass(frozen=True, eq=False)
class Openings:
    """Where the detector sees eyes and open mouth: polygons in pixels, each (q, 2).

    The fitted lids and lips never lie exactly on the real ones; the outlines keep the iris off the lids,
    the lids off the eyeball, and the teeth off the lips.
    """

    eyes: tuple[Float[Tensor, "_ 2"], ...] = ()
    mouth: Float[Tensor, "_ 2"] | None = None


def project_texture(
    image: Float[Tensor, "h w 3"], camera: Camera, mesh: Mesh, atlas: Atlas, openings: Openings | None = None
) -> TextureResult:
    """Texture of a head from one photograph.

    Visible texels take the photograph's colour, weighed by how squarely the camera sees them; hidden ones
    take their mirror twin's colour, matched in tone; what neither side shows is filled smoothly towards
    the skin tone. Light is not removed: the texture is the photograph's appearance.

    Args:
        image: linear RGB, shape (h, w, 3).
        camera: the camera of that picture.
        mesh: the fitted head.
        atlas: prepared by :func:`headviz.photo.atlas.build_atlas` with ``TEXTURE_REGIONS``.
        openings: outlines of eyes and mouth, where known.
    """
    points, trust = _visibility(camera, mesh, atlas)
    trust = trust * _through_openings(
        atlas, points, openings or Openings(), OUTLINE_EDGE * camera.focal / _distance(camera, mesh)
    )
    colors = sample_pixels(image, points)
    trust = trust * _like_skin(atlas, colors, trust)
    twin, has_twin = atlas.twin.clamp(min=0), atlas.twin >= 0
    twin_trust = trust[twin] * has_twin
    mirrored = colors[twin]
    gain = _tone_match(atlas, colors, trust, mirrored, twin_trust)
    mirrored = mirrored * gain
    borrow = twin_trust * (1 - trust)
    total = trust + borrow
    mixed = (colors * trust[:, None] + mirrored * borrow[:, None]) / total.clamp(min=1e-6)[:, None]
    skin = atlas.labels["skin"]
    tone = _median_tone(mixed, trust * atlas.labels["face"])
    hair = _median_tone(mixed, trust * atlas.labels["scalp"], tone)
    tones = torch.where(atlas.regions["scalp"][:, None], hair, tone)
    filled = _fill(atlas, mesh, mixed, total * skin, tones)
    inner = _inner_colors(atlas, mixed, total, tone)
    filled = torch.where(skin[:, None], filled, inner).clamp(0, 1)
    picture = torch.where(atlas.covered[..., None], atlas.picture(filled), tone)
    picture[atlas.gutter] = filled[atlas.gutter_source]
    confidence = (trust + 0.5 * borrow)[:, None]
    seen, seen_face = (_seen(atlas, mesh, trust, name) for name in ("skin", "face"))
    return TextureResult(picture, atlas.picture(confidence)[..., 0], seen, seen_face)


def _seen(atlas: Atlas, mesh: Mesh, trust: Float[Tensor, " p"], region: str) -> float:
    """Share of a region's area that is trusted, from every seventh texel."""
    area = _texel_area(atlas, mesh, FEW) * atlas.labels[region][FEW]
    return float((area * trust[FEW]).sum() / area.sum())


def _visibility(camera: Camera, mesh: Mesh, atlas: Atlas) -> tuple[Float[Tensor, "p 2"], Float[Tensor, " p"]]:
    """Pixel position of every texel, and how far the picture may be trusted there, in [0, 1]."""
    vertices = mesh.vertices
    normals = mesh.normals if mesh.normals is not None else vertex_normals(vertices, mesh.faces)
    view = torch.nn.functional.normalize(camera.position - vertices, dim=1)
    depth = -camera.to_camera(vertices)[:, 2:]
    facing = (normals * view).sum(1, keepdim=True)
    values = atlas.interpolate(torch.cat([camera.project(vertices), depth, facing], dim=1))
    points, depth, facing = values[:, :2], values[:, 2], values[:, 3]
    near, inside = _depth_picture(camera, mesh, points)
    low, high = GRAZING
    squarely = ((facing - low) / (high - low)).clamp(0, 1)
    front = (1 - (depth - near - DEPTH_SLACK / 2) / DEPTH_SLACK).clamp(0, 1)
    edge = 0.01 * max(camera.width, camera.height)
    border = torch.minimum(points, points.new_tensor([camera.width, camera.height]) - points).amin(1)
    return points, squarely * front * inside * (border / edge).clamp(0, 1)


def _distance(camera: Camera, mesh: Mesh) -> float:
    """Distance of the head's middle along the optical axis, metres."""
    return -float(camera.to_camera(mesh.vertices.mean(0))[2])


def _through_openings(
    atlas: Atlas, points: Float[Tensor, "p 2"], openings: Openings, edge: float
) -> Float[Tensor, " p"]:
    """How sure it is that the picture shows what the texel belongs to: 0 on the wrong side of an outline, and
    rising to 1 over ``edge`` pixels on the right one.
    """
    keep = torch.ones(len(points))
    eyeballs = atlas.labels["right_eyeball"] | atlas.labels["left_eyeball"]
    inner = atlas.labels["mouth_inside"] | atlas.labels["tongue"]
    for polygons, within in ((openings.eyes, eyeballs), ((openings.mouth,), inner)):
        known = [polygon for polygon in polygons if polygon is not None]
        if not known:
            continue
        distance = torch.full((len(points),), edge)
        for polygon in known:
            middle, reach = (polygon.amin(0) + polygon.amax(0)) / 2, (polygon.amax(0) - polygon.amin(0)) / 2 + edge
            near = ((points - middle).abs() < reach).all(1).nonzero()[:, 0]
            distance[near] = torch.minimum(distance[near], polygon_distance(points[near], polygon))
        keep = keep * (torch.where(within, -distance, distance) / edge).clamp(0, 1)
    return keep


def _like_skin(atlas: Atlas, colors: Float[Tensor, "p 3"], trust: Float[Tensor, " p"]) -> Float[Tensor, " p"]:
    """Neck and ears are often covered by collar and hair: there only what resembles the face's skin counts."""
    tone = _median_tone(colors, trust * atlas.labels["face"])
    covered = atlas.labels["neck"] | atlas.labels["left_ear"] | atlas.labels["right_ear"]
    apart = torch.log((colors[covered] + 0.02) / (tone + 0.02))
    shade = apart.mean(1)
    hue = (apart - shade[:, None]).norm(dim=1)
    like = torch.ones(len(colors))
    like[covered] = torch.exp(-((shade.abs() / 0.8) ** 4) - (hue / 0.35) ** 4)
    return like


def _depth_picture(
    camera: Camera, mesh: Mesh, points: Float[Tensor, "p 2"]
) -> tuple[Float[Tensor, " p"], Float[Tensor, " p"]]:
    """Depth of the nearest surface at the given pixels, and how far inside the head's outline they lie, in [0, 1]."""
    seen = camera.project(mesh.vertices)
    low, high = seen.amin(0) - 2, seen.amax(0) + 2
    factor = DEPTH_SIDE / float((high - low).max())
    window = Camera(
        camera.rotation, camera.translation, camera.focal * factor, (camera.center - low) * factor,
        max(1, round(float(high[0] - low[0]) * factor)), max(1, round(float(high[1] - low[1]) * factor)),
    )  # fmt: skip
    depth = rasterize(mesh.vertices, mesh.faces, window, backend="embree").depth
    # The farthest of a texel's neighbours, so that a border pixel does not hide what is beside it.
    finite = torch.where(depth.isinf(), 0.0, depth)
    widest = torch.nn.functional.max_pool2d(finite[None], 3, stride=1, padding=1)[0]
    place = ((points - low) * factor).long()
    columns, rows = place[:, 0].clamp(0, window.width - 1), place[:, 1].clamp(0, window.height - 1)
    # Share of the neighbourhood that the head covers: ½ on a straight outline, 1 from OUTLINE inwards.
    reach = 2 * round(OUTLINE * DEPTH_SIDE) + 1
    cover = (~depth.isinf()).float()[None]
    for kernel in ((reach, 1), (1, reach)):  # one axis at a time
        margin = (kernel[0] // 2, kernel[1] // 2)
        cover = torch.nn.functional.avg_pool2d(cover, kernel, 1, margin, count_include_pad=False)
    inside = ((cover[0] - 0.7) / 0.25).clamp(0, 1)
    return widest[rows, columns], inside[rows, columns]


def _tone_match(atlas: Atlas, own: Tensor, trust: Tensor, mirrored: Tensor, twin_trust: Tensor) -> Tensor:
    """Factor per texel that brings the mirrored side to the tone of its own side, smooth over the atlas."""
    both = (trust * twin_trust * atlas.labels["skin"])[FEW, None]
    ratio = torch.log((own[FEW] + 0.01) / (mirrored[FEW] + 0.01)).clamp(-1.2, 1.2)
    cell = _coarse_cell(atlas)
    sums = torch.zeros(COARSE * COARSE, 5).index_add(
        0, cell, torch.cat([ratio * both, both, torch.ones_like(both)], dim=1)
    )
    mean = sums[:, :4] / sums[:, 4:].clamp(min=1)
    coarse = mean.reshape(1, COARSE, COARSE, 4).permute(0, 3, 1, 2)
    smooth = _pull_push(coarse[:, :3], coarse[:, 3:], torch.zeros(3))
    fine = torch.nn.functional.interpolate(smooth, (atlas.size, atlas.size), mode="bilinear", align_corners=False)
    return fine[0].permute(1, 2, 0)[atlas.covered].exp()


def _coarse_cell(atlas: Atlas) -> Int[Tensor, " q"]:
    """Cell of a coarse grid over the texture in which every seventh texel lies."""
    place = atlas.covered.nonzero()[FEW] * COARSE // atlas.size
    return place[:, 0] * COARSE + place[:, 1]


def _median_tone(colors: Tensor, weight: Tensor, default: Tensor | None = None) -> Float[Tensor, "3"]:
    """Median colour where the weight is high; the default, or plain skin, if too little was seen."""
    seen = colors[FEW][weight[FEW] > 0.5]
    if len(seen) > 30:
        return seen.median(0).values
    return torch.tensor(SKIN) if default is None else default


def _fill(
    atlas: Atlas, mesh: Mesh, colors: Float[Tensor, "p 3"], weight: Float[Tensor, " p"], tones: Float[Tensor, "n 3"]
) -> Float[Tensor, "p 3"]:
    """Known colours where the weight is high, else smoothly spread ones that tend to each vertex's tone.

    Colours spread over the mesh first, which knows no seams; what detail remains fades out in the texture.
    """
    spread = atlas.interpolate(spread_over_mesh(atlas, mesh, colors, weight, tones))
    stacked = torch.cat([(colors - spread) * weight[:, None], weight[:, None]], dim=1)
    planes = atlas.picture(stacked).permute(2, 0, 1)[None]
    detail = _pull_push(planes[:, :3], planes[:, 3:], torch.zeros(3))[0].permute(1, 2, 0)
    return spread + atlas.texels(detail)


def spread_over_mesh(
    atlas: Atlas, mesh: Mesh, colors: Float[Tensor, "p 3"], weight: Float[Tensor, " p"], tones: Float[Tensor, "n 3"]
) -> Float[Tensor, "n 3"]:
    """Colour per vertex: the mean of the known texels around it, elsewhere harmonic with a slight pull to its tone.

    Minimises Σ w (c − known)² + Σ over edges (cᵢ − cⱼ)² + PULL Σ (c − tone)².
    """
    from scipy.sparse import coo_matrix, diags
    from scipy.sparse.csgraph import laplacian
    from scipy.sparse.linalg import spsolve

    count, few = len(mesh.vertices), FEW
    index, share = atlas.corners[few].reshape(-1), (atlas.weights[few] * weight[few, None]).reshape(-1)
    values = torch.cat([colors[few], torch.ones(len(colors[few]), 1)], 1).repeat_interleave(3, 0) * share[:, None]
    sums = torch.zeros(count, 4).index_add(0, index, values)
    known, mass = sums[:, :3] / sums[:, 3:].clamp(min=1e-6), (sums[:, 3:] * 4).clamp(max=4)
    edges = mesh.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2).numpy()
    around = coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), (count, count))
    weights = mass[:, 0].double().numpy() + PULL
    matrix = laplacian(around.maximum(around.T)) + diags(weights)
    right = (mass * known + PULL * tones).double().numpy()
    return torch.from_numpy(spsolve(matrix.tocsc(), right)).float()


def _pull_push(premultiplied: Tensor, weight: Tensor, prior: Tensor) -> Float[Tensor, "1 c h w"]:
    """Fill holes by a pyramid of weighted means (Gortler et al., "The Lumigraph", 1996).

    Args:
        premultiplied: values times weight, shape (1, c, h, w), h = w a power of two times a small number.
        weight: in [0, 1], shape (1, 1, h, w).
        prior: what a texel far from every known one tends to, shape (c,).
    """
    levels = [(premultiplied, weight)]
    while levels[-1][1].shape[-1] > 4 and levels[-1][1].shape[-1] % 2 == 0:
        value, mass = (torch.nn.functional.avg_pool2d(t, 2) for t in levels[-1])
        excess = (4 * mass).clamp(min=1)  # saturate: a cell of known texels counts once
        levels.append((4 * value / excess, 4 * mass / excess))
    value, mass = levels[-1]
    result = (value + 0.1 * prior[:, None, None]) / (mass + 0.1)
    for value, mass in reversed(levels[:-1]):
        coarse = torch.nn.functional.interpolate(result, value.shape[-2:], mode="bilinear", align_corners=False)
        result = value + (1 - mass) * coarse
    return result


def _inner_colors(atlas: Atlas, colors: Tensor, weight: Tensor, tone: Tensor) -> Float[Tensor, "p 3"]:
    """Colours of what is not skin: seen where it is seen, else plain mouth, tongue, and eyes round their axis."""
    plain = tone.expand(len(colors), 3).clone()
    plain[atlas.labels["mouth_inside"]] = torch.tensor(MOUTH)
    plain[atlas.labels["tongue"]] = torch.tensor(TONGUE)
    for name in ("right_eyeball", "left_eyeball"):
        texels = atlas.labels[name]
        plain[texels] = _round_eye(atlas, texels, colors, weight)
    return plain + weight[:, None] * (colors - plain)


def _round_eye(atlas: Atlas, texels: Bool[Tensor, " p"], colors: Tensor, weight: Tensor) -> Float[Tensor, "q 3"]:
    """An eye is round: hidden texels take the mean colour of the seen ones at the same distance from the pupil.

    Beyond the iris only the brighter half of what was seen counts as white of the eye; the rest is lid or lash.
    """
    place = atlas.covered.nonzero()[texels].float()
    low, high = place.amin(0), place.amax(0)
    radius = (2 * (place - low) / (high - low).clamp(min=1) - 1).norm(dim=1)
    seen, mass = colors[texels], weight[texels]
    outer = (mass > 0.3) & (radius > IRIS_SHARE * 1.1) & (radius < IRIS_SHARE * 2)
    white = torch.tensor(WHITE)
    if int(outer.sum()) > 50:
        brightness = seen[outer].mean(1)
        white = seen[outer][brightness >= brightness.quantile(0.6)].mean(0)
        white = white.mean() * torch.tensor(WHITE) / torch.tensor(WHITE).mean() * 0.5 + white * 0.5
    bins = 24
    ring = (radius / IRIS_SHARE * bins).long().clamp(0, bins)
    mass = mass * (radius < IRIS_SHARE)
    total = torch.zeros(bins + 1, 3).index_add(0, ring, seen * mass[:, None])
    rings = (total + 0.5 * white) / (torch.zeros(bins + 1).index_add(0, ring, mass) + 0.5)[:, None]
    rings[bins] = white
    return rings[ring]


def _texel_area(atlas: Atlas, mesh: Mesh, few: slice) -> Float[Tensor, " q"]:
    """Area on the head that some of the texels stand for, square metres."""
    a, b, c = (mesh.vertices[atlas.corners[few, k]] for k in range(3))
    area: Tensor = torch.linalg.cross(b - a, c - a).norm(dim=1) / 2 * atlas.share[few]
    return area
