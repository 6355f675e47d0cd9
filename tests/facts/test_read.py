"""Fact files come from others: each field is checked, and what is wrong is said with its line."""

import json
from pathlib import Path

import pytest

from memstudio.bank.bank import open_bank
from memstudio.errors import UserError
from memstudio.facts import read
from memstudio.facts.read import prompts_of, read_facts
from memstudio.facts.routes import read_routes
from tests.bank.damage import edit_header, header_of, write_with_header
from tests.tiny import facts, make_bank


def write(folder: Path, *lines: object) -> Path:
    path = folder / "facts.jsonl"
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines))
    return path


def test_the_bank_s_facts_are_read(tiny_bank: Path) -> None:
    found = read_facts(open_bank(tiny_bank).facts_path)
    assert [fact.id for fact in found] == [fact["id"] for fact in facts()]
    assert [kind for kind, _ in prompts_of(found[0])] == ["prompt", "trained", "held_out"]


def test_prompt_and_expected_are_enough(tmp_path: Path) -> None:
    found = read_facts(write(tmp_path, {"prompt": "a", "expected": "b"}, b"", {"prompt": "c", "expected": "d"}))
    assert [(fact.id, fact.kind, fact.phrasings) for fact in found] == [("1", "specific", ()), ("3", "specific", ())]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        ([1], "not a JSON object"),
        ({"expected": "b"}, "prompt is missing"),
        ({"prompt": "a"}, "expected is missing"),
        ({"prompt": " ", "expected": "b"}, "prompt is empty"),
        ({"prompt": "a", "expected": 79}, "type int"),
        ({"prompt": "a", "expected": "b", "phrasings": "c"}, "list of texts"),
        ({"prompt": "a", "expected": "b", "held_out": [1]}, "list of texts"),
        ({"prompt": "a", "expected": "b", "aliases": [""]}, "list of texts"),
        ({"prompt": "a", "expected": "b", "kind": "odd"}, "kind"),
        ({"prompt": "a", "expected": "b", "promt": "c"}, "unknown field"),
        ({"prompt": "a" * 30_000, "expected": "b"}, "over the limit"),
        ({"prompt": "\ud800", "expected": "b"}, "surrogate"),
        ({"id": "first", "prompt": "a", "expected": "b"}, "earlier line"),
    ],
)
def test_a_bad_line_is_refused_with_its_number(tmp_path: Path, line: object, says: str) -> None:
    path = write(tmp_path, {"id": "first", "prompt": "a", "expected": "b"}, line)
    with pytest.raises(UserError, match=says) as caught:
        read_facts(path)
    assert "line 2" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_line_without_end_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "MAX_LINE_BYTES", 64)
    with pytest.raises(UserError, match="over 64 bytes"):
        read_facts(write(tmp_path, b"x" * 1000))


def test_a_file_of_absurd_size_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "MAX_FILE_BYTES", 64)
    with pytest.raises(UserError, match="over the limit"):
        read_facts(write(tmp_path, b"x" * 1000))


def test_no_file_a_folder_and_an_empty_file_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jsonl", tmp_path, write(tmp_path, b"")):
        with pytest.raises(UserError):
            read_facts(path)


def test_the_shipped_routes_are_paths_of_the_tree(tiny_bank: Path) -> None:
    bank = open_bank(tiny_bank)
    found = read_routes(bank, read_facts(bank.facts_path))
    assert len(found) == 30
    assert all(bank.tree.route_to(path[-1]) == path for path in found.values())


def test_routes_of_another_shape_are_refused(tmp_path: Path) -> None:
    bank = open_bank(make_bank(tmp_path / "bank"))
    with pytest.raises(UserError):
        read_routes(bank, read_facts(bank.facts_path)[:3])


def test_routes_that_leave_the_tree_are_refused(tmp_path: Path) -> None:
    folder = make_bank(tmp_path / "bank")
    path = folder / "routes.safetensors"
    header, body = header_of(path)
    write_with_header(path, header, (26).to_bytes(4, "little") + body[4:])
    edit_header(folder, "routes.safetensors", lambda header: None)
    bank = open_bank(folder)
    with pytest.raises(UserError, match="no path of this bank's tree"):
        read_routes(bank, read_facts(bank.facts_path))
