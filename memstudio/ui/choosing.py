"""File dialogs that do not block: each calls back with what was chosen."""

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QWidget

Take = Callable[[str], object]


def choose_folder(parent: QWidget | None, title: str, take: Take) -> None:
    """A folder that exists."""
    dialog = QFileDialog(parent, title)
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.setOption(QFileDialog.Option.ShowDirsOnly, True)
    _open(dialog, take)


def choose_file(parent: QWidget | None, title: str, kinds: str, take: Take) -> None:
    """A file that exists."""
    dialog = QFileDialog(parent, title, "", kinds)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    _open(dialog, take)


def choose_new(parent: QWidget | None, title: str, path: str, take: Take, *, kinds: str = "", suffix: str = "") -> None:
    """A file or folder to be written. kinds: what Qt filters by, for example "PNG (*.png);;SVG (*.svg)"; suffix: of a name without one."""
    dialog = QFileDialog(parent, title, path, kinds)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setFileMode(QFileDialog.FileMode.AnyFile)
    if suffix:
        dialog.setDefaultSuffix(suffix)
        dialog.filterSelected.connect(lambda kind: dialog.setDefaultSuffix(kind.rpartition("*.")[2].rstrip(")") or suffix))
    _open(dialog, take)


def _open(dialog: QFileDialog, take: Take) -> None:
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.fileSelected.connect(take)
    dialog.open()
