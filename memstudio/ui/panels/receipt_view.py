"""The receipt of one revision in plain words: what the gate said, each proportion with its n and interval, answers and blocks."""

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QFrame, QGridLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget

from memstudio.history.values import Revision
from memstudio.ui.panels.parts import label, row
from memstudio.ui.panels.tables import MOST_LISTED, fill, table
from memstudio.ui.texts import counted, state_words, when
from memstudio.ui.theme import Theme

NOT_MEASURED = "not measured"
SHORT_DIGEST, DIGEST = 8, 64
BEFORE, AFTER = "Before", "After"
SHORT = {"generalization reached": "… reached", "outside identical": "same outside"}
"""Names that would leave the figures too little room."""


class ReceiptView(QScrollArea):
    """One revision's receipt. Emits `measure_wanted` from the button that stands where none was measured."""

    measure_wanted = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setProperty("kind", "card")
        self.setAccessibleName("Receipt")
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._theme = theme
        self._revision: Revision | None = None
        self.title, self.place = label("", "strong", wrap=True, selectable=True), label("", "dim", wrap=True)
        self.unmeasured = QWidget()
        self.measure_button = QPushButton("Measure now")
        self.measure_button.clicked.connect(self.measure_wanted)
        self.unmeasured.setLayout(row(label("What it did was not measured.", "notice"), 1, self.measure_button))
        self.gate = QFrame()
        self.gate_line = label("", wrap=True, selectable=True)
        inside = QVBoxLayout(self.gate)
        inside.setContentsMargins(8, 5, 8, 5)
        inside.addWidget(self.gate_line)
        self._figures_box = QWidget()
        self._figures = QGridLayout(self._figures_box)
        self._figures.setContentsMargins(0, 0, 0, 0)
        self._figures.setHorizontalSpacing(8)
        self._figures.setVerticalSpacing(2)
        self._figures.setColumnStretch(1, 1)
        self.notes = label("", "dim", wrap=True, selectable=True)
        self._titles = {name: label("", "section", wrap=True) for name in ("left", "answers", "changed", "blocks")}
        self.answers, self.changed = table(("Prompt", BEFORE, AFTER), 74), table(("Prompt", BEFORE, AFTER), 74)
        self.blocks = table(("Block", BEFORE, AFTER, "Norm"), 93)
        self.left = table(("Prompt", BEFORE, AFTER, "Limit"), 66)
        self._lay_out()
        theme.changed.connect(lambda: self.show_revision(self._revision, self.place.text()))

    def _lay_out(self) -> None:
        body = QWidget()
        body.setProperty("kind", "card-body")
        column = QVBoxLayout(body)
        column.setContentsMargins(9, 7, 7, 7)
        column.setSpacing(6)
        for widget in (self.title, self.place, self.gate, self.unmeasured, self._figures_box, self.notes):
            column.addWidget(widget)
        for name, shown in zip(self._titles, (self.left, self.answers, self.changed, self.blocks), strict=True):
            column.addWidget(self._titles[name])
            column.addWidget(shown)
        column.addStretch(1)
        self.setWidget(body)

    def show_revision(self, revision: Revision | None, place: str = "") -> None:
        """Another revision's receipt, and where that revision stands; None empties the view."""
        self._revision = revision
        shipped = revision is not None and revision.parent is None
        receipt: Mapping[str, Any] = revision.receipt if revision is not None else {}
        self.title.setText("" if revision is None else title_of(revision))
        self.place.setText(place)
        self.place.setVisible(bool(place))
        measured = bool(receipt.get("measured"))
        self.unmeasured.setVisible(revision is not None and not shipped and not measured)
        self._show_gate(receipt.get("gate") if measured else None)
        self._show_figures(figures(receipt) if measured else [], receipt)
        notes = receipt.get("notes")
        lines = [str(note) for note in notes] if isinstance(notes, Sequence) and not isinstance(notes, str) else []
        if shipped:
            lines = ["No edit, so there is no receipt. Each edit becomes a revision with its own."]
        self.notes.setText("\n".join(lines))
        self.notes.setVisible(bool(lines))
        self._show_tables(revision, receipt)

    def _show_gate(self, gate: object) -> None:
        """What the gate said; without one nothing is said of it."""
        line, held = gate_words(gate)
        self.gate.setVisible(bool(line))
        self.gate.setProperty("kind", "" if held else "bar")
        self.gate.style().unpolish(self.gate)
        self.gate.style().polish(self.gate)
        layout = self.gate.layout()
        if layout is not None:
            layout.setContentsMargins(*((0, 0, 0, 0) if held else (8, 5, 8, 5)))
        self.gate_line.setText(line)

    def _show_figures(self, found: list[tuple[str, str]], receipt: Mapping[str, Any]) -> None:
        while (item := self._figures.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        counted_ = receipt.get("proportions")
        for at, (name, value) in enumerate(found):
            protocol = counted_.get(name.replace(" ", "_")) if isinstance(counted_, Mapping) else None
            tip = str(protocol.get("protocol", "")) if isinstance(protocol, Mapping) else ""
            head = label(SHORT.get(name, name), "dim", tip=tip)
            words = label(value, "dim" if value == NOT_MEASURED or not name else "", wrap=True, tip=tip, selectable=True)
            self._figures.addWidget(head, at, 0, Qt.AlignmentFlag.AlignTop)
            self._figures.addWidget(words, at, 1) if name else self._figures.addWidget(words, at, 0, 1, 2)
        self._figures_box.setVisible(bool(found))

    def _show_tables(self, revision: Revision | None, receipt: Mapping[str, Any]) -> None:
        tone = self._theme.tone
        answers, changed = listed(receipt, "answers"), listed(receipt, "changed")
        fill(self.answers, answers, ("prompt", "before", "after"), lambda one: QColor(tone.good if _hit(one) else tone.danger))
        fill(self.changed, changed, ("prompt", "before", "after"), lambda _: QColor(tone.danger))
        left = left_rows(receipt)
        fill(self.left, left, ("prompt", "before", "after", "limit"), lambda one: QColor(tone.good if one["within"] else tone.danger))
        blocks = block_rows(revision) if revision is not None else []
        changed_blocks = 0 if revision is None else len(listed(receipt, "digests")) or len(revision.changes)
        fill(self.blocks, blocks, ("cluster", "before", "after", "norm"), lambda _: QColor(tone.text), changed_blocks)
        count = receipt.get("changed_count")
        more = f" (the first {len(changed)} of {count:,})" if isinstance(count, int) and count > len(changed) else ""
        measured = bool(receipt.get("measured"))
        self.blocks.setColumnHidden(3, not measured)
        for section in (1, 2):
            self.blocks.header().resizeSection(section, 93 if measured else 126)
        for name, rows, words in (
            ("left", left, "Probability of the erased answers"),
            ("answers", answers, "Answers of the edit"),
            ("changed", changed, f"Other answers that changed{more}"),
            ("blocks", blocks, counted(changed_blocks, "block") + " changed"),
        ):
            self._titles[name].setText(words)
            self._titles[name].setVisible(bool(rows))


def title_of(revision: Revision) -> str:
    """Revision 3 · prune 3/5."""
    return f"Revision {revision.id} · {revision.title if revision.parent is not None else 'the bank as shipped'}"


def place_of(revision: Revision, names: Sequence[str]) -> str:
    """Where a revision stands: on which parent, since when, whether the head leads over it, its names."""
    parts = [] if revision.parent is None else [f"made on revision {revision.parent}", when(revision.time_s)]
    parts.append("the head" if revision.head else "on the way to the head" if revision.current else "aside, not on the way to the head")
    parts += [f"named {', '.join(names)}"] if names else []
    return " · ".join(parts)


def gate_words(gate: object) -> tuple[str, bool]:
    """What the gate said, and whether it held; "" where none was asked."""
    if not isinstance(gate, Mapping):
        return "", True
    broken = gate.get("broken")
    if isinstance(broken, list) and broken:
        reason = str(gate.get("reason") or "no reason was kept")
        return f"The gate said no: {'; '.join(map(str, broken))}.\nIt went on because: {reason}", False
    missing = gate.get("not_measured")
    left = f" Not measured: {', '.join(str(name).replace('_', ' ') for name in missing)}." if isinstance(missing, list) and missing else ""
    return f"The gate let it pass.{left}", True


def figures(receipt: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The receipt's lines as (name, figure); a line that is no figure has the name ""."""
    from memstudio.facts.receipt import NAMES, present

    found = []
    for text in present(receipt):
        if text.startswith("gate:"):
            continue  # said above
        name = next((words for words in sorted((n.replace("_", " ") for n in NAMES), key=len, reverse=True) if text.startswith(words)), "")
        found.append((name, text.removeprefix(name).strip()))
    return found


def listed(receipt: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """A list of objects in a receipt; it may come from anybody, so what is none is left out."""
    found = receipt.get(name)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def block_rows(revision: Revision) -> list[dict[str, str]]:
    """The first blocks of a revision with short digests and norms where they were measured, else the states that it changed."""
    digests = listed(revision.receipt, "digests")[:MOST_LISTED]
    rows = [(one.get("cluster"), one.get("before"), one.get("after"), _norm(one)) for one in digests] or [
        (each.cluster, state_words(each.before), state_words(each.after), NOT_MEASURED) for each in revision.changes[:MOST_LISTED]
    ]
    return [
        {"cluster": str(cluster), "before": _short(before), "after": _short(after), "norm": norm} for cluster, before, after, norm in rows
    ]


def left_rows(receipt: Mapping[str, Any]) -> list[dict[str, str]]:
    """What an erasure left of each answer, by probability; a probe that says it otherwise is left out."""
    report = receipt.get("takedown")
    found = []
    for probe in listed(report, "probes") if isinstance(report, Mapping) else []:
        figures_ = [probe.get(name) for name in ("before", "after", "limit")]
        if all(isinstance(figure, int | float) for figure in figures_):
            before, after, limit = (f"{figure:.3f}" for figure in figures_)
            within = "yes" if probe.get("within") else ""
            found.append({"prompt": str(probe.get("prompt")), "before": before, "after": after, "limit": limit, "within": within})
    return found


def _short(state: object) -> str:
    """A digest by its start; words as they are."""
    text = str(state)
    return text[:SHORT_DIGEST] if len(text) == DIGEST else text


def _norm(one: Mapping[str, Any]) -> str:
    norm = one.get("norm")
    return f"{norm:.3g}" if isinstance(norm, int | float) and not isinstance(norm, bool) else NOT_MEASURED


def _hit(answer: Mapping[str, Any]) -> bool:
    from memstudio.facts.score import is_correct

    target, after = str(answer.get("target") or ""), str(answer.get("after") or "")
    return is_correct(after, target) if target else after != answer.get("before")
