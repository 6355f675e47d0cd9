"""What an edit of facts would do: the measured receipt, answers before and after, the other facts that change, and the gate."""

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QFrame,
    QLineEdit,
    QProgressBar,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from memstudio.ui.fact_views import Preview, Verb
from memstudio.ui.panels.parts import EmptyState, label, row
from memstudio.ui.panels.tables import fill, table
from memstudio.ui.snapshots import JobView
from memstudio.ui.texts import counted
from memstudio.ui.theme import Theme

HINTS: dict[Verb, str] = {
    "update": "Preview tries the edit on a spare copy of the blocks and measures it: the new answers, the other phrasings, "
    "and every other fact of those blocks. Nothing is written until you apply it.",
    "erase": "Preview takes the fact out of a spare copy of the blocks and measures what is left of it, and what else changes. "
    "Nothing is written until you apply it.",
}


class PreviewView(QFrame):
    """Empty, at work, or a receipt. `reason` is where a person says why the edit goes on although the gate stops it."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setProperty("kind", "panel")
        self._theme = theme
        self._empty = EmptyState("Not measured yet", "")
        self._empty.setProperty("kind", "")
        self._stale = label("stale", "tag-warning", tip="The request or the study changed since; preview again")
        self._base = label("", "dim")
        self._pages = QStackedWidget()
        for page in (self._empty, self._make_progress(), self._make_receipt()):
            self._pages.addWidget(page)
        column = QVBoxLayout(self)
        column.setContentsMargins(11, 8, 6, 8)
        column.setSpacing(6)
        column.addLayout(row(label("What it would do", "section"), self._stale, 1, self._base))
        column.addWidget(self._pages, 1)
        self.show_nothing("update")

    def _make_progress(self) -> QWidget:
        page = QWidget()
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self._doing = label("", "dim")
        self._doing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        column = QVBoxLayout(page)
        column.setContentsMargins(60, 0, 60, 0)
        column.addStretch(1)
        column.addWidget(self._doing)
        column.addWidget(self.progress)
        column.addStretch(1)
        return page

    def _make_receipt(self) -> QWidget:
        self.gate = QFrame()
        self.gate.setProperty("kind", "bar")
        self._gate_text = label("", wrap=True, selectable=True)
        self.reason = QLineEdit()
        self.reason.setAccessibleName("Reason to go on")
        self.reason.setPlaceholderText("Why apply it all the same? The reason is kept with the revision")
        inside = QVBoxLayout(self.gate)
        inside.setContentsMargins(10, 7, 10, 8)
        inside.addWidget(self._gate_text)
        inside.addWidget(self.reason)
        self.lines = label("", wrap=True, selectable=True)
        self.answers = table(("Prompt", "Before", "After", "Wanted"))
        self.changed = table(("Prompt", "Before", "After"))
        self.left = table(("Prompt", "Before", "After", "Limit", "Nearby"))
        self.left_title = label("", "section", wrap=True)
        self._answers_title, self.changed_title = label("Answers", "section"), label("", "section", wrap=True)
        body = QWidget()
        body.setProperty("kind", "card-body")
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 6, 0)
        column.setSpacing(7)
        titled = (self.left_title, self.left, self._answers_title, self.answers, self.changed_title, self.changed)
        for widget in (self.gate, self.lines, *titled):
            column.addWidget(widget)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setAccessibleName("Preview")
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(body)
        return scroll

    def show_nothing(self, verb: Verb) -> None:
        """Before a preview."""
        self._empty.hint.setText(HINTS[verb])
        self.reason.clear()
        self._base.clear()
        self._stale.hide()
        self._pages.setCurrentIndex(0)

    def show_progress(self, job: JobView) -> None:
        """The edit is being measured."""
        self.reason.clear()
        self._base.clear()
        self._doing.setText(job.title + (f" {job.done:,} / {job.total:,}" if job.total else "…"))
        self.progress.setRange(0, job.total or 0)
        self.progress.setValue(job.done)
        self._pages.setCurrentIndex(1)

    def show_stale(self, stale: bool) -> None:
        """Whether the receipt speaks of something else than what would be applied now."""
        self._stale.setVisible(stale)

    def show_preview(self, view: Preview) -> None:
        """A measured receipt."""
        receipt = view.receipt
        self._base.setText(f"measured on revision {view.base}")
        self.gate.setVisible(bool(view.broken))
        self._gate_text.setText("The gate stops this edit:\n" + "\n".join(f"· {each}" for each in view.broken))
        self.lines.setText("\n".join(view.lines))
        good, bad = QColor(self._theme.tone.good), QColor(self._theme.tone.danger)
        fill(self.answers, receipt.get("answers", ()), ("prompt", "before", "after", "target"), lambda one: good if _hit(one) else bad)
        fill(self.changed, receipt.get("changed", ()), ("prompt", "before", "after"), lambda _: bad)
        self.answers.setColumnHidden(3, view.wish.verb == "erase")
        self._show_left(receipt.get("takedown"))
        self._answers_title.setVisible(self.answers.topLevelItemCount() > 0)
        self.changed_title.setText(changed_words(receipt))
        self._pages.setCurrentIndex(2)

    def _show_left(self, report: Mapping[str, Any] | None) -> None:
        """What an erasure leaves of the answers, by probability."""
        probes = [left_row(probe) for probe in report["probes"]] if report else []
        good, bad = QColor(self._theme.tone.good), QColor(self._theme.tone.danger)
        fill(self.left, probes, ("prompt", "before", "after", "limit", "worst"), lambda one: good if one["within"] else bad)
        self.left_title.setVisible(bool(probes))
        if report:
            self.left_title.setText(f"Probability of the answers: {report['within']} of {report['count']} within the limit")


def left_row(probe: Mapping[str, Any]) -> dict[str, str]:
    """Probabilities of an erased answer: before, after, the most it may keep, and the worst on a neighbouring path."""
    others = probe.get("other_paths")
    worst = f"{others['worst']:.3f}" if isinstance(others, Mapping) else "–"
    figures = {name: f"{probe[name]:.3f}" for name in ("before", "after", "limit")}
    return {"prompt": str(probe["prompt"]), **figures, "worst": worst, "within": "yes" if probe["within"] else ""}


def changed_words(receipt: Mapping[str, Any]) -> str:
    """How many co-resident prompts change their answer, of how many; what was not measured says so."""
    changed = receipt.get("changed")
    found = receipt.get("proportions", {}).get("locality")
    if found is None or changed is None:
        return "Other answers of these blocks: not measured"
    if not found["n"]:
        return "No other prompt fetches these blocks"
    asked = counted(found["n"], "other prompt")
    return f"None of {asked} changed" if not changed else f"{len(changed):,} of {asked} changed"


def _hit(answer: Mapping[str, Any]) -> bool:
    from memstudio.facts.score import is_correct

    target = str(answer.get("target") or "")
    after = str(answer.get("after") or "")
    return is_correct(after, target) if target else after != answer.get("before")
