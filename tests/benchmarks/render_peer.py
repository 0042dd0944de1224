"""PyTorch3D in a process of its own: reads requests, one JSON object a line, and answers how long each took.

``render_scene.py`` says what is drawn; :class:`Peer` starts the process where its environment is there
(``make test-pytorch3d`` makes it). Here, in that environment, nothing of headviz is imported.

A request: ``{"task": "soft phong", "scene": FILE, "size": 256, "camera": {…}, "light": {…}, "device": "cpu"}``.
"""

from __future__ import annotations

import functools
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-pytorch3d" / "bin" / "python"
SIGMA, GAMMA = 1e-4, 1e-4
BLUR = math.log(1 / 1e-4 - 1) * SIGMA  # what PyTorch3D's documentation gives for this sigma


class Peer:
    """The process, from our side: starts it, asks, and ends it."""

    def __init__(self) -> None:
        command = [str(PYTHON), __file__]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.cuda = bool(self._answer()["cuda"])

    def seconds(self, **request: Any) -> float:
        """How long a task took."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return float(self._answer()["seconds"])

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"PyTorch3D's process ended with code {self._process.wait()}; what it wrote is above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def peer_environment() -> bool:
    """Whether PyTorch3D can be asked."""
    return PYTHON.exists()


class Task:
    """One kind of request, with all that is made once for it."""

    def __init__(self, request: dict[str, Any]) -> None:
        import torch
        from pytorch3d import renderer
        from safetensors.torch import load_file

        self.device = request.get("device", "cpu")
        self.scene = {name: values.to(self.device) for name, values in load_file(request["scene"]).items()}
        self.vertices = self.scene["vertices"].clone().requires_grad_()
        self.texture = self.scene["texture"][0].clone().requires_grad_()
        self.task, size = request["task"], request["size"]
        generator = torch.Generator().manual_seed(0)
        self.weight = torch.rand(1, size, size, 3, generator=generator).to(self.device)
        self.wanted = torch.zeros(1, size, size)
        self.wanted[:, size // 4 : -size // 4, size // 4 : -size // 4] = 1
        self.wanted = self.wanted.to(self.device)
        camera = {name: torch.tensor(values, device=self.device) for name, values in request["camera"].items()}
        turned = torch.tensor([-1.0, 1.0, -1.0], device=self.device)  # x to the left, looking along +z
        cameras = renderer.PerspectiveCameras(
            R=camera["rotation"].mT * turned, T=camera["translation"] * turned, focal_length=camera["focal"],
            principal_point=camera["center"], image_size=((size, size),), in_ndc=False, device=self.device,
        )  # fmt: skip
        faces = {"soft phong": 10, "soft silhouette": 50}.get(self.task, 1)
        settings = renderer.RasterizationSettings(
            image_size=size, blur_radius=BLUR if faces > 1 else 0.0, faces_per_pixel=faces
        )
        self.rasterizer = renderer.MeshRasterizer(cameras, settings)
        self.renderer = renderer.MeshRenderer(self.rasterizer, self._shader(cameras, request["light"]))

    def _shader(self, cameras: Any, light: dict[str, Any]) -> Any:
        from pytorch3d import renderer

        blend = renderer.BlendParams(sigma=SIGMA, gamma=GAMMA)
        if self.task == "soft silhouette":
            return renderer.SoftSilhouetteShader(blend)
        made = renderer.SoftPhongShader if self.task == "soft phong" else renderer.HardPhongShader
        same = {name: ((light[key],) * 3,) for name, key in (("ambient_color", "ambient"), ("diffuse_color", "lamp"))}
        lights = renderer.PointLights(
            **same, specular_color=same["diffuse_color"], location=(light["place"],), device=self.device
        )
        gloss = ((light["gloss"],) * 3,)
        materials = renderer.Materials(specular_color=gloss, shininess=light["shininess"], device=self.device)
        return made(self.device, cameras, lights, materials, blend)

    def run(self) -> float:
        """Seconds of one step: all of it with gradients, or what the task names without."""
        import torch
        from pytorch3d.renderer import TexturesUV
        from pytorch3d.structures import Meshes

        scene = self.scene
        started = self.now()
        with torch.set_grad_enabled(self.task.startswith("soft")):
            textures = TexturesUV([self.texture], [scene["uv_faces"]], [scene["uv"]], align_corners=False)
            meshes = Meshes([self.vertices], [scene["faces"]], textures)
            if self.task == "faces":
                self.rasterizer(meshes)
            else:
                picture = self.renderer(meshes, znear=0.1, zfar=10.0)
        if self.task.startswith("soft"):
            mask = picture[..., 3]
            shared, either = (mask * self.wanted).sum(), (mask + self.wanted - mask * self.wanted).sum()
            loss, inputs = 1 - shared / either, [self.vertices]
            if self.task == "soft phong":
                loss, inputs = loss + (picture[..., :3] * self.weight).mean(), [self.vertices, self.texture]
            torch.autograd.grad(loss, inputs)
        return self.now() - started

    def now(self) -> float:
        """A time at which all that was asked for is done."""
        if self.device == "cuda":
            import torch

            torch.cuda.synchronize()
        return time.perf_counter()


@functools.lru_cache(maxsize=16)
def task(text: str) -> Task:
    """The same request, made once."""
    return Task(json.loads(text))


def main() -> None:
    """Answer requests until there are none."""
    answers = os.fdopen(os.dup(1), "w")  # what libraries print goes to the other stream
    os.dup2(2, 1)
    import torch

    torch.set_num_threads(2)
    print(json.dumps({"cuda": torch.cuda.is_available()}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps({"seconds": task(line.strip()).run()}), file=answers, flush=True)


if __name__ == "__main__":
    main()
