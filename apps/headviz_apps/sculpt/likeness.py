"""Make like this face: a photograph's identity, and its texture where that is wanted, on the head being sculpted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QMessageBox

from headviz.errors import HeadvizError
from headviz.heads.sculptable import group_of, identity_weights
from headviz.models.reconstruction import Reconstruction
from headviz.sculpt import SculptSession, SetSliders
from headviz_apps.sculpt import dialogs
from headviz_apps.sculpt.opening import from_reconstruction, reconstructed, session_of

if TYPE_CHECKING:
    from headviz_apps.sculpt.window import SculptWindow


def has_identity(session: SculptSession) -> bool:
    """Whether the base has the parametric head's identity as sliders."""
    return sum(group_of(name) == "identity" for name in session.sliders) > 1


def step_for(session: SculptSession, made: Reconstruction) -> SetSliders:
    """The identity sliders that make the base, without its other sliders, like the head of a reconstruction."""
    return SetSliders(identity_weights(made.mesh.vertices, base=session.base.vertices))


def make_like(window: SculptWindow, path: Path) -> None:
    """Reconstruct the head of a photograph in a thread, then set the sliders or ask what to do without them."""
    window.documents.run(
        f"Making a head of {path.name}",
        lambda progress: reconstructed(path, progress),
        lambda made: take(window, path, made),
    )


def take(window: SculptWindow, path: Path, made: Reconstruction) -> None:
    """Set the identity sliders, as one step, or sculpt the photograph's head itself, with its texture."""
    session = window.workspace.session
    likable = has_identity(session) and session.base.vertices.shape == made.mesh.vertices.shape
    box = QMessageBox(window)
    box.setWindowTitle("Make like this face")
    box.setText(f"A head was made of “{path.name}”.")
    box.setInformativeText(
        "Set the identity of the head on the canvas to it, or sculpt the photograph's own head with its texture."
        if likable
        else "The mesh on the canvas has no identity sliders; sculpt the photograph's own head with its texture."
    )
    sliders = box.addButton("Set identity", QMessageBox.ButtonRole.AcceptRole) if likable else None
    head = box.addButton("Sculpt that head", QMessageBox.ButtonRole.ActionRole)
    cancel = box.addButton("Cancel", QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(sliders or head)
    box.setEscapeButton(cancel)
    box.exec()
    if sliders is not None and box.clickedButton() is sliders:
        if window.workspace.apply(step_for(session, made)):
            window.say(f"Identity set to the face in {path.name}; undo takes it back")
    elif box.clickedButton() is head and window.documents.may_leave():
        try:
            window.documents.show(session_of(replace(from_reconstruction(made, path.stem))))
        except HeadvizError as error:
            dialogs.tell(window, "That head cannot be sculpted", str(error))
            return
        window.workspace.set_view(shading="texture")
