"""The parts of the build dialog that need no window: places, numbers and lines as people write them, words, the time that remains."""

from pathlib import Path

import pytest

from memstudio.errors import UserError
from memstudio.ui.build_errands import field_of, look_at_place
from memstudio.ui.build_views import BuildWish
from memstudio.ui.panels.build_form import proposed_place
from memstudio.ui.panels.build_more import numbers
from memstudio.ui.panels.estimate_view import duration, layer_words
from memstudio.ui.remaining import Remaining, stage_of


def test_a_place_that_holds_something_else_is_refused(tiny_bank: Path, tmp_path: Path) -> None:
    documents = tmp_path / "notes"
    documents.mkdir()
    (documents / "one.txt").write_text("text")
    with pytest.raises(UserError, match="holds a bank already"):
        look_at_place(1, BuildWish(out=str(tiny_bank)))
    with pytest.raises(UserError, match="holds something else"):
        look_at_place(1, BuildWish(out=str(documents)))
    with pytest.raises(UserError, match="is a file"):
        look_at_place(1, BuildWish(out=str(documents / "one.txt")))
    free = look_at_place(1, BuildWish(out=str(tmp_path / "new" / "bank")))
    assert (free.line, free.resumes) == ("", False)
    (tmp_path / "bank.build").mkdir()
    assert look_at_place(1, BuildWish(out=str(tmp_path / "bank"))).resumes
    (tmp_path / "bank" / "anchor").mkdir(parents=True)
    assert look_at_place(1, BuildWish(out=f"{tmp_path}/bank/")).resumes


def test_a_proposed_place_drops_the_revision_of_a_hub_id() -> None:
    assert proposed_place("org/repo@main", ("/a/notes",)) == "/a/repo-bank"
    assert proposed_place("", ("/a/notes",)) == ""


def test_numbers_are_read_as_people_write_them() -> None:
    assert numbers("Children", " 8, 16 4", 1, 99, 8) == (8, 16, 4)
    assert numbers("Layers", "0, 2–4", 0, 99, 8) == (0, 2, 3, 4)
    assert numbers("Children", "", 1, 99, 8) is None
    for text in ("a", "1.5", "-3", "0", "100", "5-2", "1, 2, 3, 4, 5, 6, 7, 8, 9", "9" * 40):
        with pytest.raises(UserError, match=r"^Children: "):
            numbers("Children", text, 1, 99, 8)


def test_a_line_belongs_to_the_field_that_it_begins_with() -> None:
    wish = BuildWish("/m", ("/d/one",), "/b")
    assert field_of("/m: no such model folder", wish) == "model"
    assert field_of("/d/one: no text in it", wish) == "documents"
    assert field_of("/b: holds a bank already", wish) == "place"
    assert field_of("memory.layers: names layer 9", wish) == "more"
    assert field_of("something else", wish) == ""


def test_durations_and_layers_in_words() -> None:
    assert [duration(seconds, short=True) for seconds in (0.2, 41, 190, 7200, 200_000)] == [
        "under 1 s",
        "41 s",
        "3 min",
        "2.0 h",
        "2.3 days",
    ]
    assert layer_words((3,)) == "layer 3"
    assert layer_words((2, 3, 4)) == "layers 2–4"
    assert layer_words((0, 2)) == "layers 0, 2"


def test_the_time_that_remains_is_the_estimates_until_a_pace_is_known() -> None:
    clock = Remaining({"read": 10.0, "train": 100.0, "write": 5.0})
    assert clock.left("reading the documents", 0, None, 0.0) == 115.0
    assert clock.left("training 1 of 4", 0, 50, 20.0) == 105.0
    assert (
        clock.left("training 1 of 4", 10, 50, 24.0) == 4.0 * 4 + 3 * 20.0 + 5.0
    )  # 0.4 s a step: 16 s here, 20 s for each of three, 5 s to write
    assert clock.left("writing", 1, 2, 30.0) == 2.5


def test_the_pace_of_a_resumed_stage_counts_from_where_it_was_taken_up() -> None:
    clock = Remaining({})
    assert clock.left("encoding", 900, 1000, 0.0) is None
    assert clock.left("encoding", 950, 1000, 5.0) == 5.0


def test_what_goes_on_more_slowly_is_judged_by_its_pace_of_late() -> None:
    clock = Remaining({})
    for at in range(6):
        clock.left("counting", at * 1000, 10000, float(at))
    for at in range(6, 30):
        left = clock.left("counting", 5000 + (at - 5) * 10, 10000, float(at))
    assert left == (5000 - 240) / 10


@pytest.mark.parametrize(
    ("title", "stage"),
    [
        ("reading the documents", "read"),
        ("encoding", "embed"),
        ("growing the tree", "cluster"),
        ("training 3 of 7", "train"),
        ("probing", "probe"),
    ],
)
def test_stages_are_known_by_their_titles(title: str, stage: str) -> None:
    assert stage_of(title) == stage
