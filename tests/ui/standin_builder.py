"""What the tests of the build dialog share: a stand-in for estimate and build, and the ways to fill the dialog and to wait for it."""

import json
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from memstudio.builder.built import Built
from memstudio.builder.recipe import Recipe
from memstudio.errors import UserError
from memstudio.jobs import Job
from memstudio.ui.main_window import MainWindow
from memstudio.ui.panels.build_dialog import BuildDialog
from tests.ui.conftest import PATIENCE_MS

NOTE = "8 windows are fewer than 16 leaves: the tree shrinks from 4/4 to 2/4 children a node"


@dataclass
class Builder:
    """Stands in for builder.estimate and builder.build; what it was asked is noted, with the thread that asked."""

    bank: Path
    recipes: list[Recipe] = field(default_factory=list)
    builds: list[Path] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)
    refuses: str = ""
    disk_bytes: int = 1000
    exact: bool = True
    begun: threading.Event = field(default_factory=threading.Event)
    held: threading.Event = field(default_factory=threading.Event)
    """Cleared: an estimate or a build goes on until it is cancelled."""

    def estimate(self, recipe: Recipe, *, job: Job, device: str, encoder: Path | None) -> SimpleNamespace:
        self.threads.add(threading.current_thread().name)
        self.recipes.append(recipe)
        self._go_on(job, "reading the documents")
        if self.refuses:
            raise UserError(self.refuses)
        return SimpleNamespace(
            documents=2,
            windows=8,
            tokens=1200,
            exact=self.exact,
            branching=[2, 4],
            widths=[3, [4, 8]],
            layers=[0, 1],
            anchor_parameters=1000,
            fetched_parameters=100,
            bank_parameters=900,
            seconds=200.0,
            by_stage={"read": 50.0, "train": 150.0},
            disk_bytes=self.disk_bytes,
            bank_bytes=500,
            memory_bytes=2000,
            notes=[NOTE],
        )

    def build(self, recipe: Recipe, out: Path, *, job: Job, log: Callable[[str], None], device: str, encoder: Path | None) -> Built:
        self.threads.add(threading.current_thread().name)
        self.builds.append(out)
        log("a line of the log")
        Path(f"{out}.build").mkdir(exist_ok=True)
        self._go_on(job, "training 1 of 2")
        shutil.copytree(self.bank, out, dirs_exist_ok=True)
        return Built(out, [{"level": 1, "clusters": 4, "width": 3}, {"level": 2, "clusters": 16, "width": 3}], [1.0], 2.0)

    def _go_on(self, job: Job, title: str) -> None:
        job.title = title
        self.begun.set()
        done = 0
        while True:
            done += 1
            job.progress(min(done, 3), 4)
            if self.held.wait(0.01):
                return


def bank_of(recipe: Recipe, tiny_bank: Path, out: Path) -> None:
    """A finished bank that says it was built from a recipe."""
    shutil.copytree(tiny_bank, out)
    said = json.loads((out / "bank.json").read_text())
    (out / "bank.json").write_text(json.dumps({**said, "recipe": {**recipe.as_json(), "perplexity": {"none": 9.0}}}))


def looked(qtbot: QtBot, window: MainWindow, what: Callable[[], object]) -> None:
    """Change something and wait for what is found out about it."""
    number = [0]

    def mine(ended: object) -> bool:
        return getattr(ended, "number", 0) == number[0]

    window.builds.dialog.looking.connect(lambda at, _: number.__setitem__(0, at))
    with qtbot.waitSignal(window.builds.bridge.look_ended, timeout=PATIENCE_MS, check_params_cb=mine):
        what()


def estimated(qtbot: QtBot, window: MainWindow, model: Path, documents: Path) -> BuildDialog:
    dialog = window.builds.dialog
    window.build_bank()
    looked(qtbot, window, lambda: (dialog.form.model.setText(str(model)), dialog.form.documents.add((str(documents),))))
    return dialog


def texts(pane: QWidget) -> str:
    return "\n".join(label.text() for label in pane.findChildren(QLabel) if label.isVisibleTo(pane))


def dropped(path: Path) -> QDropEvent:
    """Hold on to `mime` as Qt does not."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    event = QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    event.__dict__["mime"] = mime
    return event
