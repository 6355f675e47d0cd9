"""What was worked out is kept for as long as it is of the same study at the same revision; what it would take is an estimate."""

from pathlib import Path

import numpy as np

from memstudio.bank.values import ClusterId, Fallback
from memstudio.editing.scale import Scale
from memstudio.jobs import Job
from memstudio.session import open_session
from memstudio.session.curve import measure_curve
from memstudio.ui.export_kept import Worked
from memstudio.ui.export_views import CurveWish, OrderWish

STAND_INS: tuple[Fallback, ...] = ("zero", "sibling")


def test_another_study_of_the_bank_at_the_same_revision_is_ranked_by_itself(tiny_bank: Path, tmp_path: Path) -> None:
    kept, cluster = Worked(), ClusterId(3, 5)
    scores: list[float] = []
    for name, factor in (("one", 0.5), ("two", 2.0), ("two", 2.0)):
        with open_session(tiny_bank, study=tmp_path / name, device="cpu") as session:
            if session.head == 0:
                session.apply(Scale((cluster,), factor))
            plan = kept.order(session, OrderWish("norm", "zero"), Job("rank"))
            [at] = [at for at, place in enumerate(zip(plan.levels, plan.indices, strict=True)) if place == tuple(cluster)]
            scores.append(float(plan.scores[at]))
    assert scores == [scores[0], 4 * scores[0], 4 * scores[0]]


def test_another_series_runs_only_what_differs_and_the_curve_holds_both(tiny_bank: Path, tmp_path: Path) -> None:
    worked, job = Worked(), Job("curve")
    with open_session(tiny_bank, study=tmp_path / "study", device="cpu") as session:
        wish, other = (CurveWish(OrderWish("norm", fallback), tmp_path / "out") for fallback in STAND_INS)
        assert worked.known(session, wish) is None
        assert worked.curve_seconds(session, wish, job) > 0
        first = worked.curve(session, wish, job)
        assert worked.known(session, wish) is first
        assert worked.known(session, other) is None
        both = worked.curve(session, other, job)
        assert both.series == (wish.series, other.series)
        apart = measure_curve(session, ["norm"], ["zero", "sibling"])
        assert both.runs < apart.runs
        assert [(one.bytes, one.recall) for one in both.points] == [(one.bytes, one.recall) for one in apart.points]
        for one, two in zip(both.points, apart.points, strict=True):
            assert np.allclose(one.logprobs, two.logprobs, atol=1e-4)
        session.apply(Scale((ClusterId(3, 5),), 0.5))
        assert worked.known(session, wish) is None, "other numbers stand there now"


def test_a_pace_is_measured_and_leaves_no_file(tiny_bank: Path, tmp_path: Path) -> None:
    worked, out = Worked(), tmp_path / "some" / "out"
    with open_session(tiny_bank, study=tmp_path / "study", device="cpu") as session:
        before = sorted(tmp_path.iterdir())
        pace = worked.pace(session, out)
        assert pace.bytes_a_second is not None
        assert pace.bytes_a_second > 0
        assert pace.check_s is None, "no prompt was run yet"
        assert sorted(tmp_path.iterdir()) == before
        done = session.export_bank(tmp_path / "out", fraction=0.5)
        assert 0 < done.write_seconds < done.seconds
        assert done.folder_bytes == sum(each.stat().st_size for each in done.path.rglob("*") if each.is_file())
        worked.note_export(done)
        after = worked.pace(session, out)
        assert after.bytes_a_second == done.folder_bytes / done.write_seconds
        assert after.check_s == done.seconds - done.write_seconds
