"""What was counted stands in the study: kept, replaced, added to, removed, read beside a writer."""

import dataclasses
from pathlib import Path

import pytest

from memstudio.bank.values import BASE, PRUNED, Change, ClusterId
from memstudio.errors import UserError
from memstudio.history.values import RUNS, Count, KeptUse
from tests.history.conftest import OpenStudy

GOLD, LEAD = ClusterId(3, 4), ClusterId(1, 2)
COUNTS = {GOLD: Count(3, 2, -1.5, 1.25), LEAD: Count(4)}


def kept(name: str = "facts", digest: str = "ab" * 32, revision: int = 0, counts: dict[ClusterId, Count] | None = None) -> KeptUse:
    return KeptUse(name, digest, revision, 5, 4, 2, 12.5, COUNTS if counts is None else counts)


def test_a_count_is_read_again_as_it_was_by_a_reader_beside_the_writer(open_study: OpenStudy) -> None:
    writer = open_study()
    number = writer.keep_use(kept())
    for store in (writer, open_study(readonly=True)):
        (found,) = store.uses()
        assert (found.id, found.counts) == (number, COUNTS)
        assert (found.name, found.digest, found.revision, found.total, found.prompts, found.measured, found.time_s) == (
            "facts", "ab" * 32, 0, 5, 4, 2, 12.5,
        )  # fmt: skip


def test_the_same_prompts_at_the_same_revision_are_replaced(open_study: OpenStudy) -> None:
    store = open_study()
    store.keep_use(kept())
    store.keep_use(kept(counts={LEAD: Count(1)}))
    store.keep_use(kept(name="others"))
    store.keep_use(kept(digest="cd" * 32))
    assert [dict(each.counts) for each in store.uses()] == [{LEAD: Count(1)}, COUNTS, COUNTS]
    with pytest.raises(UserError, match="revision 7"):
        store.keep_use(kept(revision=7))


def test_a_count_without_effects_or_cut_short_leaves_the_fuller_one(open_study: OpenStudy) -> None:
    store = open_study()
    number = store.keep_use(kept())
    for less in (dataclasses.replace(kept(), measured=0, counts={}), dataclasses.replace(kept(), prompts=1, counts={})):
        assert store.keep_use(less) == number
        assert [dict(each.counts) for each in store.uses()] == [COUNTS]
    store.keep_use(dataclasses.replace(kept(), measured=4, counts={LEAD: Count(2)}))
    assert [dict(each.counts) for each in store.uses()] == [{LEAD: Count(2)}]


def test_single_runs_add_up_for_each_revision(open_study: OpenStudy) -> None:
    store = open_study()
    store.keep_use(kept())
    store.add_to_runs({GOLD: Count(1), LEAD: Count(1)}, prompts=1)
    store.add_to_runs({GOLD: Count(0, 1, -0.5, 0.5)}, measured=1)
    store.add_to_runs({GOLD: Count(1)}, prompts=1)
    with store.commit("prune", "lead", [Change(LEAD, BASE, PRUNED)]):
        pass
    store.add_to_runs({LEAD: Count(1)}, prompts=1)
    first, second = store.uses(sets=False)
    assert (first.name, first.digest, first.revision, first.prompts, first.measured) == (RUNS, "", 0, 2, 1)
    assert first.counts == {GOLD: Count(2, 1, -0.5, 0.5), LEAD: Count(1)}
    assert (second.revision, second.counts) == (1, {LEAD: Count(1)})
    assert [each.name for each in store.uses(runs=False)] == ["facts"]


def test_a_count_is_removed_with_its_figures(open_study: OpenStudy, folder: Path) -> None:
    store = open_study()
    number = store.keep_use(kept())
    store.forget_use(number)
    assert store.uses() == ()
    with pytest.raises(UserError, match="none of that number"):
        store.forget_use(number)
    store.close()
    with pytest.raises(UserError, match="reading only"):
        open_study(readonly=True).forget_use(number)


@pytest.mark.parametrize(
    "bad",
    [
        kept(name=""),
        kept(name="a\nb"),
        kept(digest="x"),
        kept(counts={GOLD: Count(-1)}),
        kept(counts={GOLD: Count(1, 1, float("nan"))}),
        kept(counts={ClusterId(0, 1): Count(1)}),
    ],
)
def test_what_could_not_be_read_again_is_not_written(open_study: OpenStudy, bad: KeptUse) -> None:
    store = open_study()
    with pytest.raises(ValueError, match=r"name|digest|no counts|finite|no cluster"):
        store.keep_use(bad)
    assert store.uses() == ()
