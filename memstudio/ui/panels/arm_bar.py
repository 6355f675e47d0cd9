"""Which arms answer: a chip an arm, pressed where it does, in the order of the columns; a menu adds revisions, a route, blocks left out."""

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QPushButton, QWidget

from memstudio.session.arm_wish import FEWEST, GENERIC, MOST, NO_MEMORY, SHIPPED, THIS, ArmWish
from memstudio.ui.panels.parts import FlowLayout
from memstudio.ui.selection import Chosen, choose
from memstudio.ui.snapshots import StudyView
from memstudio.ui.texts import counted, on_button, plain_tip

ALWAYS = (THIS, SHIPPED, GENERIC, NO_MEMORY)
AT_FIRST = (THIS, SHIPPED, NO_MEMORY)
TIPS = {
    THIS: "The fetched blocks as the study stands now",
    SHIPPED: "The fetched blocks as the bank was shipped: revision 0",
    GENERIC: "The generic block of every level, whatever the prompt",
    NO_MEMORY: "The anchor alone",
}
MENU_TIP = "\nIts menu puts it first, as the one that the others are compared with"
FIRST = "Put first: the others are compared with it"
REVISIONS = 25
LONGEST = 48


class ArmBar(QWidget):
    """Emits `changed` when other arms are chosen."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._offered: list[ArmWish] = list(ALWAYS)
        self._wanted: list[ArmWish] = list(AT_FIRST)
        self._generic = True
        self._study: StudyView | None = None
        self._chosen: Chosen = choose(())
        self.chips: dict[ArmWish, QPushButton] = {}
        self._flow = FlowLayout(5)
        self.setLayout(self._flow)
        self.more = QMenu(self)
        self.more.setToolTipsVisible(True)
        self.more.aboutToShow.connect(self._fill)
        self._rebuild()

    @property
    def wishes(self) -> tuple[ArmWish, ...]:
        """The arms that answer, in the order of the chips."""
        return tuple(wish for wish in self._offered if wish in self._wanted and (wish != GENERIC or self._generic))

    def why_not(self) -> str:
        """Why these cannot answer; "" where they can."""
        return "" if len(self.wishes) >= FEWEST else "Choose at least two arms."

    def choose(self, wishes: Sequence[ArmWish]) -> None:
        """Have these answer, in this order."""
        self._wanted = list(dict.fromkeys(wishes))[:MOST]
        self._offered = [*self._wanted, *(wish for wish in ALWAYS if wish not in self._wanted)]
        self._rebuild()

    def add(self, wish: ArmWish) -> None:
        """Have one more answer, in place of the last one where there are five."""
        if wish not in self._offered:
            self._offered.append(wish)
        if wish not in self._wanted:
            self._wanted = [*[each for each in self._offered if each in self._wanted][: MOST - 1], wish]
        self._rebuild()

    def put_first(self, wish: ArmWish) -> None:
        """Have an arm be A, which the others are compared with."""
        self.choose([wish, *(each for each in self.wishes if each != wish)])

    def show_bank(self, *, generic: bool) -> None:
        """Another bank: the arms of the beginning."""
        self._generic = generic
        self._offered, self._wanted = list(ALWAYS), list(AT_FIRST)
        self._rebuild()

    def show_study(self, study: StudyView) -> None:
        """The revisions that can be added."""
        self._study = study

    def show_chosen(self, chosen: Chosen) -> None:
        """The selection, which can be left out or routed to."""
        self._chosen = chosen

    def without(self) -> ArmWish | None:
        """This revision without the selected blocks; None where none is selected."""
        return ArmWish(without=self._chosen.clusters()) if self._chosen.count else None

    def _rebuild(self) -> None:
        self._flow.clear()
        self.chips = {}
        for wish in self._offered:
            chip = QPushButton(on_button(_capital(wish.title)))
            chip.setProperty("kind", "chip")
            chip.setCheckable(True)
            chip.setChecked(wish in self.wishes)
            chip.setToolTip(plain_tip(TIPS.get(wish, f"{_capital(wish.title)}; press to take it away") + MENU_TIP))
            chip.clicked.connect(lambda _=False, wish=wish: self._pressed(wish))
            chip.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
            first = QAction(FIRST, chip)
            first.triggered.connect(lambda _=False, wish=wish: self.put_first(wish))
            chip.addAction(first)
            self.chips[wish] = chip
            self._flow.addWidget(chip)
        add = QPushButton("Add ▾")
        add.setAccessibleName("Add an arm")
        add.setToolTip("Another revision, the route to the selected block, or this revision without the selected blocks")
        add.setProperty("kind", "chip")
        add.setStyleSheet("QPushButton::menu-indicator { image: none; width: 0; }")
        add.setMenu(self.more)
        self._flow.addWidget(add)
        self._enable()
        self.updateGeometry()
        self.changed.emit()

    def _enable(self) -> None:
        full = len(self.wishes) >= MOST
        for wish, chip in self.chips.items():
            no_generic = wish == GENERIC and not self._generic
            chip.setEnabled(not no_generic and (chip.isChecked() or not full))
            if no_generic:
                chip.setToolTip("This bank has no generic blocks")

    def _pressed(self, wish: ArmWish) -> None:
        if wish not in self._wanted:
            self._wanted.append(wish)
            self._enable()
            self.changed.emit()
            return
        self._wanted.remove(wish)
        if wish in ALWAYS:
            self._enable()
            self.changed.emit()
        else:
            self._offered.remove(wish)
            self._rebuild()

    def _fill(self) -> None:
        """What can be added just now."""
        self.more.clear()
        count, current = self._chosen.count, self._chosen.current
        if current is not None:
            self._offer(f"Route to {current}", partial(ArmWish, route=(current,)))
        if count:
            blocks = str(self._chosen.clusters()[0]) if count == 1 else f"the {counted(count, 'selected block')}"
            self._offer(f"This revision without {blocks}", self.without)
        if not count:
            self.more.addAction("Select a block to route to it, or to leave it out").setEnabled(False)
        self.more.addSeparator()
        log = self._study.log if self._study is not None else ()
        names = {number: name for name, number in (self._study.names if self._study is not None else {}).items()}
        for revision in sorted((each for each in log if each.parent is not None), key=lambda each: -each.id)[:REVISIONS]:
            words = " · ".join(filter(None, (names.get(revision.id), revision.title)))
            text = f"Revision {revision.id} · {words}"
            self._offer(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…", partial(ArmWish, revision=revision.id))

    def _offer(self, text: str, make: Callable[[], ArmWish | None]) -> None:
        def act() -> None:
            wish = make()
            if wish is not None:
                self.add(wish)

        self.more.addAction(on_button(text)).triggered.connect(act)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
