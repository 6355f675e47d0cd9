"""Evidence of a study: a stranger measures it again, agrees with what is true, and finds what was tampered with."""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from memstudio.bank.values import ClusterId
from memstudio.editing.erase import Erase, document_of
from memstudio.editing.prune import Prune
from memstudio.editing.scale import Scale
from memstudio.editing.update import Update
from memstudio.errors import UserError
from memstudio.export.agreement import Figure
from memstudio.export.evidence import EVIDENCE, fact_digest, read_evidence
from memstudio.export.page import drawn
from memstudio.facts.statistics import Proportion
from memstudio.facts.values import Fact
from memstudio.jobs import Cancelled, Job
from memstudio.session import Session, open_session
from memstudio.session.gathering import gather
from memstudio.session.proving import check, unchecked
from tests.session.conftest import OpenSession
from tests.standin import use_tiny_encoder
from tests.tiny import make_bank

PROMPT = "The atomic number of gold is"
IRON = "The atomic number of iron is"
HOSTILE = "\x1b[31m\n<script>alert(1)</script> & \"quoted\" 'gold'"


@pytest.fixture(scope="module")
def written(tiny_bank: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Evidence of an update, a scale and a prune."""
    folder = tmp_path_factory.mktemp("evidence")
    with pytest.MonkeyPatch.context() as patch, open_session(tiny_bank, study=folder / "study", device="cpu") as session:
        use_tiny_encoder(patch)
        session.apply(Update((session.request(PROMPT, "13").fact,), method="closed-form"), measure=True)
        session.apply(Scale((ClusterId(3, 5),), 0.5))
        session.apply(Prune((ClusterId(3, 7),)))
        gather(session, folder / "out", prompts=[PROMPT, IRON])
    return folder / "out"


@pytest.fixture
def out(written: Path, tmp_path: Path) -> Path:
    """A copy to do with as one likes."""
    return Path(shutil.copytree(written, tmp_path / "out"))


@pytest.fixture
def checks(opens: OpenSession) -> Callable[..., list[Figure]]:
    """Checks a folder on the bank as shipped."""

    def run(folder: Path, facts: tuple[Fact, ...] = ()) -> list[Figure]:
        return list(check(opens(readonly=True), folder, read_evidence(folder), facts=facts))

    return run


def rewrite(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    body = json.loads((folder / EVIDENCE).read_text())
    change(body)
    (folder / EVIDENCE).write_text(json.dumps(body))


def repair(folder: Path, *names: str) -> None:
    """Have evidence.json name the files as they are now, as whoever tampers with them would."""
    raw = {name: (folder / name).read_bytes() for name in names}
    rewrite(
        folder,
        lambda body: body["files"].update({n: {"bytes": len(r), "sha256": hashlib.sha256(r).hexdigest()} for n, r in raw.items()}),
    )


def wrong(figures: list[Figure]) -> list[str]:
    return [figure.name for figure in figures if figure.agreed is not True]


def test_a_stranger_finds_every_figure_again(out: Path, checks: Callable[..., list[Figure]]) -> None:
    figures = checks(out)
    assert wrong(figures) == []
    names = " ".join(figure.name for figure in figures)
    for part in ("reliability", "locality", "outside_identical", "block 3/5", "norm of the difference, 3/7", IRON, "file index.html"):
        assert part in names
    found = read_evidence(out)
    assert [step.verb for step in found.revisions] == ["update", "scale", "prune"]
    assert found.receipt.reliability == 1.0
    assert [len(said.top) for asked in found.prompts for said in (asked.before, asked.after)] == [5] * 4
    assert [line.split(",")[0] for line in unchecked(found)] == ["revision 1"], "only what was measured then is said to be unchecked"


def test_a_lie_in_any_figure_is_found_even_where_the_page_tells_it_too(out: Path, checks: Callable[..., list[Figure]]) -> None:
    def lie(body: dict[str, Any]) -> None:
        receipt, prompts = body["receipt"], body["prompts"]
        receipt["proportions"]["reliability"].update(k=0, share=0.0, **{side: Proportion(0, 2).json()[side] for side in ("low", "high")})
        receipt["locality"] = 0.125
        receipt["digests"][-1].update(norm=receipt["digests"][-1]["norm"] * 1.001)
        receipt["digests"][0].update(after="f" * 64)
        prompts[0]["after"]["text"] = "14"
        prompts[1]["before"]["top"][2]["logprob"] += 0.001
        body["revisions"][1]["title"] = "scale 3/5 by 2"

    first, last = (read_evidence(out).receipt.digests[row].cluster for row in (0, -1))
    rewrite(out, lie)
    for name, raw in drawn(read_evidence(out)).items():
        (out / name).write_bytes(raw)
        repair(out, name)
    found = wrong(checks(out))
    for part in ("reliability", "locality", f"norm of the difference, {last}", f"block {first}, after", f"“{PROMPT}”, after", "titles"):
        assert any(part in name for name in found), part
    assert sum(name.startswith("log p") for name in found) == 1
    assert not any(name.startswith(("file", "what")) for name in found)


def test_a_page_that_says_something_else_is_named_though_its_digest_is_right(out: Path, checks: Callable[..., list[Figure]]) -> None:
    page = (out / "index.html").read_text()
    (out / "index.html").write_text(page.replace("2 of 2", "3 of 3"))
    assert page != (out / "index.html").read_text()
    repair(out, "index.html")
    assert wrong(checks(out)) == ["what index.html shows"]


def test_a_block_that_was_changed_is_named_though_the_digests_of_the_files_are_right(
    out: Path, checks: Callable[..., list[Figure]]
) -> None:
    blocks = out / "changes.patch" / "blocks.safetensors"
    raw = bytearray(blocks.read_bytes())
    raw[-2] ^= 1
    blocks.write_bytes(raw)
    repair(out, "changes.patch/blocks.safetensors")
    figures = checks(out)
    assert wrong(figures) == ["patch and facts"]
    manifest = out / "changes.patch" / "patch.json"
    body = json.loads(manifest.read_text())
    body["files"]["blocks.safetensors"]["sha256"] = hashlib.sha256(raw).hexdigest()
    manifest.write_text(json.dumps(body))
    repair(out, "changes.patch/patch.json")
    figures = checks(out)
    assert wrong(figures) == ["patch and facts"]
    assert "digest in its name" in str(figures[-1].found)


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("changes.patch/blocks.safetensors", "changed"),
        ("changes.patch/blocks.safetensors", "missing"),
        ("changes.patch/patch.json", "a link"),
        ("facts.jsonl", "missing"),
        ("pictures/norms.svg", "changed"),
        ("index.html", "missing"),
        ("index.html", "a link"),
    ],
)
def test_a_file_that_is_not_as_it_was_is_named(out: Path, checks: Callable[..., list[Figure]], name: str, how: str) -> None:
    path = out / name
    raw = bytearray(path.read_bytes())
    raw[-2] ^= 1
    path.unlink()
    if how == "changed":
        path.write_bytes(raw)
    elif how == "a link":
        path.symlink_to("/etc/hostname")
    figures = checks(out)
    assert f"file {name}" in wrong(figures)
    assert next(figure for figure in figures if figure.name == f"file {name}").found == how


def test_a_file_more_is_named_too(out: Path, checks: Callable[..., list[Figure]]) -> None:
    (out / "pictures" / "more.svg").write_text("<svg/>")
    assert wrong(checks(out)) == ["file pictures/more.svg"]


def test_what_was_taken_down_is_in_no_file_and_still_checked(
    opens: OpenSession, tmp_path: Path, checks: Callable[..., list[Figure]]
) -> None:
    session = opens(study=tmp_path / "study")
    fact = session.request(PROMPT, "light").fact
    session.apply(Update((fact,), method="closed-form"))
    session.apply(Update((session.request(IRON, "13").fact,), method="closed-form"))
    erased = dataclasses.replace(fact, expected="light", target="")
    session.apply(Erase((erased,), method="dampen"), measure=True)
    with pytest.raises(UserError, match="was taken down"):
        gather(session, tmp_path / "out", prompts=[PROMPT])
    evidence = gather(session, tmp_path / "out")
    everything = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    for text in (PROMPT, *fact.phrasings):
        assert text.encode() not in everything
    for name in ("facts.jsonl", "changes.patch/patch.json"):
        assert b"light" not in (tmp_path / "out" / name).read_bytes()
    assert "light" not in [row.target for row in evidence.receipt.answers]
    assert IRON.encode() in everything
    assert [row.fact for row in evidence.taken_down] == [fact_digest(erased)]
    without = {figure.name: figure for figure in checks(tmp_path / "out")}
    assert without["reliability"].agreed is None
    assert not [figure for figure in without.values() if figure.agreed is False], "what is not known is no disagreement"
    assert wrong(checks(tmp_path / "out", (erased,))) == []


def test_what_was_taken_down_stays_away_though_it_was_taught_again(opens: OpenSession, tmp_path: Path) -> None:
    session = opens(study=tmp_path / "study")
    fact = session.request(PROMPT, "light").fact
    session.apply(Erase((dataclasses.replace(fact, target=""),), method="dampen"))
    session.apply(Update((dataclasses.replace(fact, id="by another name"),), method="closed-form"))
    session.apply(Update((session.request(IRON, "13").fact,), method="closed-form"))
    changes = session.plan(Prune((ClusterId(3, 7),))).changes
    session.commit("prune", f"after {PROMPT} 79", changes, receipt={"gate": {"broken": [PROMPT], "reason": f"{PROMPT} 79"}})
    for text in (PROMPT, f"  {PROMPT.upper()}", fact.phrasings[0]):
        with pytest.raises(UserError, match="was taken down"):
            gather(session, tmp_path / "out", prompts=[text])
    evidence = gather(session, tmp_path / "out")
    everything = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    for text in (PROMPT, *fact.phrasings):
        assert text.encode() not in everything
    for name in ("facts.jsonl", "changes.patch/patch.json"):
        assert b"light" not in (tmp_path / "out" / name).read_bytes()
    assert "light" not in [row.target for row in evidence.receipt.answers]
    assert IRON.encode() in everything
    assert str(tmp_path).encode() not in everything, "no path of this machine either"


def test_a_document_that_was_taken_down_stays_away_with_its_facts(
    opens: OpenSession, tmp_path: Path, checks: Callable[..., list[Figure]]
) -> None:
    session = opens(study=tmp_path / "study")
    one = next(row for leaf in range(27) for row in session.bank.documents_of(ClusterId(3, leaf)) if "gold" in row.text)
    session.apply(Erase(documents=(one.document,), method="dampen"))
    text = document_of(session.bank, one.document)[0]
    with pytest.raises(UserError, match="was taken down"):
        gather(session, tmp_path / "out", prompts=[text[:40]])
    evidence = gather(session, tmp_path / "out")
    assert evidence.taken_down
    everything = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    for words in (PROMPT, text[:40], text[-40:]):
        assert words.encode() not in everything
    assert wrong(checks(tmp_path / "out")) == []


def test_some_revisions_alone_can_be_proved_where_they_start_at_the_bank_as_shipped(
    opens: OpenSession, tmp_path: Path, checks: Callable[..., list[Figure]]
) -> None:
    session = opens(study=tmp_path / "study")
    session.apply(Scale((ClusterId(3, 5),), 0.5))
    session.apply(Prune((ClusterId(3, 7),)))
    session.apply(Scale((ClusterId(3, 5),), 2.0))
    with pytest.raises(UserError, match="start from another block 3/5"):
        gather(session, tmp_path / "out", revisions=[3])
    with pytest.raises(UserError, match="revision 9"):
        gather(session, tmp_path / "out", revisions=[9])
    found = gather(session, tmp_path / "out", revisions=[2], prompts=["it's gold"])
    assert [step.number for step in found.revisions] == [2]
    assert found.commands[0] == "memstudio evidence BANK OUT --revisions 2 --prompt 'it'\"'\"'s gold'"
    assert [block.cluster for block in found.receipt.digests] == ["3/7"]
    assert wrong(checks(tmp_path / "out")) == []


def test_a_cancelled_check_and_a_cancelled_writing_leave_nothing(out: Path, opens: OpenSession, tmp_path: Path) -> None:
    job = Job("verify")
    job.cancel()
    with pytest.raises(Cancelled):
        list(check(opens(readonly=True), out, read_evidence(out), job=job))
    session = opens(study=tmp_path / "study")
    session.apply(Prune((ClusterId(3, 7),)))
    with pytest.raises(Cancelled):
        gather(session, tmp_path / "new", prompts=[IRON], job=job)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "study"]


def test_hostile_text_stays_text_on_the_page(opens: OpenSession, tmp_path: Path) -> None:
    session = opens(study=tmp_path / "study")
    changes = session.plan(Prune((ClusterId(3, 7),))).changes
    session.commit("prune", HOSTILE, changes, receipt={"gate": {"broken": [HOSTILE], "reason": HOSTILE}})
    gather(session, tmp_path / "out", prompts=[HOSTILE])
    page = (tmp_path / "out" / "index.html").read_text()
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;quoted&quot;") >= 3
    assert "http" not in page.replace("http-equiv", "")


def test_evidence_of_another_bank_is_refused(out: Path, opens: OpenSession, tmp_path: Path) -> None:
    other = opens(make_bank(tmp_path / "other", seed=1), readonly=True)
    with pytest.raises(UserError, match="is evidence on bank"):
        list(check(other, out, read_evidence(out)))


def test_nothing_is_left_where_it_cannot_be_written(session: Session, out: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing to give evidence of"):
        gather(session, tmp_path / "empty")
    session.apply(Prune((ClusterId(3, 7),)))
    with pytest.raises(UserError, match="is there already"):
        gather(session, out)
    before = sorted(path.name for path in tmp_path.iterdir())
    shutil.rmtree(out)
    gather(session, out)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
