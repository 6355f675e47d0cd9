"""Fact files of any shape come from strangers: each record by itself, bounded, with its line, whatever surrounds it."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memstudio.errors import UserError
from memstudio.facts.formats import records
from memstudio.facts.read import read_fact_file

GOOD = {"prompt": "one", "expected": "x"}


def put(folder: Path, content: bytes) -> Path:
    path = folder / "facts"
    path.write_bytes(content)
    return path


def read(folder: Path, content: bytes) -> tuple[list[str], list[tuple[int, str]]]:
    """The prompts that were read, and the skipped records."""
    found = read_fact_file(put(folder, content))
    return [fact.prompt for fact in found.facts], [(skipped.line, skipped.reason) for skipped in found.skipped]


def test_a_line_or_record_without_end_is_passed_over_and_never_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MAX_RECORD", 200)
    one, two = (json.dumps({"prompt": text, "expected": "x"}).encode() for text in ("one", "two"))
    long = json.dumps({"prompt": "a" * 5_000, "expected": "x"}).encode()
    prompts, skipped = read(tmp_path, b"\n".join([one, long, two]))
    assert prompts == ["one", "two"]
    assert [line for line, _ in skipped] == [2]
    assert "over 200" in skipped[0][1]
    prompts, skipped = read(tmp_path, b"prompt,expected\none,x\n" + b"a" * 5_000 + b",x\ntwo,x\n")
    assert prompts == ["one", "two"]
    assert [line for line, _ in skipped] == [3]


def test_a_list_s_broken_record_is_listed_with_its_line_and_the_rest_goes_on(tmp_path: Path) -> None:
    one, two = (json.dumps({"prompt": text, "expected": "x"}).encode() for text in ("one", "two"))
    prompts, skipped = read(tmp_path, b"[\n" + b",\n".join([one, b'{"prompt": }', b"17", two]) + b"\n]\n")
    assert prompts == ["one", "two"]
    assert [line for line, _ in skipped] == [3, 4]


@pytest.mark.parametrize(
    ("tail", "says"), [(b"", "not closed"), (b"] and more", "behind the end"), (b'\n{"prompt": "two", "expected": "x"}]', "comma")]
)
def test_a_list_that_ends_wrongly_keeps_what_it_held(tmp_path: Path, tail: bytes, says: str) -> None:
    prompts, skipped = read(tmp_path, b"[" + json.dumps(GOOD).encode() + tail)
    assert prompts[0] == "one"
    assert any(says in reason for _, reason in skipped)


@pytest.mark.parametrize("deep", [b"[" * 100_000, b'{"a":' * 100_000])
@pytest.mark.parametrize("before", [b"", b"[\n"], ids=["lines", "list"])
def test_deep_nesting_is_a_broken_record(tmp_path: Path, before: bytes, deep: bytes) -> None:
    one = json.dumps(GOOD).encode()
    prompts, skipped = read(tmp_path, before + one + (b",\n" if before else b"\n") + deep)
    assert prompts == ["one"]
    assert skipped


@pytest.mark.parametrize("bad", [b"\xff", b"\xed\xa0\x80", b"\x00"], ids=["latin", "surrogate", "NUL"])
@pytest.mark.parametrize(
    ("before", "line"), [(b"", b'{"prompt": "a%b", "expected": "x"}'), (b"prompt,expected\n", b"a%b,x")], ids=["lines", "table"]
)
def test_bytes_that_are_no_text_are_never_a_prompt(tmp_path: Path, bad: bytes, before: bytes, line: bytes) -> None:
    good = b'{"prompt": "one", "expected": "x"}\n' if not before else b"one,x\n"
    assert read(tmp_path, before + good + line.replace(b"%b", b"c") + b"\n")[0] == ["one", "ac"]
    prompts, skipped = read(tmp_path, before + good + line.replace(b"%b", bad) + b"\n")
    assert prompts == ["one"]
    assert [number for number, _ in skipped] == [2 + bool(before)]


def test_a_table_s_own_faults_are_listed(tmp_path: Path) -> None:
    prompts, skipped = read(tmp_path, b'prompt,expected,aliases\none,x,\ntwo,x,y,z\nthree,x,"[1"\n,x,\n"four\nlines",x,a|b\nfive,"x"y,\n')
    assert prompts == ["one", "four\nlines"]
    assert [line for line, _ in skipped] == [3, 4, 5, 8]


def test_two_columns_of_one_meaning_and_only_broken_rows_are_refused_in_one_line(tmp_path: Path) -> None:
    for content in (b"prompt,question,expected\na,b,c\n", b"prompt,expected\n,x\n,y\n", b"\x00" * 100, b"[]", b"[17]", b"{}\n"):
        with pytest.raises(UserError) as caught:
            read_fact_file(put(tmp_path, content))
        assert "\n" not in str(caught.value)


@given(st.binary(max_size=200), st.sampled_from([b"", b"[", b"[\n{", b'{"prompt":', b"prompt,expected\n", json.dumps([GOOD]).encode()]))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_bytes_make_it_fail_otherwise_than_by_one_clear_line(tmp_path: Path, rest: bytes, start: bytes) -> None:
    try:
        found = read_fact_file(put(tmp_path, start + rest))
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert found.facts


def test_an_escaped_nul_is_no_text_either(tmp_path: Path) -> None:
    prompts, skipped = read(tmp_path, json.dumps(GOOD).encode() + b'\n{"prompt": "a\\u0000b", "expected": "x"}\n')
    assert (prompts, [line for line, _ in skipped]) == (["one"], [2])
    assert "NUL" in skipped[0][1]
