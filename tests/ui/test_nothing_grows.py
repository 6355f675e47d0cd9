"""Every item model of the window passes Qt's own tester through a day's work, and twelve banks leave nothing behind."""

import gc
import os
import pkgutil
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
from PySide6.QtCore import QAbstractItemModel, QEvent, QObject, Qt
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

import memstudio.ui
from memstudio.bank.values import ClusterId
from memstudio.ui.main_window import MainWindow
from memstudio.ui.models.tree_model import TreeModel
from memstudio.ui.snapshots import Wish
from tests.tiny import make_bank
from tests.ui.conftest import PATIENCE_MS, make_dialogs

Act = Callable[[Callable[[], object]], None]


def every_model() -> set[str]:
    """The names of all item models that the package defines."""
    found = set()
    for module in pkgutil.walk_packages(memstudio.ui.__path__, "memstudio.ui."):
        for each in vars(import_module(module.name)).values():
            if isinstance(each, type) and issubclass(each, QAbstractItemModel) and each.__module__ == module.name:
                found.add(each.__name__)
    return found


def own(window: MainWindow) -> list[QAbstractItemModel]:
    return [each for each in window.findChildren(QAbstractItemModel) if type(each).__module__.startswith("memstudio")]


def test_every_model_passes_qts_tester_through_a_day(window: MainWindow, settle: Act, wish: Wish, tmp_path: Path) -> None:
    make_dialogs(window)
    models = own(window)
    assert {type(model).__name__ for model in models} == every_model(), "a model without a parent, or one that the window does not show"
    fatal = QAbstractItemModelTester.FailureReportingMode.Fatal
    tested = [model for model in models if not isinstance(model, TreeModel)]  # the tester fetches its rows within a reset: see its own test
    testers = [QAbstractItemModelTester(model, fatal) for model in tested]
    settle(lambda: window.open_wish(wish))
    window.panels.prompt.max_tokens.setValue(4)
    settle(window.run_prompt)
    settle(lambda: window.prune(ClusterId(2, 5)))
    settle(window.score_facts)
    settle(window.undo)
    settle(lambda: window.studio.bridge.find("gold"))
    window.panels.table.view.sortByColumn(2, Qt.SortOrder.DescendingOrder)
    window.panels.table.view.selectAll()
    settle(lambda: window.open_wish(Wish(str(make_bank(tmp_path / "other", seed=1)), study=tmp_path / "other-study", device="cpu")))
    for tester in testers:
        tester.deleteLater()


def held(window: MainWindow, qapp: QApplication) -> dict[str, int]:
    """What a window holds that could grow: threads, Qt objects, windows, open files."""
    qapp.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    qapp.processEvents()
    gc.collect()
    return {
        "threads": threading.active_count(),
        "objects": len(window.findChildren(QObject)),
        "windows": len(qapp.topLevelWidgets()),
        "files": len(os.listdir("/proc/self/fd")),  # noqa: PTH208  names are all that is wanted
    }


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted where the system lists them")
def test_twelve_banks_in_one_window_leave_nothing_behind(
    window: MainWindow, settle: Act, qapp: QApplication, qtbot: QtBot, tmp_path: Path
) -> None:
    banks = [make_bank(tmp_path / f"bank-{number}", seed=number, levels=((3, 4), (9, 4))) for number in range(2)]
    make_dialogs(window)
    window.panels.prompt.max_tokens.setValue(2)
    after: list[dict[str, int]] = []
    routed: list[int] = []
    window.routes.shown.connect(routed.append)
    for number in range(12):
        bank = banks[number % 2]
        settle(lambda path=bank, study=tmp_path / f"study-{number}": window.open_wish(Wish(str(path), study=study, device="cpu")))
        if number % 6 == 1:
            settle(window.run_prompt)
            settle(lambda: window.prune(ClusterId(2, 1)))
        qtbot.waitUntil(lambda: routed[-1:] == [window.routes.newest], timeout=PATIENCE_MS)  # routes come from a thread of their own
        qtbot.waitUntil(lambda: all(card.job.ended for card in window.jobs.cards.values()), timeout=PATIENCE_MS)
        window.jobs.clear()  # what took long is listed, which is no leak, and on a busy machine more of it does
        after.append(held(window, qapp))
    early, late = after[2:6], after[8:12]
    for what, room in (("threads", 6), ("windows", 6), ("files", 6), ("objects", 24)):  # a group of 18 objects comes and goes
        least = [min(each[what] for each in part) for part in (early, late)]
        assert least[1] < least[0] + room, (what, [each[what] for each in after])
