"""The renderer beside PyTorch3D: training steps, their parts, batches, growth, first calls, memory.

``python tests/benchmarks/render.py`` prints a table, ``--json`` one JSON object as the last line. PyTorch3D runs in the
environment of ``make test-pytorch3d`` and answers one step at a time, in turns with ours; where that environment is not
there, a row says so. Comparisons are of medians. What is held to a limit, and parts and growth, are medians, over the
half of the turns in which most of two cores was free, of the fastest in each turn; a row tells how much was free.
``--quick`` leaves out growth, first calls and memory. ``--plot FILE`` also draws the growth.

A step is what a network's training needs: picture and soft mask, a loss of both, gradients at vertices and texture; of
the packaged head (8,944 faces) with a 512² texture in Phong's light. PyTorch's threads wait for each other as briefly as
in ``make test`` (GOMP_SPINCOUNT 2000, unless it is set): on a busy machine less is better, on an idle one more; a row
tells what a step takes where it is not set at all.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("GOMP_SPINCOUNT", "2000")  # read when PyTorch is loaded

import torch

sys.path.insert(0, str(Path(__file__).parent))
from measure import Row, report, row
from render_growth import draw, growth_rows
from render_peer import Peer, peer_environment
from render_scene import (
    Scene,
    Step,
    cameras,
    in_turns,
    light,
    packaged_head,
    saved,
    seen_from,
    timed,
    training_step,
)

from headviz.geometry.mesh_batch import MeshBatch
from headviz.render.fragments import fragments_of
from headviz.render.raster import RASTERIZERS, ray_scene
from headviz.render.shade import RenderSettings, render
from headviz.render.soft import SoftMask, reference, soft_mask
from headviz.render.surface import MeshSurface, lit

LIMITS = {(256, 1): 30.0, (128, 1): 10.0, (64, 16): 60.0}  # ms
AHEAD = 200


def mask_step(scene: Scene, size: int) -> Step:
    """Faces, soft mask, and its gradient at the vertices, without a picture."""
    view, vertices = cameras(size), scene.vertices[None].clone().requires_grad_()

    def run() -> None:
        points = view.to_camera(vertices)
        mask = RASTERIZERS["scanline"](vertices.detach(), scene.faces, view).mask
        soft = soft_mask(view.to_pixels(points), points.detach()[..., 2] < 0, scene.faces, mask, SoftMask())
        torch.autograd.grad(soft.mean(), vertices)

    return timed(run)


def picture_step(scene: Scene, size: int) -> Step:
    """A picture alone, without gradients, by the backend of batches."""
    view, lamps, settings = cameras(size), light(), RenderSettings(backend="scanline")
    meshes = MeshBatch(scene.vertices[None], scene.faces, scene.uv, scene.uv_faces, scene.texture)

    return timed(lambda: render(meshes, view, light=lamps, settings=settings))


def step_rows(scene: Scene, peer: Peer | None, folder: Path, turns: int) -> list[Row]:
    """Steps at two sizes beside PyTorch3D's."""
    ours, theirs = {}, {}
    file = saved(scene, folder, "head")
    for size in (256, 128):
        ours |= {f"step {size}": training_step(scene, size), f"picture {size}": picture_step(scene, size)}
        for task in ("soft phong", "hard phong"):
            if peer is not None:
                request = {"task": task, "scene": file, **seen_from(size)}
                theirs[f"{task} {size}"] = lambda request=request: peer.seconds(**request)
    ours["mask 128"] = mask_step(scene, 128)
    if peer is not None:
        request = {"task": "soft silhouette", "scene": file, **seen_from(128)}
        theirs["soft silhouette 128"] = lambda: peer.seconds(**request)
    times = in_turns(ours, turns, theirs)
    rows = []
    for size in (256, 128):
        value, limit = 1e3 * times[f"step {size}"].calm, LIMITS[size, 1]
        rows.append(row(f"step, {size}²", value, "ms", f"≤ {limit:g} ms", value <= limit))
    free = 100 * statistics.median(times["step 256"].free)
    rows.append(row("share of two cores that was free meanwhile", free, "%", "", None))
    if peer is None:
        return [*rows, absent()]
    pairs = [
        ("step, 256²", "step 256", "soft phong 256", "soft Phong, K = 10", AHEAD),
        ("step, 128²", "step 128", "soft phong 128", "soft Phong, K = 10", None),
        ("picture without gradients, 256²", "picture 256", "hard phong 256", "hard Phong", None),
        ("picture without gradients, 128²", "picture 128", "hard phong 128", "hard Phong", None),
        ("soft mask and its gradient, 128²", "mask 128", "soft silhouette 128", "soft silhouette, K = 50", None),
    ]
    for name, mine, other, what, goal in pairs:
        fast, slow = (1e3 * times[key].median for key in (mine, other))
        text, met = (f"≥ {goal} × faster", slow >= goal * fast) if goal else ("", None)
        rows.append(row(f"{name}, {slow / fast:.0f} × faster", fast, "ms", text, met, f"PyTorch3D, {what}", slow))
    return rows


def absent() -> Row:
    """Where there is no peer."""
    return row("PyTorch3D is not there (make test-pytorch3d): not compared", 0, "", "", None)


def part_rows(scene: Scene, peer: Peer | None, folder: Path) -> list[Row]:
    """What a step at 256² is made of, and other ways to find the faces."""
    view, vertices = cameras(256), scene.vertices[None]
    meshes = MeshBatch(vertices, scene.faces, scene.uv, scene.uv_faces, scene.texture)
    points = view.to_camera(vertices)
    face = RASTERIZERS["scanline"](vertices, scene.faces, view).face
    surface = MeshSurface(meshes, view, fragments_of(points, scene.faces, view, face))
    around = view.to_pixels(points), points[..., 2] < 0, scene.faces, face >= 0, SoftMask()
    actions: dict[str, Callable[[], object]] = {
        f"faces and weights, {name}": lambda find=RASTERIZERS[name]: find(vertices, scene.faces, view)
        for name in ("scanline", "embree", "torch")
    }
    actions |= {
        "weights alone": lambda: fragments_of(points, scene.faces, view, face),
        "normals, texture and light": lambda: lit(MeshSurface(meshes, view, surface.pixels), light(), view),
        "soft mask, compiled": lambda: soft_mask(*around),
        "soft mask, in plain PyTorch": lambda: reference(*around),
    }
    with torch.no_grad():
        times = in_turns({name: timed(action) for name, action in actions.items()}, 5)
    for what in ("forward", "backward"):
        times[f"{what} of the step"] = in_turns({"": training_step(scene, 256)}, 5, part=what)[""]
    rows = [row(f"part at 256²: {name}", 1e3 * taken.calm, "ms", "", None) for name, taken in times.items()]
    rows += open3d_rows(scene)
    if peer is not None:
        request = {"task": "faces", "scene": saved(scene, folder, "head"), **seen_from(256)}
        taken = statistics.median([peer.seconds(**request) for _ in range(4)][1:])
        rows.append(row("part at 256²: faces and weights, PyTorch3D", 1e3 * taken, "ms", "", None))
    return rows


def open3d_rows(scene: Scene) -> list[Row]:
    """Open3D's ray caster: a scene built, the rays of a picture, the faces that they meet."""
    try:
        import open3d as o3d
    except (ImportError, OSError) as error:  # OSError: a library of the system that it needs
        return [row(f"Open3D is not there ({type(error).__name__}): not measured", 0, "", "", None)]
    origin, directions = cameras(256)[0].rays()
    rays = o3d.core.Tensor(torch.cat([origin.expand_as(directions), directions], -1).numpy())
    vertices, faces = (o3d.core.Tensor(v.numpy()) for v in (scene.vertices, scene.faces.to(torch.int32)))
    built: list[object] = []

    def cast() -> object:
        built[:] = [o3d.t.geometry.RaycastingScene()]
        built[0].add_triangles(vertices, faces.to(o3d.core.Dtype.UInt32))
        return built[0].cast_rays(rays)["primitive_ids"].numpy()

    build = timed(lambda: ray_scene(scene.vertices, scene.faces))
    times = in_turns({"faces alone, Open3D": timed(cast), "Embree's scene alone, without rays": build}, 5)
    return [row(f"part at 256²: {name}", 1e3 * taken.calm, "ms", "", None) for name, taken in times.items()]


def batch_rows(scene: Scene) -> list[Row]:
    """Sixteen heads at 64² by every backend: why scan lines are what batches are drawn by."""
    kinds = [("scanline", 1), ("scanline", 16), ("embree", 1), ("torch", 1)]
    steps = {(backend, k): training_step(scene, 64, 16, textures=k, backend=backend) for backend, k in kinds}
    times, rows = in_turns(steps, 5), []
    for backend, textures in kinds:
        value = 1e3 * times[backend, textures].calm
        each = "one texture" if textures == 1 else "a texture each"
        limit, goal = LIMITS[64, 16], backend == "scanline" and textures == 1
        text, met = (f"≤ {limit:g} ms", value <= limit) if goal else ("", None)
        rows.append(row(f"step, 16 heads at 64², {each}, {backend}", value, "ms", text, met))
    return rows


ALONE = """
import sys, time
began = time.time()
sys.path.insert(0, sys.argv[1])
import torch
from render_scene import in_turns, packaged_head, training_step
torch.set_num_threads(2)
step = training_step(packaged_head(), int(sys.argv[2]), int(sys.argv[3]))
def resident(line):
    try:
        return int(open("/proc/self/status").read().split(line)[1].split()[0]) / 1e3
    except OSError:
        return float("nan")
before = resident("VmRSS:")
start = time.time()
step()
first = time.time() - start
later = in_turns({"": step}, 5)[""].calm
print(start - began, first, later, resident("VmHWM:") - before)
"""


def alone(size: int, count: int, **environment: str) -> tuple[float, ...]:
    """A step in a fresh process: seconds until it starts, of the first, of later ones; MB that the process grew by."""
    command = [sys.executable, "-c", ALONE, str(Path(__file__).parent), str(size), str(count)]
    inherited = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=inherited | environment)
    return tuple(float(value) for value in done.stdout.split())


def process_rows() -> list[Row]:
    """First steps with nothing compiled and with all of it, threads that stay awake, and memory."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for when, runs in (("nothing compiled yet", 1), ("compiled before", 5)):
            found = [alone(256, 1, NUMBA_CACHE_DIR=folder, GOMP_SPINCOUNT="0") for _ in range(runs)]
            first = statistics.median(each[1] for each in found)
            rows.append(row(f"first step of a process, 256², {when}", first, "s", "", None))
    awake = 1e3 * statistics.median(alone(256, 1)[2] for _ in range(3))
    rows.append(row("step, 256², PyTorch's threads staying awake (no GOMP_SPINCOUNT)", awake, "ms", "", None))
    for size, count in ((256, 1), (64, 16), (256, 16)):
        grown = statistics.median(alone(size, count, GOMP_SPINCOUNT="0")[3] for _ in range(3))
        heads = "a head" if count == 1 else f"{count} heads"
        rows.append(
            row(f"memory of steps, {heads} at {size}²: growth of the process at its peak", grown, "MB", "", None)
        )
    return rows


def gpu_rows(scene: Scene, peer: Peer | None, folder: Path) -> list[Row]:
    """Steps by the backend "torch" on a GPU, absolute, where there is one."""
    rows = []
    if torch.cuda.is_available():
        there = scene.to("cuda")
        for size, count in ((256, 1), (128, 1), (64, 16)):
            value = 1e3 * in_turns({"": training_step(there, size, count, backend=None)}, 3)[""].median
            heads = "a head" if count == 1 else f"{count} heads"
            rows.append(row(f"step on {torch.cuda.get_device_name()}, {heads} at {size}²", value, "ms", "", None))
    else:
        rows.append(row("no GPU is here: nothing measured on one", 0, "", "", None))
    if peer is not None and peer.cuda:
        for size in (256, 128):
            request = {"task": "soft phong", "scene": saved(scene, folder, "head"), "device": "cuda", **seen_from(size)}
            taken = statistics.median([peer.seconds(**request) for _ in range(12)][2:])
            rows.append(row(f"PyTorch3D's soft Phong, K = 10, on a GPU, {size}²", 1e3 * taken, "ms", "", None))
    return rows


def measured(peer: Peer | None, arguments: argparse.Namespace) -> list[Row]:
    """All rows."""
    scene = packaged_head()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = step_rows(scene, peer, folder, 3 if arguments.quick else 5)
        rows += batch_rows(scene) + part_rows(scene, peer, folder)
        if arguments.plot is not None or not arguments.quick:
            growth, points = growth_rows(peer, folder, 3 if arguments.quick else 6)
            rows += growth
            if arguments.plot is not None:
                draw(points, arguments.plot)
        rows += gpu_rows(scene, peer, folder)
    return rows if arguments.quick else rows + process_rows()


def main() -> None:
    """Command line of the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--quick", action="store_true", help="leave out growth, first calls and memory")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="also draw the growth as a PNG")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    if peer_environment():
        with Peer() as peer:
            rows = measured(peer, arguments)
    else:
        rows = measured(None, arguments)
    report("render", rows, as_json=arguments.json)


if __name__ == "__main__":
    main()
