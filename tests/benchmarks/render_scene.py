"""What the renderer's benchmark draws, and one training step of ours: a head with a texture, Phong's light, a loss."""

from __future__ import annotations

import hashlib
import math
import statistics
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from sculpt_heads import split_faces
from torch import Tensor

from headviz.geometry.camera import Cameras
from headviz.geometry.mesh_batch import MeshBatch
from headviz.heads.model import load_head
from headviz.render.light import Ambient, Lighting, Point
from headviz.render.shade import RenderSettings, render
from headviz.render.soft import SoftMask, iou_loss

TEXELS = 512
AMBIENT, LAMP, PLACE, GLOSS, SHININESS = 0.5, 0.5, (0.5, 0.5, 1.0), 0.2, 64.0


@dataclass(frozen=True, eq=False)
class Scene:
    """A head and its texture, (1, 512, 512, 3)."""

    vertices: Tensor
    faces: Tensor
    uv: Tensor
    uv_faces: Tensor
    texture: Tensor

    def to(self, device: str) -> Scene:
        return Scene(*(values.to(device) for values in vars(self).values()))


def clouds() -> Tensor:
    """A texture of coloured clouds."""
    coarse = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    large = torch.nn.functional.interpolate(coarse, (TEXELS, TEXELS), mode="bilinear", align_corners=False)
    return large.permute(0, 2, 3, 1).contiguous()


def packaged_head() -> Scene:
    """The packaged head, 8,944 faces, with its own texture coordinates."""
    head = load_head().mesh(morphs=False)
    assert head.uv is not None
    assert head.uv_faces is not None
    return Scene(head.vertices, head.faces, head.uv, head.uv_faces, clouds())


def head_with(factor: float) -> Scene:
    """The same shape with n² times its faces, or fewer of them; texture coordinates are places seen from the front.

    Args:
        factor: a square number, or a share below 1.
    """
    head = load_head().mesh(morphs=False)
    if factor < 1:
        import pyvista

        solid = pyvista.PolyData.from_regular_faces(head.vertices.numpy(), head.faces.numpy())
        fewer = solid.decimate(1 - factor)
        vertices, faces = torch.from_numpy(fewer.points).float(), torch.from_numpy(fewer.regular_faces).long()
    else:
        parts = split_faces(head.vertices.double().numpy(), head.faces.numpy(), math.isqrt(int(factor)))
        vertices, faces = torch.from_numpy(parts[0]).float(), torch.from_numpy(parts[1])
    low, high = vertices.amin(0), vertices.amax(0)
    uv = ((vertices - low) / (high - low))[:, :2].contiguous()
    return Scene(vertices, faces, uv, faces, clouds())


def cameras(size: int, count: int = 1) -> Cameras:
    """From three quarters, the head filling the picture's height: more than a quarter of the pixels. Or from around."""
    yaws = torch.tensor([0.4]) if count == 1 else torch.linspace(-0.6, 0.6, count)
    return Cameras.orbit(yaws, 0.1, target=(0.0, -0.02, 0.0), focal=2.7, size=size)


def saved(scene: Scene, folder: Path, name: str) -> str:
    """The scene as a file that the peer reads."""
    path = folder / f"{name}.safetensors"
    if not path.exists():
        save_file({key: values.clone() for key, values in vars(scene).items()}, path)
    return str(path)


def seen_from(size: int) -> Mapping[str, object]:
    """A request's camera and light, as numbers."""
    view = cameras(size)
    camera = {name: getattr(view, name).tolist() for name in ("rotation", "translation", "focal", "center")}
    light = {"ambient": AMBIENT, "lamp": LAMP, "place": PLACE, "gloss": GLOSS, "shininess": SHININESS}
    return {"size": size, "camera": camera, "light": light}


def light() -> Lighting:
    """Soft light, a lamp and its highlight."""
    lamp = Point(torch.tensor(PLACE), torch.full((3,), LAMP), falloff=0.0)
    return Lighting((Ambient(torch.full((3,), AMBIENT)), lamp), GLOSS, SHININESS, "phong")


#: Answers the seconds of "forward" and "backward", and of "both".
Step = Callable[[], dict[str, float]]
PAUSE = 0.05  #: seconds after other work, until its threads have gone to sleep


@dataclass(frozen=True)
class Times:
    """Seconds of one action in several turns.

    Attributes:
        turns: every turn's, in which it was done once or several times in a row.
        free: the share of two cores that this process got just before each turn.
    """

    turns: list[list[float]]
    free: list[float]

    @property
    def median(self) -> float:
        """Of all of them, for comparisons: other load on the machine meets peers alike."""
        return statistics.median(value for turn in self.turns for value in turn)

    @property
    def calm(self) -> float:
        """What it takes with the cores to itself: the fastest of a turn, the median of the half with the freest cores."""
        order = sorted(range(len(self.turns)), key=lambda k: -self.free[k])
        return statistics.median(min(self.turns[k]) for k in order[: (len(order) + 1) // 2])


def in_turns(
    ours: dict[Any, Step], turns: int, theirs: dict[Any, Callable[[], float]] | None = None, *, part: str = "both"
) -> dict[Any, Times]:
    """Times of several actions: in every turn all peers once, for they take long, and each of ours nine times."""
    times = {name: Times([], []) for name in (*ours, *(theirs or {}))}
    for action in ours.values():
        action()  # what is made once
    for _ in range(turns):
        for name, ask in (theirs or {}).items():
            times[name].free.append(free_cores())
            times[name].turns.append([ask()])
        time.sleep(PAUSE)
        for name, action in ours.items():
            times[name].free.append(free_cores())
            times[name].turns.append([action()[part] for _ in range(9)])
    return times


def free_cores(seconds: float = 0.15, cores: int = 2) -> float:
    """The share of some cores that threads of this process get while they want all of it; 1 without other load."""
    data, end = bytes(1 << 20), time.perf_counter() + seconds

    def burn() -> None:
        while time.perf_counter() < end:
            hashlib.sha256(data)  # without the interpreter's lock

    threads = [threading.Thread(target=burn) for _ in range(cores)]
    began, used = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (time.process_time() - used) / (time.perf_counter() - began) / cores


def timed(action: Callable[[], object]) -> Step:
    """Something else as a step."""

    def run() -> dict[str, float]:
        started = time.perf_counter()
        action()
        return {"both": time.perf_counter() - started}

    return run


def training_step(
    scene: Scene, size: int, count: int = 1, *, textures: int = 1, backend: str | None = "scanline", soft: bool = True
) -> Step:
    """Picture, soft mask, a loss of both, and gradients at vertices and texture; answers the seconds of each half.

    Args:
        scene: the head.
        size: of the pictures, pixels.
        count: heads, every one with vertices of its own and seen from another side.
        textures: one for all, or one each.
        backend: the rasterizer; ``None`` for the default of a batch.
        soft: whether there is a soft mask.
    """
    device = scene.vertices.device.type
    generator = torch.Generator().manual_seed(0)
    weight = torch.rand(count, size, size, 3, generator=generator).to(device)
    wanted = torch.zeros(count, size, size)
    wanted[:, size // 4 : -size // 4, size // 4 : -size // 4] = 1
    wanted = wanted.to(device)
    view, lamps, settings = cameras(size, count), light(), RenderSettings(backend=backend)
    view = Cameras(*(getattr(view, n).to(device) for n in ("rotation", "translation", "focal", "center")), size, size)
    lamps = lamps.to(scene.vertices)
    vertices = scene.vertices.expand(count, -1, -1).clone().requires_grad_()
    texture = scene.texture.expand(textures, -1, -1, -1).clone().requires_grad_()

    def run() -> dict[str, float]:
        started = now(device)
        meshes = MeshBatch(vertices, scene.faces, scene.uv, scene.uv_faces, texture)
        drawn = render(meshes, view, light=lamps, soft=SoftMask() if soft else None, settings=settings)
        loss = (drawn.picture * weight).mean()
        if soft:
            loss = loss + iou_loss(drawn.soft_mask, wanted).mean()
        middle = now(device)
        torch.autograd.grad(loss, [vertices, texture])
        ended = now(device)
        return {"forward": middle - started, "backward": ended - middle, "both": ended - started}

    return run


def now(device: str) -> float:
    """A time at which all that was asked for is done."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
