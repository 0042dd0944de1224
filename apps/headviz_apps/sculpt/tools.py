"""The bar of tools on the left, and the bar of the brush above the canvas."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QVBoxLayout

from headviz.geometry.rbf import KERNELS
from headviz.sculpt import FALLOFFS
from headviz_apps.sculpt.look import GRID, Theme
from headviz_apps.sculpt.scene import SHADINGS
from headviz_apps.sculpt.widgets import Choice, IconButton, NumberSlider, caption, quietly
from headviz_apps.sculpt.workspace import TOOLS, Workspace

WORDS = {
    "grab": "Grab: drag the surface along",
    "inflate": "Inflate: push it out; Ctrl pulls it in",
    "smooth": "Smooth: even it out; Ctrl sharpens",
    "flatten": "Flatten: press it onto a plane",
    "pinch": "Pinch: draw it together; Ctrl spreads",
    "mask": "Mask: what is masked stays; Ctrl unmasks",
    "keypoint": "Keypoint: place and drag warps of the whole shape",
}
SHADING_WORDS = {"skin": "Skin", "matcap": "Clay", "texture": "Texture", "heat": "Displacement"}


class ToolBar(QFrame):
    """One button per tool, symmetry, undo and redo."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self.setObjectName("tools")
        self.workspace = workspace
        self.setFixedWidth(56)
        column = QVBoxLayout(self)
        column.setContentsMargins(GRID, GRID, GRID, GRID)
        column.setSpacing(4)
        self.group = QButtonGroup(self)
        self.buttons: dict[str, IconButton] = {}
        for number, tool in enumerate(TOOLS, start=1):
            button = IconButton(tool, f"{WORDS[tool]} ({number})", checkable=True, size=40)
            button.clicked.connect(lambda _=False, name=tool: workspace.choose_tool(name))
            self.group.addButton(button)
            self.buttons[tool] = button
            if tool == "keypoint":
                column.addSpacing(GRID)
            column.addWidget(button)
        column.addSpacing(2 * GRID)
        self.symmetry = IconButton("symmetry", "Symmetry: the other side follows (X)", checkable=True, size=40)
        self.symmetry.clicked.connect(lambda on: workspace.set_brush(symmetric=on))
        column.addWidget(self.symmetry)
        column.addStretch(1)
        self.undo = IconButton("undo", "Undo (Ctrl+Z)", size=40)
        self.redo = IconButton("redo", "Redo (Ctrl+Shift+Z)", size=40)
        self.undo.clicked.connect(workspace.undo)
        self.redo.clicked.connect(workspace.redo)
        column.addWidget(self.undo)
        column.addWidget(self.redo)
        workspace.brush_changed.connect(self.refresh)
        workspace.opened.connect(self.refresh)
        workspace.changed.connect(lambda _: self._steps())
        self.refresh()

    def restyle(self, theme: Theme) -> None:
        """Draw the icons in the theme's colours."""
        for button in (*self.buttons.values(), self.symmetry, self.undo, self.redo):
            button.restyle(theme)

    def refresh(self) -> None:
        """Show the tool and the brush as they are."""
        self.buttons[self.workspace.tool].setChecked(True)
        self.symmetry.setChecked(self.workspace.brush.symmetric)
        self._steps()

    def _steps(self) -> None:
        session = self.workspace.session
        self.undo.setEnabled(session.can_undo)
        self.redo.setEnabled(session.can_redo)


class BrushBar(QFrame):
    """Radius, strength and falloff of the brush, or radius and kernel of a keypoint; right, how to look at it."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self.setObjectName("brushbar")
        self.workspace = workspace
        self.setFixedHeight(48)
        row = QHBoxLayout(self)
        row.setContentsMargins(2 * GRID, 0, 2 * GRID, 0)
        row.setSpacing(GRID)
        self.title = caption("", "title")
        self.title.setMinimumWidth(72)
        row.addWidget(self.title)
        self.radius = NumberSlider(1.0, 200.0, decimals=1, suffix=" mm", logarithmic=True, wide=84)
        self.radius.name("Radius", "Radius of the brush (F, then move the mouse; [ and ])")
        self.strength = NumberSlider(0.0, 2.0, wide=52)
        self.strength.name("Strength", "Strength of the brush (Shift+F, then move the mouse)")
        self.falloff, self.kernel = _combo("Falloff", FALLOFFS), _combo("Kernel", KERNELS)
        self.falloff.setToolTip("How the brush fades from its centre to its edge")
        self.kernel.setToolTip("How a new keypoint's warp fades with the distance on the head at rest")
        self._parts = {
            "radius": (caption("Radius"), self.radius),
            "strength": (caption("Strength"), self.strength),
            "falloff": (caption("Falloff"), self.falloff),
            "kernel": (caption("Kernel"), self.kernel),
        }
        for name, (label, widget) in self._parts.items():
            row.addSpacing(GRID)
            row.addWidget(label)
            row.addWidget(widget, 1 if name in ("radius", "strength") else 0)
        row.addStretch(1)
        self._add_view(row)
        self.radius.moved.connect(lambda value: workspace.set_brush(radius=value / 1000))
        self.strength.moved.connect(lambda value: workspace.set_brush(strength=value))
        self.falloff.currentTextChanged.connect(lambda text: workspace.set_brush(falloff=text))
        self.kernel.currentIndexChanged.connect(self._kernel)
        workspace.brush_changed.connect(self.refresh)
        workspace.view_changed.connect(self.refresh)
        workspace.opened.connect(self.refresh)
        self.refresh()

    def _add_view(self, row: QHBoxLayout) -> None:
        self.shading = Choice("Shading")
        self.shading.setToolTip("What the surface shows: skin, clay, texture, or how far it was displaced")
        for name in SHADINGS:
            self.shading.addItem(SHADING_WORDS[name], name)
        self.wireframe = IconButton("wireframe", "Wireframe (W)", checkable=True)
        self.plane = IconButton("plane", "Plane of symmetry (P)", checkable=True)
        self.shading.currentIndexChanged.connect(
            lambda index: self.workspace.set_view(shading=self.shading.itemData(index))
        )
        self.wireframe.clicked.connect(lambda on: self.workspace.set_view(wireframe=on))
        self.plane.clicked.connect(lambda on: self.workspace.set_view(plane=on))
        row.addWidget(self.shading)
        row.addWidget(self.wireframe)
        row.addWidget(self.plane)

    def restyle(self, theme: Theme) -> None:
        """Draw the icons in the theme's colours."""
        self.wireframe.restyle(theme)
        self.plane.restyle(theme)

    def refresh(self) -> None:
        """Show brush and view as they are."""
        workspace = self.workspace
        keypoint, brush, view = workspace.tool == "keypoint", workspace.brush, workspace.view
        self.title.setText(workspace.tool.capitalize())
        size = 1000 * float(workspace.session.surface.size)
        self.radius.set_range(0.004 * size, 0.75 * size)
        self.radius.set_value(1000 * brush.radius)
        self.strength.set_value(brush.strength)
        quietly(self.falloff, lambda: self.falloff.setCurrentText(brush.falloff))
        for name, (label, widget) in self._parts.items():
            shown = name == "radius" or (name == "kernel") == keypoint
            label.setVisible(shown)
            widget.setVisible(shown)
        quietly(self.shading, lambda: self.shading.setCurrentIndex(SHADINGS.index(view.shading)))
        has = workspace.session.base.texture is not None and workspace.session.base.uv is not None
        item = self.shading.model().index(SHADINGS.index("texture"), 0)
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable if has else Qt.ItemFlag.NoItemFlags
        self.shading.model().itemFromIndex(item).setFlags(flags)  # type: ignore[attr-defined]
        self.wireframe.setChecked(view.wireframe)
        self.plane.setChecked(view.plane)

    def _kernel(self) -> None:
        self.workspace.kernel = self.kernel.currentData()


def _combo(name: str, choices: tuple[str, ...]) -> Choice:
    made = Choice(name)
    for choice in choices:
        made.addItem(choice.replace("_", " "), choice)
    return made
