"""What VTK draws: the head, from the session's own arrays, and the plane of symmetry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Shaped, UInt8

from headviz.viewers import look
from headviz_apps.sculpt.look import Theme

if TYPE_CHECKING:
    from headviz.sculpt import SculptSession
    from headviz_apps.sculpt.camera import Camera

SHADINGS = ("skin", "matcap", "texture", "heat")
_MASK = np.array([0x3A, 0x3F, 0x46], dtype=np.float32)  # a masked vertex is this dark
_MATCAP = """
  vec3 seen = normalize(normalVCVSOutput);
  float key = clamp(dot(seen, normalize(vec3(-0.45, 0.62, 0.64))), 0.0, 1.0);
  float fill = clamp(dot(seen, normalize(vec3(0.7, -0.25, 0.5))), 0.0, 1.0);
  float rim = pow(1.0 - clamp(seen.z, 0.0, 1.0), 2.5);
  vec3 clay = vec3(0.20, 0.19, 0.20) + key * vec3(0.58, 0.55, 0.52) + fill * vec3(0.05, 0.08, 0.12);
  clay += pow(key, 28.0) * vec3(0.22) + rim * vec3(0.10, 0.12, 0.15);
  gl_FragData[0] = vec4(clay * mix(vec3(1.0), diffuseColor, 0.0) * shade, 1.0);
"""


class Scene:
    """The head as VTK draws it. Positions and normals are the session's live arrays, so nothing is copied to draw.

    Args:
        renderer: VTK's, empty.
    """

    def __init__(self, renderer: Any) -> None:
        from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper

        self.renderer = renderer
        self.session: SculptSession | None = None
        self.shading, self.wireframe, self.plane_shown = "skin", False, False
        self.scale = 0.0  #: displacement that is drawn in the heat map's last colour, metres
        self.mapper = vtkPolyDataMapper()
        self.mapper.SetVBOShiftScaleMethod(0)
        self.actor = vtkActor()
        self.actor.SetMapper(self.mapper)
        renderer.AddActor(self.actor)
        self._source: Shaped[np.ndarray, " v"] | None = None
        self._arrays: dict[str, Any] = {}
        self._texture: Any = None
        self._colors: UInt8[np.ndarray, "n 3"] | None = None
        self._plane = self._make_plane()
        self._light()

    @property
    def has_texture(self) -> bool:
        """Whether the base has a texture to draw."""
        return self.session is not None and self.session.base.texture is not None and self.session.base.uv is not None

    def show(self, session: SculptSession) -> None:
        """Draw another session."""
        self.session = session
        self.scale = 0.0
        self._texture = None
        if self.shading == "texture" and not self.has_texture:
            self.shading = "skin"
        low, high = session.positions.min(axis=0), session.positions.max(axis=0)
        self._place_plane(low, high)
        self._connect()

    def style(self, theme: Theme, *, shading: str, wireframe: bool, plane: bool) -> None:
        """How it is drawn from now on."""
        changed = shading != self.shading
        self.shading = "skin" if shading == "texture" and not self.has_texture else shading
        self.wireframe, self.plane_shown = wireframe, plane
        self.renderer.SetBackground(*rgb(theme.canvas))
        self._plane.SetVisibility(plane)
        self._plane.GetProperty().SetColor(*rgb(theme.accent))
        shape = self.actor.GetProperty()
        shape.SetEdgeVisibility(wireframe)
        shape.SetEdgeColor(*rgb(look.INK))
        shape.SetEdgeOpacity(0.35)
        shape.SetLineWidth(1.0)
        if changed:
            self._connect()

    def update(self, indices: Shaped[np.ndarray, " k"] | None = None) -> None:
        """The session has changed: tell VTK which arrays have, after filling those that are not shared."""
        if self.session is None:
            return
        if self._arrays["positions"] is not self.session.positions:
            self._connect()
            return
        if self._source is not None:
            np.take(self.session.positions, self._source, axis=0, out=self._arrays["points"])
            np.take(self.session.normals, self._source, axis=0, out=self._arrays["normals"])
        self._color(indices)
        for name in ("vtk points", "vtk normals", "vtk colors"):
            if (array := self._arrays.get(name)) is not None:
                array.Modified()
        self._arrays["data"].GetPoints().Modified()
        self._arrays["data"].Modified()

    def aim(self, camera: Camera) -> tuple[float, float]:
        """Look through a camera; the nearest and the farthest depth that are drawn, metres."""
        seen = self.renderer.GetActiveCamera()
        eye = camera.eye
        seen.SetFocalPoint(*camera.target)
        seen.SetPosition(*eye)
        seen.SetViewUp(*camera.axes[1])
        seen.SetViewAngle(camera.field)
        reach = self._reach(eye)
        seen.SetClippingRange(*reach)
        return reach

    def _reach(self, eye: Float[np.ndarray, "3"]) -> tuple[float, float]:
        if self.session is None:
            return 0.01, 10.0
        low, high = self._box
        middle, half = (low + high) / 2, float(np.linalg.norm(high - low)) * (1.0 if self.plane_shown else 0.75)
        away = float(np.linalg.norm(eye - middle))
        return max(away - half, 0.004 * half), away + half

    def measure(self) -> None:
        """Find the box around the head again, after it has grown."""
        if self.session is not None:
            points = self.session.positions
            self._box = points.min(axis=0).astype(np.float64), points.max(axis=0).astype(np.float64)

    def _connect(self) -> None:
        """Give VTK the arrays of the session, copied at seams where a texture is drawn."""
        from vtkmodules.vtkCommonCore import vtkPoints
        from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData

        session = self.session
        if session is None:
            return
        self.measure()
        positions, normals, faces, uv = session.positions, session.normals, session.surface.faces, None
        self._source = None
        if self.shading == "texture":
            faces, uv, self._source = seams(session.base)
            positions, normals = positions[self._source], normals[self._source]
        arrays: dict[str, Any] = {"positions": session.positions, "points": positions, "normals": normals}
        arrays["vtk points"], arrays["vtk normals"] = shared(positions), shared(normals)
        data, points, cells = vtkPolyData(), vtkPoints(), vtkCellArray()
        points.SetData(arrays["vtk points"])
        data.SetPoints(points)
        flat = np.ascontiguousarray(faces, dtype=np.int32).ravel()
        arrays["flat"] = flat
        cells.SetData(3, shared(flat))
        data.SetPolys(cells)
        data.GetPointData().SetNormals(arrays["vtk normals"])
        if uv is not None:
            arrays["uv"] = np.ascontiguousarray(uv, dtype=np.float32)
            data.GetPointData().SetTCoords(shared(arrays["uv"]))
        arrays["data"] = data
        self._arrays, self._colors = arrays, None
        self.mapper.SetInputData(data)
        self._dress()
        self._color(None)

    def _dress(self) -> None:
        """Light and material of the shading."""
        shape, shader = self.actor.GetProperty(), self.actor.GetShaderProperty()
        shader.ClearAllFragmentShaderReplacements()
        shape.SetInterpolationToPhong()
        shape.SetColor(*rgb(look.SKIN))
        shape.SetAmbient(0.14)
        shape.SetDiffuse(0.88)
        shape.SetSpecular(0.12)
        shape.SetSpecularPower(24)
        self.actor.SetTexture(None)  # type: ignore[arg-type]
        if self.shading == "texture":
            shape.SetColor(1, 1, 1)
            shape.SetAmbient(0.45)
            shape.SetDiffuse(0.55)
            shape.SetSpecular(0.03)
            self._texture = self._texture or texture_of(self.session)
            self.actor.SetTexture(self._texture)
        elif self.shading == "heat":
            shape.SetAmbient(0.35)
            shape.SetDiffuse(0.65)
            shape.SetSpecular(0.0)
        elif self.shading == "matcap":
            shade = "dot(diffuseColor, vec3(0.3333)) / 0.692" if self._masked else "1.0"
            light = f"//VTK::Light::Impl\n  float shade = {shade};\n{_MATCAP}"
            shader.AddFragmentShaderReplacement("//VTK::Light::Impl", True, light, False)

    @property
    def _masked(self) -> bool:
        return self.session is not None and bool(self.session.mask.any())

    def _color(self, indices: Shaped[np.ndarray, " k"] | None) -> None:
        """Fill the colours per vertex: displacement, or skin with the mask; none where nothing asks for them."""
        session = self.session
        if session is None:
            return
        heat = self.shading == "heat"
        if not heat and not self._masked:
            if self._colors is not None:
                self._colors = None
                self._arrays.pop("vtk colors", None)
                self._arrays["data"].GetPointData().SetScalars(None)
                self._dress()
            self.mapper.ScalarVisibilityOff()
            return
        fresh = self._colors is None
        if fresh:
            self._colors = np.empty((len(self._arrays["points"]), 3), dtype=np.uint8)
            self._arrays["vtk colors"] = shared(self._colors)
            self._arrays["data"].GetPointData().SetScalars(self._arrays["vtk colors"])
            self.mapper.ScalarVisibilityOn()
            self.mapper.SetColorModeToDirectScalars()
            self._dress()
        assert self._colors is not None
        if heat:
            moved = np.linalg.norm(session.positions - self._base(), axis=1)
            peak = nice_ceiling(float(moved.max()))
            everything = fresh or indices is None or peak != self.scale or self._source is not None
            self.scale = peak
        else:
            moved, everything = np.empty(0), True
        where: Any = slice(None) if everything or indices is None else indices
        self._fill(where, moved)

    def _base(self) -> Float[np.ndarray, "n 3"]:
        if "base" not in self._arrays:
            assert self.session is not None
            self._arrays["base"] = self.session.base.vertices.numpy().astype(np.float32)
        base: Float[np.ndarray, "n 3"] = self._arrays["base"]
        return base

    def _fill(self, where: Any, moved: Shaped[np.ndarray, " n"]) -> None:
        assert self.session is not None
        assert self._colors is not None
        mask = self.session.mask[where][:, None]
        if self.shading == "heat":
            place = np.clip(moved[where] / max(self.scale, 1e-12) * 255, 0, 255).astype(np.intp)
            plain = look.sequential()[place].astype(np.float32)
        elif self.shading == "texture":
            plain = np.full((1, 3), 255, dtype=np.float32)
        else:
            plain = np.array(rgb(look.SKIN), dtype=np.float32)[None] * 255
        colors = np.asarray(plain + 0.75 * mask * (_MASK - plain), dtype=np.uint8)
        if self._source is not None:
            np.take(np.broadcast_to(colors, (len(self.session.mask), 3)), self._source, axis=0, out=self._colors)
        else:
            self._colors[where] = colors

    def _make_plane(self) -> Any:
        from vtkmodules.vtkFiltersSources import vtkPlaneSource
        from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper

        self._plane_source = vtkPlaneSource()
        mapper, actor = vtkPolyDataMapper(), vtkActor()
        mapper.SetInputConnection(self._plane_source.GetOutputPort())
        actor.SetMapper(mapper)
        shape = actor.GetProperty()
        shape.SetOpacity(0.22)
        shape.LightingOff()
        actor.SetVisibility(False)
        self.renderer.AddActor(actor)
        return actor

    def _place_plane(self, low: Shaped[np.ndarray, "3"], high: Shaped[np.ndarray, "3"]) -> None:
        margin = 0.12 * float((high - low).max())
        y, z = (float(low[1]) - margin, float(high[1]) + margin), (float(low[2]) - margin, float(high[2]) + margin)
        self._plane_source.SetOrigin(0, y[0], z[0])
        self._plane_source.SetPoint1(0, y[1], z[0])
        self._plane_source.SetPoint2(0, y[0], z[1])

    def _light(self) -> None:
        from vtkmodules.vtkRenderingCore import vtkLight

        self.renderer.RemoveAllLights()
        self.renderer.AutomaticLightCreationOff()
        for place, strength in (((-0.5, 0.65, 1.0), 0.72), ((0.9, 0.15, 0.5), 0.42), ((0.0, -0.8, 0.4), 0.16)):
            light = vtkLight()
            light.SetLightTypeToCameraLight()
            light.SetPosition(*place)
            light.SetFocalPoint(0, 0, 0)
            light.SetIntensity(strength)
            self.renderer.AddLight(light)


def shared(array: Shaped[np.ndarray, "..."]) -> Any:
    """An array for VTK without a copy; VTK keeps it alive."""
    from vtkmodules.util.numpy_support import numpy_to_vtk

    return numpy_to_vtk(array)  # type: ignore[no-untyped-call]


def rgb(color: str) -> tuple[float, float, float]:
    """A colour like ``"#d9a58b"`` as three numbers in [0, 1], in sRGB as VTK takes them."""
    return int(color[1:3], 16) / 255, int(color[3:5], 16) / 255, int(color[5:7], 16) / 255


def nice_ceiling(value: float) -> float:
    """The next of 1, 2, 5 times a power of ten, so that the heat map's scale seldom changes; at least 1 mm."""
    value = max(value, 1e-3)
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(step * power for step in (1.0, 2.0, 5.0, 10.0) if value <= step * power * (1 + 1e-9)))


def seams(base: Any) -> tuple[Shaped[np.ndarray, "m 3"], Shaped[np.ndarray, "v 2"], Shaped[np.ndarray, " v"]]:
    """Faces, texture coordinates and the vertex of each corner, where vertices at seams are there once per side."""
    from dataclasses import replace

    from headviz.geometry.seams import copy_at_seams

    plain = replace(base, morphs={}, mirror=None)
    copied, source = copy_at_seams(plain)
    assert copied.uv is not None
    return copied.faces.numpy().astype(np.int32), copied.uv.numpy(), source.numpy()


def texture_of(session: Any) -> Any:
    """The base's texture for VTK, 8-bit sRGB."""
    import torch
    from vtkmodules.vtkCommonDataModel import vtkImageData
    from vtkmodules.vtkRenderingCore import vtkTexture

    from headviz.geometry.color import linear_to_srgb

    with torch.no_grad():
        eight = (linear_to_srgb(session.base.texture.clamp(0, 1)) * 255).round().to(torch.uint8).numpy()
    height, width = eight.shape[:2]
    image = vtkImageData()
    image.SetDimensions(width, height, 1)
    image.GetPointData().SetScalars(shared(np.ascontiguousarray(eight[::-1]).reshape(-1, 3)))
    made = vtkTexture()
    made.SetInputData(image)
    made.InterpolateOn()
    made.MipmapOn()
    return made
