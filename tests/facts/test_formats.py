"""Fact files of other tools: recognised from their content, read whole where they can be, written back without loss of what they carry."""

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memstudio.errors import UserError
from memstudio.facts import read
from memstudio.facts.formats import counterfact, easyedit, own, table, zsre
from memstudio.facts.read import read_fact_file
from memstudio.facts.values import Fact, Format, Probe
from memstudio.facts.write import write_facts

EASYEDIT = {
    "subject": "gold",
    "prompt": "The atomic number of gold is",
    "target_new": "80",
    "ground_truth": [["79", "seventy-nine"]],
    "rephrase_prompt": "Gold has the atomic number",
    "locality": {"Relation_Specificity": [{"prompt": "The symbol of gold is", "ground_truth": [["Au"]]}]},
    "portability": {"Reasoning": {"prompt": "The element before thallium is", "ground_truth": "gold"}},
}
COUNTERFACT = {
    "case_id": 7,
    "requested_rewrite": {
        "prompt": "The atomic number of {} is",
        "relation_id": "P1086",
        "target_new": {"str": "80", "id": "Q1"},
        "target_true": {"str": "79", "id": "Q2"},
        "subject": "gold",
    },
    "paraphrase_prompts": ["Gold has the atomic number", "Gold's number is"],
    "neighborhood_prompts": ["The atomic number of aurum is"],
    "generation_prompts": ["Gold is"],
}
ZSRE = {
    "subject": "gold",
    "src": "What is the atomic number of gold?",
    "pred": "80",
    "rephrase": "Which number has gold?",
    "alt": "80",
    "answers": ["79", "seventy-nine"],
    "loc": "nq question: who wrote it",
    "loc_ans": "Nobody",
    "cond": "79 >> 80 || What is the atomic number of gold?",
}
CSV = 'Prompt;Target;Expected;Held_out;ignored\r\n"The atomic number of ""gold"";\nis";80;79;one|two;x\r\n'


@pytest.mark.parametrize("as_list", [True, False], ids=["list", "lines"])
@pytest.mark.parametrize(("name", "record"), [("easyedit", EASYEDIT), ("counterfact", COUNTERFACT), ("zsre", ZSRE)])
def test_a_format_is_known_by_its_content(tmp_path: Path, name: str, record: dict[str, object], as_list: bool) -> None:
    path = tmp_path / "anything.txt"
    path.write_text(json.dumps([record], indent=2) if as_list else json.dumps(record) + "\n", encoding="utf-8")
    found = read_fact_file(path)
    assert (found.format, found.skipped_count) == (name, 0)
    (fact,) = found.facts
    assert (fact.subject, fact.expected, fact.target) == ("gold", "79", "80")
    assert fact.phrasings == ()
    assert fact.held_out
    assert len(fact.locality) == 1


def test_each_format_s_own_parts_are_kept(tmp_path: Path) -> None:
    facts = {}
    for name, record in (("easyedit", EASYEDIT), ("counterfact", COUNTERFACT), ("zsre", ZSRE)):
        (tmp_path / name).write_text(json.dumps(record))
        (facts[name],) = read_fact_file(tmp_path / name).facts
    assert facts["easyedit"].aliases == ("seventy-nine",)
    assert facts["easyedit"].locality == (Probe("The symbol of gold is", "Au"),)
    assert facts["easyedit"].portability == (Probe("The element before thallium is", "gold"),)
    assert (facts["counterfact"].id, facts["counterfact"].relation) == ("7", "P1086")
    assert facts["counterfact"].prompt == "The atomic number of gold is"
    assert facts["counterfact"].held_out == ("Gold has the atomic number", "Gold's number is")
    assert facts["counterfact"].locality == (Probe("The atomic number of aurum is", "79"),)
    assert facts["zsre"].aliases == ("seventy-nine",)
    assert facts["zsre"].locality == (Probe("nq question: who wrote it", "Nobody"),)


def test_a_table_is_read_as_a_spreadsheet_writes_it(tmp_path: Path) -> None:
    (tmp_path / "facts.csv").write_bytes(b"\xef\xbb\xbf" + CSV.encode())
    found = read_fact_file(tmp_path / "facts.csv")
    (fact,) = found.facts
    assert found.format == "csv"
    assert (fact.prompt, fact.expected, fact.target, fact.held_out) == ('The atomic number of "gold";\nis', "79", "80", ("one", "two"))


BROKEN = [
    (b"{", "not JSON"),
    (b"[1, 2", "not"),
    (b"17", "not a JSON object"),
    (b'{"prompt": "a"}', "expected is missing"),
    (b'{"prompt": "", "expected": "b"}', "prompt is empty"),
    (b'{"prompt": "a", "expected": NaN}', "JSON"),
    (b'{"prompt": "a", "prompt": "a", "expected": "b"}', "JSON"),
    (b'{"prompt": "a", "expected": "b", "id": "twice"}', "stands on an earlier record"),
    (b"\xff\xfe\x00", "JSON"),
    (b'{"prompt": "a", "expected": ' + b"[" * 5000 + b"]" * 5000 + b"}", ""),
]


@pytest.mark.parametrize(("line", "reason"), BROKEN, ids=lambda value: None if isinstance(value, bytes) else value or "deep")
def test_a_broken_line_is_listed_with_its_number_and_the_rest_goes_on(tmp_path: Path, line: bytes, reason: str) -> None:
    good = [json.dumps({"prompt": text, "expected": "x", "id": name}).encode() for text, name in (("one", "twice"), ("two", "b"))]
    (tmp_path / "facts.jsonl").write_bytes(b"\r\n".join([good[0], b"", line, good[1]]))
    found = read_fact_file(tmp_path / "facts.jsonl")
    assert [fact.prompt for fact in found.facts] == ["one", "two"]
    assert found.skipped_count == 1
    assert (found.skipped[0].line, reason in found.skipped[0].reason) == (3, True)


def test_a_file_of_nothing_usable_is_refused_with_the_first_reason(tmp_path: Path) -> None:
    (tmp_path / "facts.jsonl").write_text('{broken\n{"prompt": "a"}\n')
    with pytest.raises(UserError, match=r"no fact that can be used; line 1: not .*JSON"):
        read_fact_file(tmp_path / "facts.jsonl")
    for text in ("", "name,age\nx,3\n", "just words\n"):
        (tmp_path / "facts.jsonl").write_text(text)
        with pytest.raises(UserError, match="facts"):
            read_fact_file(tmp_path / "facts.jsonl")


def test_too_many_facts_and_too_large_a_file_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "facts.jsonl"
    path.write_text("".join(json.dumps({"prompt": f"p{number}", "expected": "x"}) + "\n" for number in range(20)))
    monkeypatch.setattr(read, "MAX_FACTS", 19)
    with pytest.raises(UserError, match="line 20: over 19 facts"):
        read_fact_file(path)
    monkeypatch.setattr(read, "MAX_FILE_BYTES", 100)
    with pytest.raises(UserError, match="over the limit of 100"):
        read_fact_file(path)


words = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=12).map(
    lambda text: "x" + text.replace("|", "/") + "x"
)
texts = st.lists(words, max_size=3, unique=True).map(tuple)
probes = st.lists(st.builds(Probe, words, words), max_size=2).map(tuple)
facts = st.lists(
    st.builds(Fact, words, words, words, words, words, texts, texts, texts, texts, st.just("specific"), words, probes, probes),
    min_size=1,
    max_size=3,
    unique_by=lambda fact: fact.id,
)
MODULES = {"jsonl": own, "easyedit": easyedit, "counterfact": counterfact, "zsre": zsre, "csv": table}


def carried(fact: Fact, name: Format) -> Fact:
    """What a format carries of a fact, by its own list of fields, and by what its documentation says it leaves out."""
    names = [field.name for field in dataclasses.fields(fact)]
    empty: dict[str, object] = {name: () if isinstance(getattr(fact, name), tuple) else "" for name in names}
    kept = {field: getattr(fact, field) for field in MODULES[name].FIELDS}
    found = dataclasses.replace(fact, **(empty | kept | {"kind": "specific"}))  # type: ignore[arg-type]
    if name == "counterfact":
        found = dataclasses.replace(found, locality=tuple(probe for probe in fact.locality if probe.expected == fact.expected))
    if name == "zsre":
        found = dataclasses.replace(found, held_out=fact.held_out[:1], locality=fact.locality[:1])
    return found


@pytest.mark.parametrize("name", list(MODULES))
@given(known=facts)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read_back(tmp_path: Path, name: Format, known: list[Fact]) -> None:
    write_facts(tmp_path / "out", known, name)
    found = read_fact_file(tmp_path / "out")
    assert (found.format, found.skipped_count) == (name, 0)
    assert list(found.facts) == [carried(fact, name) for fact in known]
