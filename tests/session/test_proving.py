"""Evidence of a study: a stranger measures it again, agrees with what is true, and finds what was tampered with."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from memstudio.bank.values import ClusterId
from memstudio.editing.erase import Erase
from memstudio.editing.prune import Prune
from memstudio.editing.scale import Scale
from memstudio.editing.update import Update
from memstudio.errors import UserError
from memstudio.export.evidence import EVIDENCE, fact_digest, read_evidence
from memstudio.facts.values import Fact
from memstudio.session import Session, open_session
from memstudio.session.proving import Figure, check, gather
from tests.session.conftest import OpenSession
from tests.standin import use_tiny_encoder
from tests.tiny import make_bank

PROMPT = "The atomic number of gold is"
IRON = "The atomic number of iron is"
HOSTILE = "<script>alert(1)</script> & \"quoted\" 'gold'"


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
    assert found.receipt["reliability"] == 1.0


@pytest.mark.parametrize(
    ("part", "lie", "named"),
    [
        ("a share", lambda body: body["receipt"]["proportions"]["reliability"].update(k=0), "reliability"),
        ("a norm", lambda body: body["receipt"]["digests"][0].update(norm=1e-3), "norm of the difference"),
        ("a digest", lambda body: body["receipt"]["digests"][0].update(after="f" * 64), "block 3/"),
        ("an answer", lambda body: body["prompts"][0]["after"].update(text="14"), f"“{PROMPT}”, after"),
        ("a probability", lambda body: body["prompts"][0]["before"].update(logprob=-0.5), "log p"),
        ("what is left out", lambda body: body["receipt"]["digests"].pop(), "block 3/"),
    ],
)
def test_a_lie_in_the_figures_is_found(
    out: Path, checks: Callable[..., list[Figure]], part: str, lie: Callable[[dict[str, Any]], None], named: str
) -> None:
    rewrite(out, lie)
    found = wrong(checks(out))
    assert found
    assert all(named in name or name.startswith(("norm", "block")) for name in found)
    assert any(named in name for name in found)


@pytest.mark.parametrize("name", ["changes.patch/blocks.safetensors", "index.html", "pictures/norms.svg", "facts.jsonl"])
@pytest.mark.parametrize("how", ["changed", "missing", "a link"])
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
    fact = session.request(PROMPT, "4747").fact
    session.apply(Update((fact,), method="closed-form"))
    session.apply(Update((session.request(IRON, "13").fact,), method="closed-form"))
    erased = dataclasses.replace(fact, expected="4747", target="")
    session.apply(Erase((erased,), method="dampen"), measure=True)
    with pytest.raises(UserError, match="was taken down"):
        gather(session, tmp_path / "out", prompts=[PROMPT])
    evidence = gather(session, tmp_path / "out")
    everything = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    for text in ("4747", PROMPT, *fact.phrasings):
        assert text.encode() not in everything
    assert IRON.encode() in everything
    assert [row.fact for row in evidence.taken_down] == [fact_digest(erased)]
    without = {figure.name: figure for figure in checks(tmp_path / "out")}
    assert without["reliability"].agreed is None
    assert wrong(checks(tmp_path / "out", (erased,))) == []


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


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda body: body["files"].update({"../x": {"bytes": 1, "sha256": "0" * 64}}), "leaves the folder"),
        (lambda body: body["files"].update({"/etc/hostname": {"bytes": 1, "sha256": "0" * 64}}), "leaves the folder"),
        (lambda body: body.update(version=2), "version"),
        (lambda body: body.update(more=1), "more"),
        (lambda body: body["taken_down"].append({"fact": "x"}), "taken_down"),
        (lambda body: body["prompts"][0]["after"].update(logprob="1"), "logprob"),
    ],
)
def test_evidence_that_is_none_is_refused_in_one_line(out: Path, spoil: Callable[[dict[str, Any]], None], said: str) -> None:
    rewrite(out, spoil)
    with pytest.raises(UserError, match=said) as caught:
        read_evidence(out)
    assert "\n" not in str(caught.value)


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
