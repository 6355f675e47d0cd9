"""What teaching or erasing documents does, measured: each document before and after, what an erasure leaves, whom it changes, the gate."""

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QFrame, QLineEdit, QProgressBar, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from memstudio.ui.learn_views import TeachWish, Tried
from memstudio.ui.panels.parts import EmptyState, label, row
from memstudio.ui.panels.preview_view import left_row
from memstudio.ui.panels.tables import fill, table
from memstudio.ui.snapshots import JobView
from memstudio.ui.texts import counted
from memstudio.ui.theme import Theme

TEACH_HINT = (
    "Preview teaches the documents to a spare copy of the blocks and measures it: how likely their words become, and what else "
    "changes. Nothing is written until you apply it."
)
ERASE_HINT = (
    "Preview takes the documents out of a spare copy of the blocks and measures what is left of them, and what else changes. "
    "Nothing is written until you apply it."
)
_TIP = "Mean log-probability of its tokens, in nats; nearer to 0 is known better"


class LearnReceipt(QFrame):
    """Empty, at work, or a receipt. `reason` is where a person says why the edit goes on although the gate stops it."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setProperty("kind", "panel")
        self._theme = theme
        self._seen: Tried | None = None
        self.title = label("What it would do", "section")
        self.stale = label("stale", "tag-warning", tip="The documents or the study changed since; preview again")
        self.place = label("", "dim")
        self.empty = EmptyState("Not measured yet", TEACH_HINT)
        self.empty.setProperty("kind", "")
        self._pages = QStackedWidget()
        for page in (self.empty, self._make_progress(), self._make_receipt()):
            self._pages.addWidget(page)
        column = QVBoxLayout(self)
        column.setContentsMargins(11, 8, 6, 8)
        column.setSpacing(6)
        column.addLayout(row(self.title, self.stale, 1, self.place))
        column.addWidget(self._pages, 1)
        theme.changed.connect(self._retone)
        self.show_nothing(TEACH_HINT)

    def _make_progress(self) -> QWidget:
        page = QWidget()
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName("Progress")
        self.doing = label("", "dim", wrap=True)
        self.doing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        column = QVBoxLayout(page)
        column.setContentsMargins(40, 0, 40, 0)
        column.addStretch(1)
        column.addWidget(self.doing)
        column.addWidget(self.progress)
        column.addStretch(1)
        return page

    def _make_receipt(self) -> QWidget:
        self.done = label("", "strong", wrap=True, selectable=True)
        self.gate, self.reason = QFrame(), QLineEdit()
        self.gate.setProperty("kind", "bar")
        self._gate_text = label("", wrap=True, selectable=True)
        self.reason.setObjectName("learn.reason")
        self.reason.setAccessibleName("Why apply it all the same")
        self.reason.setPlaceholderText("Why apply it all the same? The reason is kept with the revision")
        inside = QVBoxLayout(self.gate)
        inside.setContentsMargins(10, 7, 10, 8)
        inside.addWidget(self._gate_text)
        inside.addWidget(self.reason)
        self.learned = table(("Document", "Tokens", "Before", "After", "Blocks"))
        for section, width in enumerate((54, 54, 54, 84), 1):
            self.learned.header().resizeSection(section, width)
        for section in (2, 3):
            self.learned.headerItem().setToolTip(section, _TIP)
        self.left, self.changed = table(("Prompt", "Before", "After", "Limit", "Nearby")), table(("Prompt", "Before", "After"))
        names = (
            (self.learned, "Documents, before and after"),
            (self.left, "What is left of them"),
            (self.changed, "Other answers that change"),
        )
        for shown, name in names:
            shown.setAccessibleName(name)
        self.learned_title = label("Log-probability of a token, nats", "section", wrap=True, tip=_TIP)
        self.left_title, self.changed_title = label("", "section", wrap=True), label("", "section", wrap=True)
        self.lines = label("", "dim", wrap=True, selectable=True)
        body = QWidget()
        body.setProperty("kind", "card-body")
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 6, 0)
        column.setSpacing(7)
        shown_ = (self.learned_title, self.learned, self.left_title, self.left, self.changed_title, self.changed)
        for widget in (self.done, self.gate, *shown_, self.lines):
            column.addWidget(widget)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setAccessibleName("Receipt")
        scroll.setWidget(body)
        return scroll

    def show_nothing(self, hint: str) -> None:
        """Before a preview, and what one would tell."""
        self._seen = None
        self.title.setText("What it would do")
        self.empty.hint.setText(hint)
        self.reason.clear()
        self.place.clear()
        self.stale.hide()
        self._pages.setCurrentIndex(0)

    def show_progress(self, job: JobView) -> None:
        """The edit is being measured."""
        self.title.setText("What it would do")
        self.reason.clear()
        self.place.clear()
        self.doing.setText(job.title + (f": {job.done:,} of {job.total:,}" if job.total else "…"))
        self.progress.setRange(0, job.total or 0)
        self.progress.setValue(job.done)
        self._pages.setCurrentIndex(1)

    def show_stale(self, stale: bool) -> None:
        """Whether the receipt speaks of something else than what would be applied now."""
        self.stale.setVisible(stale)

    def show_tried(self, view: Tried) -> None:
        """A receipt; nothing of it is written yet."""
        self._seen = view
        self.title.setText("What it would do")
        self.place.setText(f"measured on revision {view.base}")
        self.done.hide()
        self.gate.setVisible(bool(view.broken))
        self._gate_text.setText("The gate stops this edit:\n" + "\n".join(f"· {each}" for each in view.broken))
        self._show_tables(view)
        own = () if isinstance(view.wish, TeachWish) else view.notes  # the table says the same of what is taught
        self.lines.setText("\n".join((*own, *view.lines)))
        self._pages.setCurrentIndex(2)

    def show_kept(self, revision: int) -> None:
        """What was tried is a revision now."""
        if self._seen is None:
            return
        teaches = isinstance(self._seen.wish, TeachWish)
        ways = "Undo takes it back exactly; “Taught” erases a document of it.", "Undo brings it back, until the study is purged."
        self.title.setText("What it did")
        self.place.setText(f"applied as revision {revision}")
        self.done.setText(f"Revision {revision}: {self._seen.title}. {ways[0] if teaches else ways[1]}")
        self.done.show()
        self.gate.hide()

    def _show_tables(self, view: Tried) -> None:
        receipt, tone = view.receipt, self._theme.tone
        good, bad = QColor(tone.good), QColor(tone.danger)
        rows = learned_rows(receipt)
        fill(self.learned, rows, ("document", "tokens", "before", "after", "blocks"), lambda one: good if one["better"] else bad)
        self.learned_title.setVisible(bool(rows))
        report = receipt.get("takedown")
        left = [left_row(probe) for probe in report["probes"]] if isinstance(report, Mapping) else []
        fill(self.left, left, ("prompt", "before", "after", "limit", "worst"), lambda one: good if one["within"] else bad)
        self.left_title.setVisible(bool(left))
        if isinstance(report, Mapping):
            self.left_title.setText(f"Probability of their spans: {report['within']} of {report['count']} within the limit")
        fill(self.changed, receipt.get("changed", ()), ("prompt", "before", "after"), lambda _: bad)
        self.changed_title.setText(others_words(receipt))

    def _retone(self) -> None:
        if self._seen is not None and self._pages.currentIndex() == 2:
            self._show_tables(self._seen)


def learned_rows(receipt: Mapping[str, Any]) -> list[dict[str, str]]:
    """The documents of a receipt in words: tokens, log-probability a token before and after, the blocks; none of an erasure."""
    figures = receipt.get("figures")
    found = figures.get("learned", ()) if isinstance(figures, Mapping) else ()
    return [
        {
            "document": str(one["document"]),
            "tokens": f"{one['tokens']:,}",
            "before": signed_nats(one["logprob_before"]),
            "after": signed_nats(one["logprob_after"]),
            "blocks": ", ".join(map(str, one["routes"])),
            "better": "yes" if one["logprob_after"] > one["logprob_before"] else "",
        }
        for one in found
    ]


def signed_nats(value: float) -> str:
    """−3.21, with a true minus sign."""
    return f"{value:.2f}".replace("-", "−")


def others_words(receipt: Mapping[str, Any]) -> str:
    """How many other prompts of these blocks change their answer, of how many; what was not measured says so."""
    changed, found = receipt.get("changed"), receipt.get("proportions", {}).get("locality")
    if not receipt.get("measured"):
        return "Other prompts of these blocks: not measured"
    if found is None or changed is None or not found["n"]:
        return "No other prompt fetches these blocks"
    asked = counted(found["n"], "other prompt")
    return f"None of {asked} changed" if not changed else f"{receipt.get('changed_count', len(changed)):,} of {asked} changed"
