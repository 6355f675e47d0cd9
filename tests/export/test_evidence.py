"""The folder of evidence as a format: what it may hold, what it may not, and that its page and pictures let nothing through."""

import json
import os
import xml.etree.ElementTree as ET
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memstudio.errors import UserError
from memstudio.export.agreement import Figure, receipts
from memstudio.export.evidence import EVIDENCE, LIMITS, Evidence, Receipt, odd_files, read_evidence, write_evidence
from memstudio.export.page import drawn, norms_picture, write_page
from memstudio.export.silence import Gone
from memstudio.facts.receipt import Difference, Measured, make_receipt
from memstudio.facts.statistics import Proportion
from memstudio.facts.values import Fact, Probe

HOSTILE = "<script>alert('1')</script> \"quoted\" & \x1b[31mred\nnext <img src=http://x.invalid/>"
TAGS = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "img", "table", "thead", "tbody", "tr", "th", "td", "pre"}
GOLD = Fact("gold", "gold", "number", "The atomic number of gold is", "79", (), ("Element gold has the number",), (), (), "specific")


def receipt(text: str = "iron is", norm: float = 2.5) -> dict[str, Any]:
    answers = [
        Measured("iron", "taught", text, "26", "13", "26", (), "13", True),
        Measured("tin", "resident", text, "5", "50", "5", (), "", True),
    ]
    found = make_receipt(answers, Proportion(8, 8), [Difference("3/5", "a" * 64, "pruned", norm)], 1, 0, {})
    return {key: value for key, value in found.items() if key != "seconds"}


def fields(text: str = "iron is") -> dict[str, Any]:
    said = {"text": text, "top": [{"token": 1, "text": text, "logprob": -0.5}]}
    bank = {"digest": "0" * 64, "name": "tiny", "anchor": "1" * 64, "dtype": "float32", "hidden_size": 8, "widths": [[1], [2]]}
    made_with = {"memstudio": "0", "torch": "2", "python": "3", "machine": "x", "device": "cpu", "dtype": "float32", "threads": 1}
    step = {
        "number": 1,
        "verb": "update",
        "title": text,
        "measured": True,
        "shares": {"locality": [1, 2]},
        "broken": [text],
        "reason": text,
    }
    return {
        "bank": bank,
        "environment": made_with,
        "revision": 1,
        "revisions": [step],
        "commands": [text],
        "seeds": {"sample": 0},
        "sample": 256,
        "receipt": receipt(text),
        "prompts": [{"prompt": text, "before": said, "after": said}],
        "taken_down": [],
    }


def parsed(**changed: Any) -> Evidence:
    files = {name: {"bytes": 1, "sha256": "0" * 64} for name in LIMITS}
    return Evidence.model_validate_json(json.dumps({"format": "memstudio-evidence", "version": 1, "files": files, **fields(), **changed}))


def fill(folder: Path) -> dict[str, Any]:
    (folder / "changes.patch").mkdir()
    (folder / "changes.patch" / "patch.json").write_text("{}")
    evidence = parsed()
    return {name: getattr(evidence, name) for name in fields()}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    write_evidence(tmp_path / "out", fill, write_page)
    return tmp_path / "out"


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    body = json.loads((folder / EVIDENCE).read_text())
    change(body)
    (folder / EVIDENCE).write_text(json.dumps(body))


class Tags(HTMLParser):
    """The tags of a page, and whatever could load or run something."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loads: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loads |= {value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "action") or name.startswith("on")}


@pytest.mark.parametrize("text", [HOSTILE, "]]>", "--></style><style>", "{0} {body} %s"])
def test_no_text_becomes_a_tag_a_load_or_a_control_character(text: str) -> None:
    receipts_of = {**receipt(text), "protocol": text[:100]}
    found = drawn(parsed(**{**fields(text), "receipt": receipts_of}))
    page = found["index.html"].decode()
    tags = Tags()
    tags.feed(page)
    assert tags.tags <= TAGS
    assert tags.loads == {"pictures/shares.svg", "pictures/norms.svg"}
    assert "\x1b" not in page
    assert "prefers-color-scheme: dark" in page
    for name in ("pictures/shares.svg", "pictures/norms.svg"):
        elements = {element.tag.rpartition("}")[2] for element in ET.fromstring(found[name]).iter()}
        assert elements <= {"svg", "style", "text", "line", "circle", "rect"}


def test_the_pictures_show_what_the_receipt_counted() -> None:
    found = drawn(parsed())
    shares = found["pictures/shares.svg"].decode()
    assert "reliability" in shares
    assert "1.000, n 8" in shares
    assert "portability" not in shares, "what was not measured is not drawn as 0"
    many = [{"cluster": f"{1 + n % 3}/{n}", "norm": float(n)} for n in range(60)]
    norms = norms_picture({"digests": many})
    assert "and 20 more blocks" in norms
    levels = [int(part.split("/")[0]) for part in norms.split('text-anchor="end">')[1:]]
    assert levels == sorted(levels)
    assert ">3/59<" in norms
    assert ">1/0<" not in norms


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda body: body["files"].update({"../x": {"bytes": 1, "sha256": "0" * 64}}), "no file of an evidence folder"),
        (lambda body: body["files"].update({"/etc/hostname": {"bytes": 1, "sha256": "0" * 64}}), "no file of an evidence folder"),
        (lambda body: body["files"].update({"changes.patch/../../x": {"bytes": 1, "sha256": "0" * 64}}), "no file of an evidence"),
        (lambda body: body["files"]["index.html"].update(bytes=1 << 30), "it may have"),
        (lambda body: body["files"].pop("index.html"), "index.html is not listed"),
        (lambda body: body.update(version=2), "version"),
        (lambda body: body.update({"\x1b[31mred": 1}), "red"),
        (lambda body: body["receipt"]["digests"][0].update(after=[1]), "receipt.digests"),
        (lambda body: body["receipt"]["digests"][0].update(norm=-1), "norm"),
        (lambda body: body["receipt"].update(locality=2), "locality"),
        (lambda body: body["prompts"][0]["after"]["top"][0].update(logprob="1"), "logprob"),
        (lambda body: body["prompts"][0]["after"].update(top=[]), "top"),
        (lambda body: body["taken_down"].append({"fact": "x"}), "taken_down"),
        (lambda body: body.update(commands=["x" * 5000]), "commands"),
    ],
)
def test_what_is_no_evidence_is_refused_in_one_printable_line(out: Path, spoil: Callable[[dict[str, Any]], object], said: str) -> None:
    rewrite(out, spoil)
    with pytest.raises(UserError, match=said) as caught:
        read_evidence(out)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{", b"\xff", b'{"format": NaN}', b'{"a": 1, "a": 1}', b"[" * 100_000, b'{"sample": 1' + b"0" * 5000 + b"}"]
)
def test_what_is_no_json_object_is_refused_in_one_line(out: Path, raw: bytes) -> None:
    (out / EVIDENCE).write_bytes(raw)
    with pytest.raises(UserError) as caught:
        read_evidence(out)
    assert str(caught.value).isprintable()


def test_a_gigabyte_is_refused_before_it_is_read(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.truncate(out / EVIDENCE, 1 << 30)  # takes no room on the disk
    monkeypatch.setattr(Path, "open", lambda *_, **__: pytest.fail("it was opened"))
    with pytest.raises(UserError, match="1073741824 bytes"):
        read_evidence(out)


def test_a_link_in_place_of_evidence_is_refused(out: Path, tmp_path: Path) -> None:
    (out / EVIDENCE).rename(tmp_path / "elsewhere.json")
    (out / EVIDENCE).symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(UserError, match="a link"):
        read_evidence(out)


def test_a_folder_behind_a_link_is_named_and_not_followed(out: Path, tmp_path: Path) -> None:
    (out / "pictures").rename(tmp_path / "pictures")
    (out / "pictures").symlink_to(tmp_path / "pictures")
    found = odd_files(out, read_evidence(out))
    assert found["pictures/shares.svg"] == found["pictures/norms.svg"] == "a link"


def test_it_is_there_in_full_or_not_at_all(tmp_path: Path) -> None:
    def broken(folder: Path, evidence: Evidence) -> None:
        write_page(folder, evidence)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_evidence(tmp_path / "out", fill, broken)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "out").mkdir()
    write_evidence(tmp_path / "out", fill, write_page)  # an empty folder is filled
    before = (tmp_path / "out" / EVIDENCE).read_bytes()
    with pytest.raises(UserError, match="is there already"):
        write_evidence(tmp_path / "out", fill, write_page)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserError, match="is there already"):
        write_evidence(tmp_path / "link", fill, write_page)
    assert (tmp_path / "out" / EVIDENCE).read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "out"]


def test_the_folder_where_one_stands_can_be_named_by_a_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    write_evidence(Path(), fill, write_page)
    assert (tmp_path / "here" / EVIDENCE).is_file()


def test_the_same_evidence_is_the_same_bytes(out: Path, tmp_path: Path) -> None:
    write_evidence(tmp_path / "again", fill, write_page)
    for path in out.rglob("*"):
        if path.is_file():
            assert (tmp_path / "again" / path.relative_to(out)).read_bytes() == path.read_bytes()


def known(found: dict[str, Any]) -> Receipt:
    return Receipt.model_validate_json(json.dumps(found))


def disagreeing(recorded: dict[str, Any], found: dict[str, Any], same: bool = True, complete: bool = True) -> list[Figure]:
    return [figure for figure in receipts(known(recorded), known(found), same, complete) if figure.agreed is not True]


@pytest.mark.parametrize(
    "lie",
    [
        lambda body: body.update(reliability=0.5),
        lambda body: body.update(reliability="not measured"),
        lambda body: body.update(portability=1.0),
        lambda body: body["proportions"].pop("locality"),
        lambda body: body["proportions"]["locality"].update(low=0.5),
        lambda body: body["proportions"]["locality"].update(k=1),
        lambda body: body["proportions"]["locality"].update(k=5),
        lambda body: body["proportions"]["locality"].update(k=0, n=0),
        lambda body: body["proportions"]["locality"].update(protocol="by hand"),
        lambda body: body["proportions"].update(beauty=body["proportions"]["locality"]),
        lambda body: body["answers"][0].update(after="26"),
        lambda body: body["answers"][0].update(target="26"),
        lambda body: body["answers"].append(body["answers"][0]),
        lambda body: body.update(changed=[]),
        lambda body: body.update(changed_count=0),
        lambda body: body.update(residents=400),
        lambda body: body.update(protocol="by hand"),
        lambda body: body["digests"][0].update(before="b" * 64),
        lambda body: body["digests"][0].update(norm=2.5001),
        lambda body: body.update(digests=[]),
        lambda body: body["digests"].append(body["digests"][0]),
    ],
)
def test_every_figure_of_a_receipt_is_compared(lie: Callable[[dict[str, Any]], object]) -> None:
    recorded = receipt()
    assert disagreeing(recorded, receipt()) == []
    lie(recorded)
    assert disagreeing(recorded, receipt())


def test_norms_are_compared_relatively() -> None:
    assert disagreeing(receipt(norm=1e-6), receipt(norm=1.00001e-6)) == []
    assert disagreeing(receipt(norm=1e-6), receipt(norm=1.001e-6))
    assert disagreeing(receipt(norm=1e6), receipt(norm=1e6 + 5)) == []


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 300), data=st.data())
def test_elsewhere_a_share_may_part_by_one_prompt_or_two_in_a_hundred_and_at_home_by_none(n: int, data: st.DataObject) -> None:
    one, other = data.draw(st.integers(0, n)), data.draw(st.integers(0, n))

    def of(k: int) -> dict[str, Any]:
        return {**receipt(), "outside_identical": k / n, "proportions": {
            **receipt()["proportions"], "outside_identical": {**Proportion(k, n).json(), "protocol": "p"}}}  # fmt: skip

    assert (disagreeing(of(one), of(other), same=True) == []) == (one == other)
    assert (disagreeing(of(one), of(other), same=False) == []) == (abs(one - other) <= max(1, n * 0.02))


def test_what_needs_facts_that_are_not_here_is_left_open_and_never_agreed() -> None:
    open_ones = disagreeing(receipt(), receipt(), complete=False)
    assert {figure.agreed for figure in open_ones} == {None}
    assert {figure.name for figure in open_ones} >= {"reliability", "locality"}


def test_what_was_taken_down_is_recognised_however_it_is_written() -> None:
    gone = Gone((GOLD,), ("Gold is a soft yellow metal with the number 79 and few enemies.",))
    for text in (GOLD.prompt, "  the ATOMIC  number of gold\nis", "update “The atomic number of gold is” → 13", GOLD.phrasings[0]):
        assert gone.told_in(text)
    assert gone.told_in("soft yellow metal with the number 79")
    assert not gone.told_in("The atomic number of iron is")
    assert gone.answered_in("How many protons has gold?", "about 79 protons")
    assert not gone.answered_in("How many protons has gold?", "47")
    assert not gone.answered_in("How many protons has platinum?", "79")
    iron = Fact("iron", "iron", "number", "The atomic number of iron is", "26", (), (), (), (), "specific",
                locality=(Probe(GOLD.prompt, "79"), Probe("tin is", "50")))  # fmt: skip
    kept = gone.without([iron, GOLD, Fact("other id", "", "", f"Q: {GOLD.prompt}", "79", (), (), (), (), "specific")])
    assert [(fact.id, [probe.prompt for probe in fact.locality]) for fact in kept] == [("iron", ["tin is"])]
    assert not Gone().told_in(GOLD.prompt)
