"""Lessons of any paths in one batch: logits, loss and gradients of the path-by-path way, every lesson once, within the budget."""

from collections import Counter
from collections.abc import Iterable, Iterator

import pytest
import torch
from torch import Tensor

from memstudio.anchor.arm import Arm
from memstudio.anchor.gathered import ByRow
from memstudio.anchor.load import Anchor, load_anchor
from memstudio.bank.bank import Bank, open_bank
from memstudio.bank.values import PRUNED, BlockState, ClusterId, Overlay
from memstudio.editing import mixed
from memstudio.editing.desk import Desk
from memstudio.editing.lessons import Batch, Lesson, answer_loss, by_blocks, make_batch, score_batch
from memstudio.editing.mixed import Mixed, by_length
from tests.editing.desks import make_desk
from tests.tiny import make_bank

LEAF = ClusterId(3, 13)
OVERLAY = {
    ClusterId(3, 12): PRUNED,
    ClusterId(3, 20): PRUNED,
    ClusterId(3, 14): BlockState(scale=0.5),
    ClusterId(3, 15): BlockState(scale=2.0),
    ClusterId(2, 4): BlockState(scale=-1.5),
}
FITTED = (ClusterId(1, 1), ClusterId(2, 4), LEAF, ClusterId(3, 14), ClusterId(3, 2))
"""Scaled ones among them, and both siblings that may stand in for 3/12."""


@pytest.fixture(scope="module", params=["zero", "sibling", "generic", "empty level"])
def bank(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bank:
    folder = tmp_path_factory.mktemp("mixed") / "bank"
    if request.param == "empty level":
        return open_bank(make_bank(folder, levels=((3, 4), (9, 0), (27, 6))))
    return open_bank(make_bank(folder, fallback=request.param))


@pytest.fixture(scope="module")
def anchor(bank: Bank) -> Anchor:
    return load_anchor(bank.anchor_dir(), device="cpu")


@pytest.fixture
def desk(bank: Bank, anchor: Anchor) -> Iterator[Desk]:
    arm = Arm(bank, anchor)
    overlay: Overlay = {cluster: state for cluster, state in OVERLAY.items() if bank.has_block(cluster)}
    found = make_desk(bank, overlay)
    found.arm = lambda: arm
    yield found
    arm.attached.detach()


def make_lessons(bank: Bank, anchor: Anchor) -> list[Lesson]:
    """Prompts and answers of many lengths on every route, on beginnings of routes, and on none."""
    paths = [bank.tree.route_to(ClusterId(3, index))[:length] for index in range(27) for length in (3, 3, 2)] + [()]
    random = torch.Generator().manual_seed(0)
    lessons = []
    for at, path in enumerate(paths):
        ids = torch.randint(2, anchor.vocabulary, (3 + at % 7 + 1 + at % 3,), generator=random).tolist()
        lessons.append(Lesson(tuple(ids[: -1 - at % 3]), tuple(ids[-1 - at % 3 :]), path))
    return lessons


def fitted(desk: Desk) -> dict[ClusterId, Tensor]:
    return {cluster: desk.row(cluster).float().requires_grad_() for cluster in FITTED if desk.bank.has_block(cluster)}


Scored = Iterable[tuple[Batch, Tensor]]


def by_path(desk: Desk, lessons: list[Lesson], rows: dict[ClusterId, Tensor]) -> Iterator[tuple[Batch, Tensor]]:
    for group in by_blocks(desk, lessons):
        batch = make_batch(group, "cpu")
        yield batch, score_batch(desk, batch, rows)


def together(desk: Desk, lessons: list[Lesson], rows: dict[ClusterId, Tensor]) -> Iterator[tuple[Batch, Tensor]]:
    way = Mixed(desk)
    for batch in way.batches(lessons):
        yield batch, way.scores(batch, rows)


def answered(scored: Scored) -> dict[Lesson, Tensor]:
    """The logits of each lesson's answer."""
    return {lesson: row[-len(lesson.answer) :] for batch, scores in scored for lesson, row in zip(batch.lessons, scores, strict=True)}


def test_logits_loss_and_gradients_are_those_of_the_way_path_by_path(desk: Desk, bank: Bank, anchor: Anchor) -> None:
    lessons = make_lessons(bank, anchor)
    met = []
    for way in (by_path, together):
        rows, found, total = fitted(desk), [], 0.0
        for batch, scores in way(desk, lessons, rows):
            loss = answer_loss(scores, batch.answers).sum()
            if loss.requires_grad:  # a batch path by path may hold no fitted block
                torch.autograd.backward(loss)
            total += float(loss.detach())
            found.append((batch, scores.detach()))
        met.append((answered(found), total, len(found), {cluster: row.grad for cluster, row in rows.items()}))
    (logits, loss, many, gradients), (same_logits, same_loss, few, same_gradients) = met
    assert few < many / 4
    assert set(logits) == set(same_logits) == set(lessons)
    for lesson in lessons:
        torch.testing.assert_close(same_logits[lesson], logits[lesson], rtol=1e-4, atol=1e-4)
    assert same_loss == pytest.approx(loss, rel=1e-5)
    assert set(gradients) == set(same_gradients)
    for cluster, gradient in gradients.items():
        assert gradient is not None
        largest = float(gradient.abs().max())
        assert largest > 0
        torch.testing.assert_close(same_gradients[cluster], gradient, rtol=1e-3, atol=1e-5 * largest)


def test_where_all_fetch_the_same_the_logits_are_bit_identical(desk: Desk, bank: Bank, anchor: Anchor) -> None:
    path, way, rows = bank.tree.route_to(LEAF), Mixed(desk), fitted(desk)
    batch = make_batch([lesson for lesson in make_lessons(bank, anchor) if lesson.path == path], "cpu")
    assert torch.equal(way.scores(batch, rows), score_batch(desk, batch, rows))
    assert not any(isinstance(way._level(level, [path] * 3, rows), ByRow) for level in (1, 2, 3))


def test_a_budget_parts_the_lessons_and_bounds_what_is_held(desk: Desk, bank: Bank, anchor: Anchor) -> None:
    lessons = make_lessons(bank, anchor)
    sizes = [layout.n * 4 for layout in bank.layouts]
    budget = sum(sizes) + sizes[2]
    way = Mixed(desk, budget)
    batches = list(way.batches(lessons))
    assert Counter(lesson for batch in batches for lesson in batch.lessons) == Counter(lessons)
    assert len(batches) > len(list(Mixed(desk).batches(lessons)))
    rows = fitted(desk)
    wanted = answered(by_path(desk, lessons, rows))
    for batch in batches:
        fetched = {cluster for lesson in batch.lessons for cluster in lesson.path if bank.has_block(cluster)}
        fetched -= {cluster for cluster, state in desk.overlay.items() if state.pruned}
        assert sum(sizes[cluster.level - 1] for cluster in fetched) <= budget
        for lesson, found in answered([(batch, way.scores(batch, rows))]).items():
            torch.testing.assert_close(found, wanted[lesson], rtol=1e-4, atol=1e-4)
        assert sum(row.numel() * 4 for row in way._held.values()) == way._held_bytes <= budget


def test_a_lesson_above_the_budget_is_scored_alone(desk: Desk, bank: Bank, anchor: Anchor) -> None:
    lessons = make_lessons(bank, anchor)[:3]
    way = Mixed(desk, 1)
    found = answered((batch, way.scores(batch, {})) for batch in way.batches(lessons))
    assert set(found) == set(lessons)
    for lesson, scores in answered(by_path(desk, lessons, {})).items():
        torch.testing.assert_close(found[lesson], scores, rtol=1e-4, atol=1e-4)


def test_parts_hold_few_lessons_few_logits_and_little_padding(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = [(1, 5), (1, 1), (1, 4), (1, 5), (1, 12), *[(30, 1)] * 9, (40, 1)]
    given = [Lesson((1,) * prompt, (2,) * answer, ()) for prompt, answer in sizes]

    def parts() -> list[list[int]]:
        found = list(by_length(given, 10))
        assert Counter(lesson for part in found for lesson in part) == Counter(given)
        return [[len(lesson.ids) for lesson in part] for part in found]

    assert parts() == [[1, 4, 5, 5, 12, *[30] * 9], [40]]
    monkeypatch.setattr(mixed, "SCORES", 100)
    assert parts() == [[1, 4], [5, 5], [12], [30] * 9 + [40]]
    monkeypatch.setattr(mixed, "BATCH", 4)
    assert parts() == [[1, 4], [5, 5], [12], [30] * 4, [30] * 4, [30, 40]]
