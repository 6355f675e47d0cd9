"""What was ranked is kept for as long as it is of the same study at the same revision."""

from pathlib import Path

from memstudio.bank.values import ClusterId
from memstudio.editing.scale import Scale
from memstudio.jobs import Job
from memstudio.session import open_session
from memstudio.ui.export_errands import Rankings
from memstudio.ui.export_views import OrderWish


def test_another_study_of_the_bank_at_the_same_revision_is_ranked_by_itself(tiny_bank: Path, tmp_path: Path) -> None:
    kept, cluster = Rankings(), ClusterId(3, 5)
    scores: list[float] = []
    for name, factor in (("one", 0.5), ("two", 2.0), ("two", 2.0)):
        with open_session(tiny_bank, study=tmp_path / name, device="cpu") as session:
            if session.head == 0:
                session.apply(Scale((cluster,), factor))
            ranking = kept.of(session, OrderWish("norm"), Job("rank"))
            scores.append(float(ranking.scores[cluster.level - 1][cluster.index]))
    assert scores == [scores[0], 4 * scores[0], 4 * scores[0]]
