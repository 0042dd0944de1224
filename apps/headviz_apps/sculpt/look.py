"""The window's looks: the house's colours in light and dark, for Qt's own widgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headviz.viewers import look

if TYPE_CHECKING:
    from PySide6.QtGui import QPalette

GRID = 8  #: pixels; distances are multiples of it, or half of it inside a control
PANEL_WIDTH = 328
THEMES = ("system", "light", "dark")


@dataclass(frozen=True)
class Theme:
    """Colours of one appearance.

    Attributes:
        dark: whether it is the dark one.
        canvas: behind the head.
        chrome, raised, line: of bars and panels, of fields and buttons in them, of what parts them.
        ink, soft: of words, of lesser words.
        accent, on_accent: of what is chosen, and of words on it.
    """

    dark: bool
    canvas: str
    chrome: str
    raised: str
    line: str
    ink: str
    soft: str
    accent: str
    on_accent: str


LIGHT = Theme(False, look.PAPER, "#ffffff", "#f1f0ec", "#dcdad4", look.INK, look.SOFT, look.INSIDE, "#ffffff")
DARK = Theme(True, "#15171a", "#1e2125", "#2a2e33", "#363b42", "#eceae6", "#a9aeb6", "#6cb8e6", "#10161b")


def theme_of(name: str, *, system_dark: bool) -> Theme:
    """The theme of a choice of :data:`THEMES`."""
    return DARK if name == "dark" or (name == "system" and system_dark) else LIGHT


def palette_of(theme: Theme) -> QPalette:
    """Qt's palette, for what the style sheet leaves alone."""
    from PySide6.QtGui import QColor, QPalette

    role = QPalette.ColorRole
    colors = {
        role.Window: theme.chrome, role.WindowText: theme.ink, role.Base: theme.raised,
        role.AlternateBase: theme.chrome,
        role.Text: theme.ink, role.Button: theme.raised, role.ButtonText: theme.ink, role.ToolTipBase: theme.raised,
        role.ToolTipText: theme.ink, role.Highlight: theme.accent, role.HighlightedText: theme.on_accent,
        role.Link: theme.accent, role.PlaceholderText: theme.soft, role.Light: theme.line, role.Midlight: theme.line,
        role.Mid: theme.line, role.Dark: theme.line, role.Shadow: theme.line,
    }  # fmt: skip
    palette = QPalette()
    for which, color in colors.items():
        palette.setColor(which, QColor(color))
    for which in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, which, QColor(theme.soft))
    return palette


def sheet_of(theme: Theme) -> str:
    """The style sheet: an 8-pixel grid, 13 and 15 px words, one accent."""
    return _SHEET.format(t=theme)


_SHEET = """
* {{ font-size: 13px; }}
QMainWindow, QDialog, QMessageBox {{ background: {t.chrome}; }}
QToolTip {{ background: {t.raised}; color: {t.ink}; border: 1px solid {t.line}; padding: 4px 8px; }}
QMenuBar {{ background: {t.chrome}; border-bottom: 1px solid {t.line}; padding: 2px 8px; }}
QMenuBar::item {{ padding: 4px 8px; border-radius: 4px; background: transparent; }}
QMenuBar::item:selected, QMenuBar::item:pressed {{ background: {t.raised}; }}
QMenu {{ background: {t.chrome}; border: 1px solid {t.line}; padding: 4px; }}
QMenu::item {{ padding: 5px 32px 5px 24px; border-radius: 4px; }}
QMenu::item:selected {{ background: {t.accent}; color: {t.on_accent}; }}
QMenu::item:disabled {{ color: {t.soft}; }}
QMenu::separator {{ height: 1px; background: {t.line}; margin: 4px 8px; }}
QStatusBar {{ background: {t.chrome}; border-top: 1px solid {t.line}; }}
QStatusBar::item {{ border: none; }}
QMessageBox QLabel#qt_msgbox_label {{ font-size: 15px; font-weight: 600; }}
#tools {{ background: {t.chrome}; border-right: 1px solid {t.line}; }}
#brushbar {{ background: {t.chrome}; border-bottom: 1px solid {t.line}; }}
#panel {{ background: {t.chrome}; border-left: 1px solid {t.line}; }}
#legend {{ background: {t.chrome}; border-top: 1px solid {t.line}; }}
QLabel[role="title"] {{ font-size: 15px; font-weight: 600; }}
QLabel[role="large"] {{ font-size: 20px; font-weight: 600; }}
QLabel[role="soft"] {{ color: {t.soft}; }}
QToolButton {{ border: 1px solid transparent; border-radius: 6px; padding: 4px; background: transparent; }}
QToolButton:hover {{ background: {t.raised}; }}
QToolButton:checked {{ background: {t.accent}; color: {t.on_accent}; }}
QToolButton:focus {{ border: 1px solid {t.accent}; }}
QToolButton:disabled {{ color: {t.soft}; }}
QPushButton {{ background: {t.raised}; border: 1px solid {t.line}; border-radius: 6px; padding: 5px 12px; }}
QPushButton:hover {{ border-color: {t.soft}; }}
QPushButton:focus, QPushButton:default {{ border-color: {t.accent}; }}
QPushButton:pressed {{ background: {t.line}; }}
QPushButton:checked {{ background: {t.accent}; color: {t.on_accent}; border-color: {t.accent}; }}
QPushButton:disabled {{ color: {t.soft}; background: {t.chrome}; }}
QLineEdit, QComboBox {{ background: {t.raised}; border: 1px solid {t.line};
  border-radius: 6px; padding: 3px 8px; min-height: 20px;
  selection-background-color: {t.accent}; selection-color: {t.on_accent}; }}
QDoubleSpinBox {{ background: {t.raised}; border: 1px solid {t.line}; border-radius: 6px;
  selection-background-color: {t.accent}; selection-color: {t.on_accent}; padding: 3px 4px; min-height: 20px; }}
QDoubleSpinBox::up-button, QDoubleSpinBox::down-button {{ width: 0; border: none; }}
QDoubleSpinBox QLineEdit {{ border: none; background: transparent; padding: 0 0 0 6px; min-height: 0; }}
QLineEdit:focus, QDoubleSpinBox:focus, QSpinBox:focus, QComboBox:focus {{ border-color: {t.accent}; }}
QLineEdit:disabled, QDoubleSpinBox:disabled, QComboBox:disabled {{ color: {t.soft}; background: {t.chrome}; }}
QComboBox::drop-down {{ border: none; width: 20px; }}
QComboBox QAbstractItemView {{ background: {t.chrome}; border: 1px solid {t.line}; outline: none; padding: 4px;
  selection-background-color: {t.accent}; selection-color: {t.on_accent}; }}
QListWidget, QTreeWidget, QTextBrowser {{ background: {t.chrome}; border: 1px solid {t.line}; border-radius: 6px;
  outline: none; }}
QListWidget::item {{ padding: 4px 8px; border-radius: 4px; }}
QListWidget::item:hover {{ background: {t.raised}; }}
QListWidget::item:selected {{ background: {t.accent}; color: {t.on_accent}; }}
QScrollArea {{ border: none; background: {t.chrome}; }}
QScrollArea > QWidget > QWidget {{ background: {t.chrome}; }}
QScrollBar:vertical {{ width: 10px; background: transparent; margin: 0; }}
QScrollBar::handle:vertical {{ background: {t.line}; border-radius: 4px; min-height: 32px; margin: 1px; }}
QScrollBar::handle:vertical:hover {{ background: {t.soft}; }}
QScrollBar::add-line, QScrollBar::sub-line {{ height: 0; background: none; }}
QScrollBar::add-page, QScrollBar::sub-page {{ height: 0; background: none; }}
QScrollBar:horizontal {{ height: 10px; background: transparent; }}
QScrollBar::handle:horizontal {{ background: {t.line}; border-radius: 4px; min-width: 32px; margin: 1px; }}
QSlider {{ min-height: 20px; }}
QSlider::groove:horizontal {{ height: 4px; border-radius: 2px; background: {t.line}; }}
QSlider::sub-page:horizontal {{ height: 4px; border-radius: 2px; background: {t.accent}; }}
QSlider[plain="true"]::sub-page:horizontal {{ background: {t.line}; }}
QSlider::handle:horizontal {{ width: 14px; height: 14px; margin: -6px 0; border-radius: 8px;
  background: {t.chrome}; border: 1px solid {t.soft}; }}
QSlider::handle:horizontal:hover, QSlider::handle:horizontal:focus {{ border: 2px solid {t.accent}; }}
QTabBar {{ background: {t.chrome}; }}
QTabBar::tab {{ padding: 8px 12px; color: {t.soft}; border-bottom: 2px solid transparent; }}
QTabBar::tab:hover {{ color: {t.ink}; }}
QTabBar::tab:selected {{ color: {t.ink}; border-bottom: 2px solid {t.accent}; }}
QTabBar::tab:focus {{ color: {t.accent}; }}
QTabWidget::tab-bar {{ left: 4px; }}
QTabWidget::pane {{ border: none; border-top: 1px solid {t.line}; }}
QSplitter::handle {{ background: {t.line}; height: 1px; }}
QProgressBar {{ border: none; border-radius: 2px; background: {t.line}; max-height: 4px; }}
QProgressBar::chunk {{ background: {t.accent}; border-radius: 2px; }}
QCheckBox {{ spacing: 8px; }}
QDialogButtonBox {{ dialogbuttonbox-buttons-have-icons: 0; }}
"""
