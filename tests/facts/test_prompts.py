"""Sets of prompts from files that anybody may have written: what can be used is read, what cannot is listed with its line."""

import json
from pathlib import Path

import pytest

from memstudio.errors import UserError
from memstudio.facts.prompts import digest, of_texts, read_prompts
from memstudio.facts.values import SetPrompt
from memstudio.paths import resources


def written(folder: Path, name: str, text: str | bytes) -> Path:
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_a_text_file_is_a_prompt_a_line(tmp_path: Path) -> None:
    found = read_prompts(written(tmp_path, "a.txt", "\ufeffThe sky\n\n  It was {hot}\r\n[INST] hello\n"))
    assert [(each.text, each.line) for each in found.prompts] == [("The sky", 1), ("It was {hot}", 3), ("[INST] hello", 4)]
    assert (found.name, found.skipped_count) == ("a.txt", 0)


def test_json_lines_may_bring_a_key_and_an_answer(tmp_path: Path) -> None:
    lines = [{"prompt": "a"}, {"prompt": "b", "key": "k", "answer": "c"}, {"prompt": "d", "key": None}]
    found = read_prompts(written(tmp_path, "a.jsonl", "\n".join(map(json.dumps, lines))))
    assert found.prompts == (SetPrompt("a", None, None, 1), SetPrompt("b", "k", "c", 2), SetPrompt("d", None, None, 3))


def test_a_fact_file_gives_its_prompts_and_phrasings_with_what_is_expected(tmp_path: Path) -> None:
    fact = {"prompt": "The atomic number of tin is", "expected": "50", "phrasings": ["Tin has the number"]}
    found = read_prompts(written(tmp_path, "facts.jsonl", json.dumps(fact)))
    assert [(each.text, each.answer) for each in found.prompts] == [(fact["prompt"], "50"), ("Tin has the number", "50")]
    assert len(read_prompts(resources() / "demo" / "facts.jsonl").prompts) == 20_100


def test_bad_lines_are_listed_with_their_reason(tmp_path: Path) -> None:
    bad = ['{"prompt": "good"}', "not json", '{"prompt": " "}', '{"prompt": "x", "colour": 1}', '{"prompt": "x", "answer": 5}', "[]"]
    found = read_prompts(written(tmp_path, "a.jsonl", "\n".join(bad)))
    assert [each.text for each in found.prompts] == ["good"]
    assert [each.line for each in found.skipped] == [2, 3, 4, 5, 6]
    assert "not JSON" in found.skipped[0].reason
    assert "empty" in found.skipped[1].reason
    assert "unknown field 'colour'" in found.skipped[2].reason
    assert "int" in found.skipped[3].reason


def test_bad_bytes_in_a_text_file_are_listed(tmp_path: Path) -> None:
    found = read_prompts(written(tmp_path, "a.txt", b"good\n\xff\xfe\nnul\0\n" + b"x" * 30_000 + b"\nlast\n"))
    assert [each.text for each in found.prompts] == ["good", "last"]
    assert [each.line for each in found.skipped] == [2, 3, 4]
    cut = read_prompts(written(tmp_path, "b.txt", b"good\n" + b"x" * (2**20 + 5) + b"\nlost\n"))
    assert [each.text for each in cut.prompts] == ["good"]
    assert "nothing is read from here on" in cut.skipped[0].reason


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [("a.txt", "", "it is empty"), ("a.txt", "\n \n", "it is empty"), ("a.jsonl", '{"prompt": ""}', "line 1: prompt is empty")],
)
def test_a_file_without_a_prompt_is_refused_in_a_line(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_prompts(written(tmp_path, name, text))


def test_what_is_no_file_or_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(UserError):
            read_prompts(path)
    monkeypatch.setattr("memstudio.facts.prompts.MAX_PROMPTS", 2)
    with pytest.raises(UserError, match="over 2 prompts"):
        read_prompts(written(tmp_path, "a.txt", "a\nb\nc\n"))


def test_the_digest_goes_by_the_prompts_and_not_by_the_name() -> None:
    assert digest(of_texts(["a", "b"], "one")) == digest(of_texts(["a", "b"], "two"))
    assert digest(of_texts(["a", "b"])) != digest(of_texts(["b", "a"]))
