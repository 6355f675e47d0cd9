"""The verbs of the history and of patches do what they say, in words for people and as one JSON object for scripts."""

from pathlib import Path

import pytest

from memstudio.cli.history import VERBS, summary
from memstudio.session import open_session
from tests.cli.conftest import Shell
from tests.tiny import make_bank


@pytest.fixture
def study(shell: Shell, tiny_bank: Path, tmp_path: Path) -> Path:
    """0 → 1 (prune 3/4) → 2 (prune 3/5) → 3 (restore 3/4)."""
    folder = tmp_path / "study"
    shell("prune", tiny_bank, "3/4", "--study", folder)
    shell("prune", tiny_bank, "3/5", "--study", folder)
    shell("restore", tiny_bank, "3/4", "--orphan", "--study", folder)
    return folder


def test_a_named_revision_stands_in_the_log_and_is_gone_to_by_its_name(shell: Shell, study: Path) -> None:
    assert shell("name", study, "before-restore", 2, "--json").json["names"] == {"before-restore": 2}
    assert shell("name", study, "now").out == "now: revision 3\n"
    said = shell("checkout", study, "before-restore", "--json").json
    assert (said["head"], said["names"]) == (2, {"before-restore": 2, "now": 3})
    shown = shell("log", study).out
    assert "[before-restore] prune 3/5" in " ".join(shown.split())
    assert [line.split()[0] for line in shown.splitlines() if "before-restore" in line] == ["●"]
    assert shell("name", study, "now", 1).status == 2
    assert shell("name", study, "now", 1, "--force").status == 0
    assert shell("name", study, "now", "--remove").out == "now: no longer revision 1\n"
    assert shell("log", study, "--json").json["names"] == {"before-restore": 2}


def test_the_log_shows_branches_and_what_was_measured(shell: Shell, study: Path) -> None:
    assert "reliability" not in shell("log", study).out
    with open_session(study) as session:
        session.store.annotate(2, {"reliability": 1.0, "locality": 0.98, "proportions": {"locality": {"n": 84}}})
    shell("checkout", study, 1)
    shell("prune", study, "3/7")
    said = shell("log", study, "--json").json
    assert [revision["parent"] for revision in said["revisions"]] == [None, 0, 1, 2, 1]
    assert [revision["current"] for revision in said["revisions"]] == [True, True, False, False, True]
    assert "reliability 1.00 · locality 0.98" in " ".join(shell("log", study).out.split())


@pytest.mark.parametrize(
    ("receipt", "line"),
    [
        ({}, ""),
        ({"blocks": 3, "reliability": "not measured"}, ""),
        ({"reliability": 0, "locality": 0.984, "proportions": {"locality": {"n": 84}}}, "reliability 0.00 · locality 0.98 (n 84)"),
        ({"outside_identical": 1.0, "gate": {"ok": False}}, "outside identical 1.00 · went on against the gate"),
        ({"reliability": True, "proportions": [], "gate": "x"}, ""),
        ({"locality": 1.0, "proportions": {"locality": 5}}, "locality 1.00"),
    ],
)
def test_a_receipt_on_one_line_says_what_was_measured_only(receipt: dict[str, object], line: str) -> None:
    assert summary(receipt) == line


def test_a_receipt_is_shown(shell: Shell, study: Path) -> None:
    said = shell("receipt", study, 1, "--json").json
    assert (said["revision"], said["title"], said["receipt"]["blocks"]) == (1, "prune 3/4", 1)
    assert shell("receipt", study, "--json").json["revision"] == 3
    assert shell("receipt", study).out == "revision 3: restore 3/4, alone\n  not measured\n"
    with open_session(study) as session:
        session.store.annotate(3, {"notes": ["a \x1b[2Jnote"], "measured": True, "reliability": 1.0})
    assert "  a [2Jnote\n" in shell("receipt", study).out


def test_a_revision_in_the_middle_is_reverted(shell: Shell, study: Path) -> None:
    dry = shell("revert", study, 2, "--dry-run", "--json").json
    assert (dry["revision"], dry["exact"], dry["changes"]) == (None, True, [{"cluster": "3/5", "before": "pruned", "after": "base"}])
    assert shell("log", study, "--json").json["head"] == 3
    done = shell("revert", study, 2, "--json").json
    assert (done["revision"], done["head"], done["changes"], done["reverted"]) == (4, 4, dry["changes"], 2)
    assert shell("info", study, "--json").json["pruned"] == {"1": 0, "2": 0, "3": 0}


def test_what_stands_on_a_revision_is_said_and_goes_along_or_is_run_again(shell: Shell, study: Path) -> None:
    shell("prune", study, "2/1")  # 4: 3/3, 3/4 and 2/1
    no = shell("revert", study, 1)
    assert (no.status, no.err.count("\n")) == (2, 1)
    assert "revisions 3 and 4 stand on its blocks" in no.err
    assert "3, 4 (--along, or --again)" in shell("revert", study, 1, "--dry-run").out
    assert shell("revert", study, 3, "--along", "--json").json["head"] == 5
    assert shell("info", study, "--json").json["pruned"] == {"1": 0, "2": 0, "3": 2}
    shell("checkout", study, 4)
    again = shell("revert", study, 3, "--again", "--json").json
    assert again["title"] == "prune 2/1"
    assert shell("info", study, "--json").json["pruned"] == {"1": 0, "2": 1, "3": 3}
    assert "revision" in shell("revert", study, again["revision"]).out


def test_a_difference_has_norms(shell: Shell, study: Path) -> None:
    said = shell("diff", study, 0, 2, "--json").json
    assert [block["cluster"] for block in said["blocks"]] == ["3/4", "3/5"]
    assert all(block["norm"] > 0 and block["relative"] == pytest.approx(1) for block in said["blocks"])
    assert shell("diff", study, "head", "tip", "--json").json["blocks"] == []
    assert "3/4" in shell("diff", study, 0, 1).out


def test_a_patch_goes_from_one_study_to_another(shell: Shell, study: Path, tiny_bank: Path, tmp_path: Path) -> None:
    out, theirs = tmp_path / "gold.patch", tmp_path / "theirs"
    said = shell("export", study, out, "--as", "patch", "--revisions", "1,2", "--json").json
    assert ([change["cluster"] for change in said["changes"]], said["bytes"]) == (["3/4", "3/5"], (out / "patch.json").stat().st_size)
    dry = shell("apply", tiny_bank, out, "--study", theirs, "--dry-run", "--json").json
    assert (dry["revision"], dry["title"], len(dry["changes"])) == (None, "apply gold", 2)
    assert not theirs.exists()
    done = shell("apply", tiny_bank, out, "--study", theirs, "--json").json
    assert (done["revision"], done["changes"]) == (1, dry["changes"])
    assert shell("info", theirs, "--json").json["pruned"]["3"] == 2
    again = shell("apply", theirs, out)
    assert again.status == 2
    assert "is applied already" in again.err
    other = shell("apply", make_bank(tmp_path / "other", seed=1), out)
    assert other.status == 2
    assert "is a patch for bank" in other.err


def test_what_is_no_kind_is_not_exported_and_nothing_over_something(shell: Shell, study: Path, tmp_path: Path) -> None:
    said = shell("export", study, tmp_path / "x", "--as", "gguf")
    assert said.status == 2
    assert "patch, bank, dense and published are" in said.err
    (tmp_path / "x").mkdir()
    assert "is there already" in shell("export", study, tmp_path / "x").err


def test_a_purge_asks_for_yes_and_undo_then_says_why_it_cannot(shell: Shell, study: Path, tmp_path: Path, tiny_bank: Path) -> None:
    import torch

    from memstudio.bank.block import block_digest
    from memstudio.bank.values import BASE, BlockState, Change, ClusterId

    with open_session(study) as session:
        row = torch.full((session.bank.layouts[2].n,), 0.5)
        state = BlockState(block_digest(row))
        session.commit("write", "write 3/0", [Change(ClusterId(3, 0), BASE, state)], tensors={state.source: row})
    shell("prune", study, "3/0")
    no = shell("purge", study)
    assert (no.status, no.err.count("\n")) == (2, 1)
    assert shell("undo", study, "--json").json["head"] == 4
    shell("redo", study)
    said = shell("purge", study, "--yes", "--json").json
    assert (said["blobs"], said["clean"], list((study / "blobs").iterdir())) == (1, True, [])
    no = shell("undo", study)
    assert (no.status, no.err.count("\n")) == (2, 1)
    assert "was purged on" in no.err
    assert shell("checkout", study, 3).status == 0
    assert "purged 0 blocks" in shell("purge", study, "--yes").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["checkout", "STUDY", "9"], "revisions 0 to 3"),
        (["checkout", "STUDY", "gold"], "neither a number nor a name"),
        (["name", "STUDY", "head"], "moves by itself"),
        (["name", "STUDY", "a b"], "name 'a b'"),
        (["name", "STUDY", "x", "--remove"], "no revision has it"),
        (["revert", "STUDY", "0"], "the bank as shipped"),
        (["revert", "STUDY", "1", "--along", "--again"], "not both"),
        (["diff", "STUDY", "0", "x"], "neither a number nor a name"),
        (["receipt", "STUDY", "77"], "revisions 0 to 3"),
        (["export", "STUDY", "OUT", "--revisions", "0"], "does not lead"),
        (["apply", "STUDY", "no-such-patch"], "no such patch"),
        (["apply", "STUDY", "STUDY"], "is not a patch"),
    ],
)
def test_bad_input_is_one_line_and_changes_nothing(shell: Shell, study: Path, tmp_path: Path, words: list[str], said: str) -> None:
    before = shell("log", study, "--json").out
    line = shell(*({"STUDY": study, "OUT": tmp_path / "out"}.get(word, word) for word in words))
    assert (line.status, line.out, line.err.count("\n")) == (2, "", 1)
    assert said in line.err
    assert shell("log", study, "--json").out == before


def test_every_verb_has_json_and_says_what_it_does() -> None:
    assert set(VERBS) == {"log", "receipt", "undo", "redo", "checkout", "name", "revert", "diff", "purge", "apply"}
    for function in VERBS.values():
        assert "json" in function.__annotations__
        assert function.__doc__
