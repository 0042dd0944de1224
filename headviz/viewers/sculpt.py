"""A head that can be sculpted in a notebook and on a page, with the same session as everywhere else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from headviz.errors import OptionError
from headviz.geometry.color import from_uint8
from headviz.geometry.mesh import Mesh
from headviz.geometry.rbf import KERNELS
from headviz.sculpt import FALLOFFS, TOOLS, SculptSession
from headviz.viewers import look
from headviz.viewers.sculpt_record import LiveRecord, has_colors, session_of, vertex_colors
from headviz.viewers.sculpt_words import caption_of, numbers_of
from headviz.viewers.viewer import State, Viewer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: What a hand can do on the picture: the brushes, and placing or dragging keypoints.
HANDS = (*TOOLS, "keypoint")
#: How the surface is coloured: skin, the head's own texture or colours, or its distance from the base.
SURFACES = ("skin", "texture", "distance")
_RADIUS = 0.12  # of the head's size


@dataclass(frozen=True)
class SculptState(State):
    """What is in the hand, and how the head is shown. What was done to it is in the session, not here.

    Attributes:
        tool: one of ``HANDS``.
        radius: of the brush, metres; a new keypoint reaches about as far.
        strength: 1 is the tool's usual amount.
        falloff: one of ``headviz.sculpt.FALLOFFS``.
        symmetric: whether the other side follows.
        kernel: of new keypoints, one of ``headviz.geometry.rbf.KERNELS``.
        surface: one of ``SURFACES``; ``texture`` is skin where the base has neither texture nor colours.
        wireframe: whether the edges are drawn instead of the surface.
        keypoint: which one is chosen, from 0.
    """

    tool: str = "grab"
    radius: float = 0.03
    strength: float = 1.0
    falloff: str = "smooth"
    symmetric: bool = True
    kernel: str = "gaussian"
    surface: str = "skin"
    wireframe: bool = False
    keypoint: int | None = None


@dataclass(frozen=True, eq=False)
class SculptViewer(Viewer):
    """A sculpting session that can be seen and gone on with. The viewer does not change; the session does."""

    kind: ClassVar[str] = "sculpt"
    state_type: ClassVar[type[State]] = SculptState
    requires: ClassVar[tuple[str, ...]] = ("vertices", "faces")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.record, LiveRecord):  # of a file: its steps are done again, and others may follow
            object.__setattr__(self, "record", LiveRecord(session_of(self.record)))
        state = self.state
        assert isinstance(state, SculptState)
        for name, known in (("tool", HANDS), ("falloff", FALLOFFS), ("kernel", KERNELS), ("surface", SURFACES)):
            if getattr(state, name) not in known:
                raise OptionError(f"{name} should be one of {', '.join(known)}; it is {getattr(state, name)!r}")
        if not (state.radius > 0 and 0 <= state.strength <= 4):
            raise OptionError(
                f"a brush should have a positive radius and a strength from 0 to 4; they are {state.radius} m and "
                f"{state.strength}"
            )

    @property
    def session(self) -> SculptSession:
        """The session: the one that the viewer was made of, or one made of the steps of an opened record."""
        assert isinstance(self.record, LiveRecord)
        return self.record.session

    @property
    def numbers(self) -> dict[str, Any]:
        """How many steps, vertices and keypoints there are, how far the farthest vertex went, and the residual."""
        return numbers_of(self.session)

    @property
    def caption(self) -> str:
        """Where the session is."""
        return caption_of(self.session)

    def widget(self) -> Any:
        """A live widget: strokes made in the browser are steps of the session, and the session's steps appear there.

        Raises:
            MissingExtraError: anywidget is not installed.
        """
        from headviz.viewers.sculpt_widget import sculpt_widget_type

        return sculpt_widget_type()(self)

    def draw(self, figure: Figure) -> None:
        """The head from the front and from its left, coloured as ``surface`` says."""
        from headviz.viewers.surfaces import draw_surface

        assert isinstance(self.state, SculptState)
        session, heat, colors = self.session, self.state.surface == "distance", None
        away = np.linalg.norm(session.positions - session.surface.rest, axis=1)
        most = max(float(away.max()), 1e-6 * session.surface.size)
        if heat:
            scale = look.sequential()
            steps = np.rint(away / most * (len(scale) - 1)).astype(int)
            colors = from_uint8(scale[steps][None]).numpy()[0]
        elif self.state.surface == "texture":
            colors = vertex_colors(session.base)
        places = []
        for place, (yaw, name) in enumerate(((0.0, "front"), (90.0, "left"))):
            axes = figure.add_subplot(1, 2, place + 1)
            draw_surface(axes, session.positions, session.surface.faces, yaw=yaw, colors=colors)
            axes.set_title(name)
            places.append(axes)
        if heat:
            from matplotlib.cm import ScalarMappable
            from matplotlib.colors import ListedColormap, Normalize

            scale_map = ScalarMappable(Normalize(0, 1000 * most), ListedColormap(look.sequential() / 255))
            figure.colorbar(scale_map, ax=places, label="distance from the base (mm)", shrink=0.8)


def view_sculpt(session: SculptSession | Mesh, *, title: str = "") -> SculptViewer:
    """A viewer in which a head can be sculpted.

    The widget of a notebook and the session are one: what is drawn in the browser are steps of the session, and steps
    that Python does appear at once. A page goes on from the steps so far, without Python.

    Args:
        session: what to sculpt; a mesh begins a new session, whose sliders are the mesh's morphs.
        title: what it is.

    Returns:
        The viewer; its ``session`` is the session.

    Raises:
        MeshError: the mesh cannot be sculpted; the message says why.
    """
    held = session if isinstance(session, SculptSession) else SculptSession(session)
    radius = float(f"{_RADIUS * held.surface.size:.3g}")
    surface = "texture" if has_colors(held.base) else "skin"
    return SculptViewer(LiveRecord(held), SculptState(radius=radius, surface=surface), title)
