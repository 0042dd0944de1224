"""Viewers in a window of the desktop, by pyvista: for those who work without a browser."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from headviz.errors import HeadvizError, MissingExtraError
from headviz.viewers import look
from headviz.viewers.viewer import Viewer
from headviz.viewers.window_scenes import scene_of

SIZE = (1024, 768)  #: pixels
_STEP_KEYS = "left and right arrow, Home, End: step"
_VIEW_KEYS = "F, L, R, T: view from the front, left, right, top"
_PITCHES = {"f": (0.0, 0.0), "l": (90.0, 0.0), "r": (-90.0, 0.0), "t": (0.0, 80.0)}
_LETTERS = 92  # of the caption in a row
_INK = look.INK


class Window:
    """One viewer in one window. What is shown is :attr:`viewer`; :meth:`go` takes it to another step.

    Args:
        viewer: any viewer; flat ones are shown as their pictures.
        off_screen: whether it is drawn without a window, for pictures of it.

    Raises:
        MissingExtraError: pyvista is not installed.
    """

    def __init__(self, viewer: Viewer, *, off_screen: bool = False) -> None:
        try:
            from pyvista import Plotter
        except ImportError:
            raise MissingExtraError("pyvista", "desktop") from None
        self.viewer = viewer
        self.scene = scene_of(viewer)
        title = f"{viewer.title or viewer.kind} – headviz"
        plotter: Any = Plotter
        self.plotter = plotter(off_screen=off_screen, window_size=list(SIZE), title=title)
        self.plotter.set_background(look.PAPER)
        self.plotter.enable_anti_aliasing("ssaa" if off_screen else "msaa")
        self.slider: Any = None
        self._draw()
        if self.scene.flat:
            self._look_at_picture()
        else:
            self.look_from(*self.scene.home)
        self._add_slider()
        self._add_keys()

    def go(self, step: float) -> None:
        """Go to a step, the nearest that there is."""
        wanted = int(min(max(0, self.viewer.steps - 1), max(0, round(step))))
        if wanted != self.viewer.state.step:
            self.viewer = self.viewer.at(step=wanted)
            self._draw()
        if self.slider is not None:
            self.slider.GetRepresentation().SetValue(wanted)
        self.plotter.render()

    def look_from(self, yaw: float, pitch: float) -> None:
        """Turn the camera around what is shown: yaw from the head's left if positive, pitch from above; degrees."""
        low, high = (np.asarray(corner, dtype=float) for corner in self.scene.box(self.viewer))
        across, up = np.radians([yaw, pitch])
        away = np.array([np.sin(across) * np.cos(up), np.sin(up), np.cos(across) * np.cos(up)])
        camera = self.plotter.camera
        camera.view_angle = 20.0
        size = float(np.linalg.norm(high - low))
        middle = (low + high) / 2 - np.array([0.0, 0.08 * size, 0.0])  # above slider and caption
        camera.focal_point = middle
        camera.position = middle + 3.3 * size * away
        camera.up = (0.0, 1.0, 0.0)
        self.plotter.reset_camera_clipping_range()
        self.plotter.render()

    def _look_at_picture(self) -> None:
        """A flat picture as wide as the window, above slider and caption."""
        self.plotter.enable_image_style()
        self.plotter.enable_parallel_projection()
        self.plotter.view_xy()
        self.plotter.camera.focal_point = (0.0, -0.05, 0.0)
        self.plotter.camera.position = (0.0, -0.05, 2.0)
        self.plotter.camera.parallel_scale = 0.51 * SIZE[1] / SIZE[0]

    @property
    def keys(self) -> str:
        """What can be typed."""
        known = [_STEP_KEYS] * (self.viewer.steps > 1) + [_VIEW_KEYS] * (not self.scene.flat) + ["Q: close"]
        return f"Keys: {'; '.join(known)}."

    @property
    def caption(self) -> str:
        """The sentence under the picture."""
        return self.viewer.caption

    def screenshot(self, path: Path | str | None = None) -> UInt8[np.ndarray, "h w 3"]:
        """What is shown, 8-bit RGB; also written to a file where one is named."""
        self.plotter.render()
        picture: UInt8[np.ndarray, "h w 3"] = np.asarray(
            self.plotter.screenshot(None if path is None else str(path), return_img=True)
        )[..., :3]
        return picture

    def show(self) -> None:
        """Open the window, until a person closes it.

        Raises:
            HeadvizError: no window can be opened here; the message says what to do.
        """
        self.plotter.show()

    def close(self) -> None:
        """Close the window and free what it holds."""
        self.plotter.close()
        self.plotter.deep_clean()

    def _draw(self) -> None:
        self.scene.draw(self.plotter, self.viewer)
        lines = textwrap.wrap(self.viewer.caption, _LETTERS)
        self.plotter.add_text(
            plain("\n".join(lines)), position=(24, 14), font_size=10, color=_INK, name="caption", render=False
        )
        self.plotter.add_text(
            self.keys, position=(24, SIZE[1] - 26), font_size=8, color=look.SOFT, name="keys", render=False
        )

    def _add_slider(self) -> None:
        if self.viewer.steps < 2:
            return
        self.slider = self.plotter.add_slider_widget(
            self.go, (0, self.viewer.steps - 1), value=self.viewer.state.step, title="", fmt="%.0f",
            pointa=(0.03, 0.155), pointb=(0.97, 0.155), style="modern", color=_INK, interaction_event="always",
            title_height=0.02, slider_width=0.018, tube_width=0.004,
        )  # fmt: skip
        shape = self.slider.GetRepresentation()
        for part, color in ((shape.GetSliderProperty(), look.INSIDE), (shape.GetSelectedProperty(), look.CURRENT),
                            (shape.GetTubeProperty(), look.MISSED), (shape.GetCapProperty(), look.MISSED)):  # fmt: skip
            part.SetColor(*(int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)))

    def _add_keys(self) -> None:
        interactor: Any = getattr(self.plotter, "iren", None)
        if interactor is None:
            return
        interactor.interactor.RemoveObservers("CharEvent")  # VTK's own keys mean other things
        for key, change in (("Left", -1), ("Right", 1)):
            self.plotter.add_key_event(key, lambda by=change: self.go(self.viewer.state.step + by))
        self.plotter.add_key_event("Home", lambda: self.go(0))
        self.plotter.add_key_event("End", lambda: self.go(self.viewer.steps - 1))
        for key in ("q", "Escape"):
            self.plotter.add_key_event(key, self.plotter.close)
        if not self.scene.flat:
            for key, (yaw, pitch) in _PITCHES.items():
                self.plotter.add_key_event(key, lambda a=yaw, b=pitch: self.look_from(a, b))


def plain(text: str) -> str:
    """Text for VTK, whose own font lacks some signs."""
    for sign, instead in (("−", "-"), ("≤", "<="), ("≥", ">="), ("∞", "infinity"), ("→", "->"), ("…", "...")):
        text = text.replace(sign, instead)
    return text


def show_window(viewer: Viewer) -> Viewer:
    """Show a viewer in a window until a person closes it.

    Returns:
        The viewer as it was left.

    Raises:
        MissingExtraError: pyvista is not installed.
        HeadvizError: there is no display to open a window on.
    """
    import os
    import sys

    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise HeadvizError("there is no display to open a window on; write a page instead: headviz view … --html FILE")
    window = Window(viewer)
    try:
        window.show()
    finally:
        window.close()
    return replace(window.viewer)
