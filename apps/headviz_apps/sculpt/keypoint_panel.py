"""The panel of keypoints: a list, and the values of the chosen one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from headviz.geometry.rbf import KERNELS, alpha_of_radius
from headviz.sculpt import Keypoint
from headviz_apps.sculpt.look import GRID
from headviz_apps.sculpt.widgets import Choice, NoWheel, caption, quietly
from headviz_apps.sculpt.workspace import Workspace

_MILLI = 1000.0
EMPTY = (
    "A keypoint carries a warp: drag it, and the surface around it follows on both sides.\n\n"
    "Choose the keypoint tool (7), click on the head and drag."
)


class KeypointPanel(QWidget):
    """All keypoints, and fields for position, vector, kernel, α and strength of the chosen one."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self.workspace = workspace
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, GRID)
        column.setSpacing(GRID)
        self.empty = QLabel(EMPTY)
        self.empty.setWordWrap(True)
        self.empty.setProperty("role", "soft")
        self.list = QListWidget()
        self.list.setAccessibleName("Keypoints")
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.setMinimumHeight(72)
        self.exact = QCheckBox("Exact (interpolating)")
        self.exact.setToolTip(
            "Solves for vectors that move every keypoint by exactly its own; otherwise the warps are added up (blended)"
        )
        self._filter = NoWheel(self)
        self.form = self._make_form()
        for widget, stretch in ((self.empty, 0), (self.list, 1), (self.exact, 0), (self.form, 0)):
            column.addWidget(widget, stretch)
        column.addStretch(0)
        self.list.currentRowChanged.connect(lambda row: workspace.choose(row if row >= 0 else None))
        self.exact.clicked.connect(self._set_exact)
        workspace.opened.connect(self.refresh)
        workspace.changed.connect(lambda _: self.refresh())
        workspace.chosen.connect(self.refresh)
        self.refresh()

    def _make_form(self) -> QWidget:
        form = QWidget()
        grid = QGridLayout(form)
        grid.setContentsMargins(0, GRID, 0, 0)
        grid.setHorizontalSpacing(4)
        grid.setVerticalSpacing(GRID)
        for axis in (1, 2, 3):
            grid.setColumnStretch(axis, 1)
        self.position = self._triple(grid, 0, "Position", "mm", self._edit_position, "Place on the head at rest")
        self.vector = self._triple(grid, 1, "Vector", "mm", self._edit_vector, "Where the warp carries it")
        self.kernel = Choice("Kernel of the keypoint")
        for name in KERNELS:
            self.kernel.addItem(name.replace("_", " "), name)
        grid.addWidget(caption("Kernel"), 2, 0)
        grid.addWidget(self.kernel, 2, 1, 1, 3)
        self.alpha = self._number(0.0001, 1e9, 4, "Shape parameter α of the kernel; a larger one reaches less far")
        self.alpha.setAccessibleName("Alpha")
        self.strength = self._number(-10, 10, 2, "Factor on the vector")
        self.strength.setAccessibleName("Strength of the keypoint")
        grid.addWidget(caption("α"), 3, 0)
        grid.addWidget(self.alpha, 3, 1)
        grid.addWidget(caption("Strength"), 3, 2, Qt.AlignmentFlag.AlignRight)
        grid.addWidget(self.strength, 3, 3)
        self.symmetric = QCheckBox("Mirror twin")
        self.symmetric.setToolTip("A keypoint and its twin across the plane of symmetry form one handle")
        self.remove = QPushButton("Remove")
        self.remove.setToolTip("Remove the chosen keypoint and what it has moved (Del)")
        row = QHBoxLayout()
        row.addWidget(self.symmetric)
        row.addStretch(1)
        row.addWidget(self.remove)
        grid.addLayout(row, 4, 0, 1, 4)
        self.kernel.currentIndexChanged.connect(self._edit_kernel)
        self.alpha.valueChanged.connect(lambda value: self._edit(alpha=value))
        self.strength.valueChanged.connect(lambda value: self._edit(strength=value))
        self.symmetric.clicked.connect(lambda on: self._edit(symmetric=on))
        self.remove.clicked.connect(self.remove_chosen)
        return form

    def _triple(
        self, grid: QGridLayout, row: int, name: str, unit: str, edit: Callable[[int, float], None], tip: str
    ) -> list[QDoubleSpinBox]:
        grid.addWidget(caption(name), row, 0)
        fields = []
        for column, axis in enumerate("xyz"):
            field = self._number(-1e6, 1e6, 1, f"{tip}: {axis}, {unit}")
            field.setAccessibleName(f"{name} {axis}")
            field.setPrefix(f"{axis} ")
            field.valueChanged.connect(lambda value, k=column: edit(k, value))
            grid.addWidget(field, row, column + 1)
            fields.append(field)
        return fields

    def _number(self, low: float, high: float, decimals: int, tip: str) -> QDoubleSpinBox:
        field = QDoubleSpinBox()
        field.setRange(low, high)
        field.setDecimals(decimals)
        field.setKeyboardTracking(False)
        field.setMinimumWidth(48)
        field.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        field.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        field.lineEdit().setTextMargins(4, 0, 0, 0)
        field.setToolTip(tip)
        field.installEventFilter(self._filter)
        return field

    # -- showing

    def refresh(self) -> None:
        """Show the keypoints as they are; cheap, for it runs with every change."""
        session, live = self.workspace.session, self.workspace.session.live
        points = getattr(live.step, "keypoints", session.keypoints) if live is not None else session.keypoints
        for widget in (self.list, self.exact, self.form):
            widget.setVisible(bool(points))
        self.empty.setVisible(not points)
        quietly(self.list, lambda: self._fill(points))
        quietly(self.exact, lambda: self.exact.setChecked(session.exact))
        choice = self.workspace.choice
        self.form.setEnabled(choice is not None)
        if choice is not None and choice < len(points):
            self._show(points[choice])

    def _fill(self, points: tuple[Keypoint, ...]) -> None:
        while self.list.count() > len(points):
            self.list.takeItem(self.list.count() - 1)
        for row, point in enumerate(points):
            text = words(row, point)
            if row >= self.list.count():
                self.list.addItem(text)
            elif self.list.item(row).text() != text:
                self.list.item(row).setText(text)
        choice = self.workspace.choice
        self.list.setCurrentRow(-1 if choice is None else choice)

    def _show(self, point: Keypoint) -> None:
        scaled = [(self.position, point.position), (self.vector, point.vector)]
        for fields, values in scaled:
            for field, value in zip(fields, values, strict=True):
                show(field, _MILLI * value)
        quietly(self.kernel, lambda: self.kernel.setCurrentIndex(KERNELS.index(point.kernel)))
        quietly(self.alpha, lambda: self.alpha.setDecimals(1 if point.alpha >= 10 else 4))
        show(self.alpha, point.alpha)
        show(self.strength, point.strength)
        self.alpha.setEnabled(point.kernel != "thin_plate")
        self.strength.setEnabled(not self.workspace.session.exact)
        quietly(self.symmetric, lambda: self.symmetric.setChecked(point.symmetric))

    # -- editing

    def _edit(self, **values: Any) -> None:
        if self.workspace.choice is not None and self.workspace.session.live is None:
            self.workspace.edit_keypoint(self.workspace.choice, **values)
            self.refresh()

    def _edit_position(self, axis: int, value: float) -> None:
        self._edit_part("position", axis, value)

    def _edit_vector(self, axis: int, value: float) -> None:
        self._edit_part("vector", axis, value)

    def _edit_part(self, name: str, axis: int, value: float) -> None:
        """Change one coordinate; the others keep the digits that their fields do not show."""
        if self.workspace.choice is not None:
            values = list(getattr(self.workspace.session.keypoints[self.workspace.choice], name))
            values[axis] = value / _MILLI
            self._edit(**{name: tuple(values)})

    def _edit_kernel(self) -> None:
        """Another kernel, with the α that reaches about as far as the brush does."""
        kernel = self.kernel.currentData()
        self._edit(kernel=kernel, alpha=float(alpha_of_radius(kernel, self.workspace.brush.radius)))

    def _set_exact(self, exact: bool) -> None:
        self.workspace.set_exact(exact)
        self.refresh()

    def remove_chosen(self) -> None:
        """Remove the chosen keypoint."""
        if self.workspace.choice is not None:
            self.workspace.remove_keypoint(self.workspace.choice)


def words(row: int, point: Keypoint) -> str:
    """A keypoint in one line."""
    length = _MILLI * sum(value * value for value in point.vector) ** 0.5
    twin = "" if not point.symmetric else " · on the plane" if point.position[0] == 0 else " · twin"
    return f"{row + 1} · {point.kernel.replace('_', ' ')} · {length:.1f} mm{twin}"


def show(field: QDoubleSpinBox, value: float) -> None:
    """Show a number without telling anybody, unless a person is typing in its field."""
    if not field.hasFocus() or abs(field.value() - value) > 10.0 ** -field.decimals():
        quietly(field, lambda: field.setValue(value))
