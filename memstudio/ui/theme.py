"""How the window looks: two tones (light, dark), a palette and one style sheet made from them, and the tone that is in force."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QFontDatabase, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication, QWidget

from memstudio.paths import resources
from memstudio.ui.dress import Dress

ThemeChoice = Literal["system", "light", "dark"]


@dataclass(frozen=True, slots=True)
class Tone:
    """The colours of one theme, by what they are for. Text on its ground keeps a contrast of 4.5 or more (tested)."""

    dark: bool
    window: str
    panel: str
    raised: str
    line: str
    text: str
    dim: str
    accent: str
    on_accent: str
    accent_soft: str
    danger: str
    danger_soft: str
    warning: str
    warning_soft: str
    good: str
    disabled: str
    unmeasured: str


LIGHT = Tone(
    dark=False,
    window="#eef0f3",
    panel="#ffffff",
    raised="#f6f7f9",
    line="#d3d8df",
    text="#1a1e24",
    dim="#59626e",
    accent="#1f5fbf",
    on_accent="#ffffff",
    accent_soft="#deeafb",
    danger="#a8321c",
    danger_soft="#fbe6e0",
    warning="#7a5200",
    warning_soft="#fdf0cd",
    good="#17694a",
    disabled="#8b939e",
    unmeasured="#b3bac4",
)
DARK = Tone(
    dark=True,
    window="#191b1f",
    panel="#212429",
    raised="#2a2e35",
    line="#3c424b",
    text="#e8eaed",
    dim="#a4adb8",
    accent="#86b4ff",
    on_accent="#0d1b30",
    accent_soft="#273a58",
    danger="#ff9a85",
    danger_soft="#4a2721",
    warning="#f5c76a",
    warning_soft="#43351a",
    good="#79d0a8",
    disabled="#737c88",
    unmeasured="#59616c",
)


class Theme(QObject):
    """The theme in force; panels that paint by hand listen to `changed`."""

    changed = Signal()
    resized = Signal()
    """The text has another size; `changed` came before."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.choice: ThemeChoice = "system"
        self.tone = LIGHT
        self.text_percent = 100
        self._bare = False
        self._dress: Dress | None = None
        self._points = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont).pointSizeF()
        hints = QGuiApplication.styleHints()
        hints.colorSchemeChanged.connect(self._follow)

    def choose(self, choice: ThemeChoice, text_percent: int | None = None) -> None:
        """Follow the system, or keep to one theme. text_percent: of the system's text size; None leaves it."""
        before = self.text_percent
        self.choice = choice
        self.text_percent = text_percent or before
        self._apply(resized=self.text_percent != before)
        if self.text_percent != before:
            self.resized.emit()

    def sized(self, pixels: int) -> int:
        """What takes so many pixels at the system's text size, at the size that is chosen."""
        return round(pixels * self.text_percent / 100)

    @contextmanager
    def bare(self) -> Iterator[None]:
        """The style sheet comes at the end of the context, to all widgets at once.

        Under one, each widget that is put into another styles all that lies in it anew, so that a window takes twice as long to build.
        """
        self._bare = True
        try:
            yield
        finally:
            self._bare = False
            self._style(resized=False)

    def _follow(self) -> None:
        if self.choice == "system":
            self._apply(resized=False)

    def _apply(self, *, resized: bool) -> None:
        tone = tone_of(self.choice)
        self.tone = tone
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.setPalette(palette(tone))
            font = app.font()
            font.setPointSizeF(self._points * self.text_percent / 100)
            app.setFont(font)
        self._style(resized=resized)
        self.changed.emit()

    def _style(self, *, resized: bool) -> None:
        if self._bare:
            return
        styled, sheet = self.parent(), style_sheet(self.tone, self.text_percent)
        if isinstance(styled, QApplication) and styled.styleSheet() != sheet:  # each time styles all anew
            styled.setStyleSheet(sheet)
        elif isinstance(styled, QWidget) and self._dress is None:
            self._dress = Dress(styled, sheet)
        elif self._dress is not None:
            self._dress.change(sheet, everywhere=resized)


def tone_of(choice: ThemeChoice) -> Tone:
    """The tone that a choice means now."""
    if choice == "system":
        return DARK if QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark else LIGHT
    return DARK if choice == "dark" else LIGHT


def palette(tone: Tone) -> QPalette:
    """A Qt palette of a tone; disabled text is dimmed, not hidden."""
    made = QPalette()
    role = QPalette.ColorRole
    for which, colour in (
        (role.Window, tone.window),
        (role.WindowText, tone.text),
        (role.Base, tone.panel),
        (role.AlternateBase, tone.raised),
        (role.Text, tone.text),
        (role.PlaceholderText, tone.dim),
        (role.Button, tone.raised),
        (role.ButtonText, tone.text),
        (role.ToolTipBase, tone.raised),
        (role.ToolTipText, tone.text),
        (role.Highlight, tone.accent_soft),
        (role.HighlightedText, tone.text),
        (role.Link, tone.accent),
        (role.Light, tone.panel),
        (role.Midlight, tone.line),
        (role.Mid, tone.line),
        (role.Dark, tone.line),
        (role.Shadow, tone.window),
    ):
        made.setColor(which, QColor(colour))
    for which in (role.WindowText, role.Text, role.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, which, QColor(tone.disabled))
    return made


def style_sheet(tone: Tone, text_percent: int = 100) -> str:
    """The one style sheet: spacing, lines and the roles (`kind` properties) that panels give their parts."""
    t = tone
    drawings, tone_name = (resources() / "icons").as_posix(), "dark" if t.dark else "light"
    return f"""
    QMainWindow::separator {{ background: transparent; width: 5px; height: 5px; }}
    QToolBar {{ background: {t.window}; border: 0; border-bottom: 1px solid {t.line}; padding: 3px 6px; spacing: 2px; }}
    QToolBar QToolButton {{ padding: 4px 7px; border: 1px solid transparent; border-radius: 5px; }}
    QToolBar QToolButton:hover {{ background: {t.raised}; border-color: {t.line}; }}
    QToolBar QToolButton:pressed {{ background: {t.accent_soft}; }}
    QToolBar::separator {{ background: {t.line}; width: 1px; margin: 5px 6px; }}
    QMenuBar {{ background: {t.window}; }}
    QMenuBar::item {{ padding: 4px 9px; border-radius: 4px; }}
    QMenuBar::item:selected {{ background: {t.accent_soft}; color: {t.text}; }}
    QMenu {{ background: {t.panel}; border: 1px solid {t.line}; padding: 4px; }}
    QMenu::item {{ padding: 5px 26px 5px 26px; border-radius: 4px; }}
    QMenu::item:selected {{ background: {t.accent_soft}; color: {t.text}; }}
    QMenu::item:disabled {{ color: {t.disabled}; }}
    QMenu::separator {{ height: 1px; background: {t.line}; margin: 4px 8px; }}
    QMenu::icon {{ padding-left: 6px; }}
    QStatusBar {{ background: {t.window}; border-top: 1px solid {t.line}; }}
    QStatusBar::item {{ border: 0; }}
    QDockWidget {{ titlebar-close-icon: none; titlebar-normal-icon: none; }}
    QToolTip {{ background: {t.raised}; color: {t.text}; border: 1px solid {t.line}; padding: 4px 6px; }}
    QWidget[kind="dock-title"] {{ background: {t.window}; }}
    QWidget[kind="dock-title"] QToolButton:focus {{ border: 1px solid {t.accent}; border-radius: 4px; }}
    QLabel[kind="dock-title"] {{ color: {t.text}; font-weight: 600; }}
    QFrame[kind="panel"] {{ background: {t.panel}; border: 1px solid {t.line}; border-radius: 6px; }}
    QFrame[kind="line"] {{ background: {t.line}; border: 0; max-height: 1px; min-height: 1px; }}
    QLabel[kind="strong"] {{ font-weight: 600; }}
    QLabel[kind="dim"] {{ color: {t.dim}; }}
    QLabel[kind="section"] {{ color: {t.dim}; font-weight: 600; }}
    QLabel[kind="title"] {{ font-size: {0.12 * text_percent:.1f}pt; font-weight: 600; }}
    QLabel[kind="figure"] {{ font-size: {0.13 * text_percent:.1f}pt; font-weight: 600; }}
    QLabel[kind="tag"] {{ color: {t.dim}; background: {t.raised}; border: 1px solid {t.line}; border-radius: 7px; padding: 0 6px; }}
    QLabel[kind="tag-danger"] {{ color: {t.danger}; background: {t.danger_soft}; border: 1px solid {t.danger_soft}; border-radius: 7px;
        padding: 0 6px; }}
    QLabel[kind="tag-warning"] {{ color: {t.warning}; background: {t.warning_soft}; border: 1px solid {t.warning_soft}; border-radius: 7px;
        padding: 0 6px; }}
    QLabel[kind="error"] {{ color: {t.danger}; }}
    QLabel[kind="notice"] {{ color: {t.warning}; }}
    QFrame[kind="bar"] {{ background: {t.warning_soft}; border: 0; border-radius: 6px; }}
    QFrame[kind="bar"] QLabel {{ color: {t.warning}; }}
    QFrame[kind="tour"] {{ background: {t.accent_soft}; border: 0; border-radius: 6px; }}
    QPushButton, QToolButton[kind="button"] {{ background: {t.raised}; border: 1px solid {t.line}; border-radius: 5px; padding: 4px 10px; }}
    QPushButton:hover, QToolButton[kind="button"]:hover {{ border-color: {t.accent}; }}
    QPushButton:pressed, QToolButton[kind="button"]:pressed {{ background: {t.accent_soft}; }}
    QPushButton:disabled, QToolButton[kind="button"]:disabled {{ color: {t.disabled}; border-color: {t.line}; }}
    QPushButton:focus {{ border-color: {t.accent}; }}
    QPushButton[kind="primary"] {{ background: {t.accent}; color: {t.on_accent}; border-color: {t.accent}; font-weight: 600; }}
    QPushButton[kind="primary"]:disabled {{ background: {t.raised}; color: {t.disabled}; border-color: {t.line}; }}
    QPushButton[kind="chip"] {{ padding: 3px 9px; border-radius: 10px; }}
    QPushButton[kind="chip"]:checked {{ background: {t.accent_soft}; border-color: {t.accent}; }}
    QPushButton[kind="segment"] {{ padding: 3px 9px; border-radius: 0; margin: 0; }}
    QPushButton[kind="segment"]:checked {{ background: {t.accent_soft}; border-color: {t.accent}; }}
    QPushButton[kind="link"] {{ background: transparent; border: 0; color: {t.accent}; padding: 2px 6px; text-decoration: underline; }}
    QLineEdit, QPlainTextEdit, QAbstractSpinBox, QComboBox {{ background: {t.panel}; border: 1px solid {t.line}; border-radius: 5px;
        padding: 4px 6px; selection-background-color: {t.accent_soft}; selection-color: {t.text}; }}
    QLineEdit:focus, QPlainTextEdit:focus, QAbstractSpinBox:focus, QComboBox:focus {{ border-color: {t.accent}; }}
    QToolButton[kind="button"] {{ padding: 4px 4px; }}
    QAbstractSpinBox {{ padding: 3px 4px 3px 6px; min-height: 18px; }}
    QComboBox, QLineEdit {{ min-height: 18px; }}
    QRadioButton::indicator {{ width: 12px; height: 12px; border: 1px solid {t.dim}; border-radius: 7px; background: {t.panel}; }}
    QRadioButton::indicator:checked {{ width: 6px; height: 6px; border: 4px solid {t.accent}; background: {t.on_accent}; }}
    QCheckBox::indicator:unchecked {{ width: 11px; height: 11px; border: 1px solid {t.dim}; border-radius: 3px; background: {t.panel}; }}
    QRadioButton::indicator:disabled {{ border-color: {t.line}; }}
    QComboBox::drop-down {{ border: 0; width: 20px; }}
    QComboBox::down-arrow, QAbstractSpinBox::down-arrow {{ image: url("{drawings}/chevron_down_{tone_name}.svg");
        width: 14px; height: 14px; }}
    QAbstractSpinBox::up-arrow {{ image: url("{drawings}/chevron_up_{tone_name}.svg"); width: 14px; height: 14px; }}
    QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {{ border: 0; width: 18px; background: transparent; }}
    QTreeView::branch:has-children:closed {{ image: url("{drawings}/branch_closed_{tone_name}.svg"); }}
    QTreeView::branch:has-children:open {{ image: url("{drawings}/branch_open_{tone_name}.svg"); }}
    QComboBox QAbstractItemView {{ background: {t.panel}; border: 1px solid {t.line}; padding: 3px; outline: 0;
        selection-background-color: {t.accent_soft}; selection-color: {t.text}; }}
    QTreeView, QTableView, QListView, QTextBrowser {{ background: {t.panel}; border: 1px solid {t.line}; border-radius: 6px;
        alternate-background-color: {t.raised}; selection-background-color: {t.accent_soft}; selection-color: {t.text}; outline: 0; }}
    QListView::item {{ padding: 4px 6px; border-radius: 4px; }}
    QListView::item:selected, QListView::item:hover {{ background: {t.accent_soft}; color: {t.text}; }}
    QTreeView::item, QTableView::item {{ padding: 2px 3px; border: 0; }}
    QTreeView::item:selected, QTableView::item:selected {{ background: {t.accent_soft}; color: {t.text}; }}
    QTreeView::branch:selected {{ background: {t.accent_soft}; }}
    QHeaderView::section {{ background: {t.raised}; color: {t.dim}; border: 0; border-bottom: 1px solid {t.line}; padding: 4px 4px; }}
    QScrollArea[kind="card"] {{ background: {t.panel}; border: 1px solid {t.line}; border-radius: 6px; }}
    QWidget[kind="card-body"] {{ background: {t.panel}; }}
    QScrollBar:vertical {{ background: transparent; width: 10px; margin: 0; }}
    QScrollBar:horizontal {{ background: transparent; height: 10px; margin: 0; }}
    QScrollBar::handle {{ background: {t.unmeasured}; border-radius: 4px; margin: 1px; min-height: 24px; min-width: 24px; }}
    QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
    QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
    QProgressBar {{ background: {t.raised}; border: 1px solid {t.line}; border-radius: 5px; text-align: center; max-height: 12px; }}
    QProgressBar::chunk {{ background: {t.accent}; border-radius: 4px; }}
    """
