"""What a session fetches is what stands at its revision, cached or not; files that go while it is open cost a line, never the process."""

import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
import torch
from torch import Tensor

from memstudio.bank.values import ClusterId
from memstudio.editing.rewrite import Rewrite
from memstudio.editing.scale import Scale
from memstudio.errors import UserError
from memstudio.session import Session, open_session
from memstudio.session.arm_wish import ArmWish
from tests.session.conftest import OpenSession
from tests.tiny import make_anchor, make_bank

TEXT = "The atomic number of gold is"
PATH = (ClusterId(1, 2), ClusterId(2, 8), ClusterId(3, 25))
LEAF = PATH[-1]
BLOCKS, TREE, WEIGHTS = "blocks/level-3.safetensors", "retriever/tree.safetensors", "anchor/model.safetensors"


def logits(session: Session) -> Tensor:
    return session.logits(TEXT, route=PATH)


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_with_a_cache_every_state_is_what_a_session_without_one_says(opens: OpenSession, tmp_path: Path, study: Path, dtype: str) -> None:
    bank = make_bank(tmp_path / "bank", dtype=dtype)
    session = opens(bank, study=study)
    row = session.bank.block(LEAF)
    edits: list[Callable[[], object]] = [
        lambda: session.apply(Rewrite(LEAF, row + 0.25)),
        lambda: session.apply(Scale((LEAF,), 0.5)),
        session.undo,
        session.undo,
        session.redo,
        lambda: session.apply(Rewrite(LEAF, row - 0.25)),
        session.undo,
        session.undo,
    ]
    said = [logits(session)]
    for edit in edits:
        edit()
        fresh = open_session(bank, study=study, device="cpu", readonly=True, cache_bytes=0)
        said.append(logits(session))
        assert torch.equal(said[-1], logits(fresh))
        fresh.close()
    assert torch.equal(said[0], said[-1])
    assert not any(torch.equal(one, other) for one, other in itertools.pairwise(said))
    assert session.running.supply.cached.hits >= 3


def test_arms_of_two_revisions_share_the_cache_and_not_their_blocks(opens: OpenSession) -> None:
    session = opens()
    session.apply(Rewrite(LEAF, session.bank.block(LEAF) + 0.25))
    wanted = [logits(session)]
    session.undo()
    wanted.insert(0, logits(session))
    session.redo()
    arms = session.arms(TEXT, [ArmWish(revision="0", route=PATH), ArmWish(revision="1", route=PATH)])
    list(arms.tokens())
    again = [logits(session)]
    session.undo()
    again.insert(0, logits(session))
    assert all(torch.equal(a, b) for a, b in zip(wanted, again, strict=True))
    assert session.running.supply.cached.misses == 1


def test_what_is_purged_is_not_kept_in_the_cache(opens: OpenSession) -> None:
    from memstudio.session.graph import purge

    session = opens()
    session.apply(Rewrite(LEAF, session.bank.block(LEAF) + 0.25))
    logits(session)
    session.undo()
    assert session.running.supply.cached.blocks == 1
    purge(session)
    assert session.running.supply.cached.blocks == 0


def test_a_cache_below_one_route_is_refused_before_the_study_is_taken(opens: OpenSession, study: Path) -> None:
    with pytest.raises(UserError, match="or 0 for none"):
        opens(study=study, cache_bytes=1000)
    opens(study=study, cache_bytes=0).apply(Scale((LEAF,), 0.5))


def test_a_dtype_that_the_device_cannot_do_says_what_to_do(opens: OpenSession, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise RuntimeError("\"addmm_impl_cpu_\" not implemented for 'BFloat16'")

    monkeypatch.setattr("memstudio.anchor.device.F.silu", refuse)
    session = opens(dtype="bfloat16")
    with pytest.raises(UserError, match=r"--dtype bfloat16: cpu cannot compute in it .* use float16 or float32, or --device cpu"):
        logits(session)
    with pytest.raises(UserError, match="--dtype int8: choose one of"):
        opens(dtype="int8", cache_bytes=1 << 30)


RUN = """
import os, shutil, sys
from pathlib import Path
import torch
from memstudio.bank.values import ClusterId
from memstudio.editing.scale import Scale
from memstudio.errors import UserError
from memstudio.session import open_session
from tests.tiny import key_of
torch.set_num_threads(1)
folder = Path(sys.argv[1])
path, other = (tuple(map(ClusterId, (1, 2, 3), ends)) for ends in ((2, 8, 25), (0, 0, 0)))
for number, case in enumerate(sys.argv[2:]):
    file, verb = case.split("=")
    bank = shutil.copytree(folder, folder.with_name(f"bank-{number}"))
    session = open_session(bank, study=folder.with_name(f"study-{number}"), device="cpu", dtype="bfloat16")
    session.apply(Scale((path[0],), 0.5))
    session.logits("The atomic number of gold is", route=path)
    os.truncate(bank / file, 4096) if verb == "cut" else (bank / file).unlink()
    acts = {
        "run": lambda: session.logits("The atomic number of tin is", route=other),
        "route": lambda: session.bank.tree.descend(key_of("tin")),
        "all": lambda: session.bank.tree.centroids[2].sum(),
    }
    for name, act in acts.items():
        try:
            act()
            print(case, name, "done")
        except UserError as error:
            print(case, name, *str(error).splitlines())
    print(case, "undo", session.undo().id)
    session.close()
"""


def test_a_file_that_goes_under_an_open_session_is_one_line_and_the_study_is_whole(tmp_path: Path) -> None:
    bank = make_bank(tmp_path / "bank", model=make_anchor(tmp_path / "model"), dtype="bfloat16", levels=((3, 40), (9, 40), (27, 60)))
    cases = [f"{file}={verb}" for file in (BLOCKS, TREE, WEIGHTS) for verb in ("cut", "gone")]
    ran = subprocess.run([sys.executable, "-c", RUN, str(bank), *cases], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    said = {tuple(line.split(" ", 2)[:2]): line.split(" ", 2)[2] for line in ran.stdout.splitlines()}
    assert len(said) == 4 * len(cases)
    for case in cases:
        refused = [name for name in ("run", "route", "all") if said[case, name] != "done"]
        assert refused == {BLOCKS: ["run"], TREE: ["route", "all"], WEIGHTS: []}[case.split("=")[0]]
        assert all(said[case, name].endswith("the file changed while the bank was open: open the bank again") for name in refused)
        assert said[case, "undo"] == "0"
