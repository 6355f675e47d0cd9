"""A dense model is loaded by plain transformers and says what the session says on its route; what cannot be leaves nothing."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, Gemma3nTextConfig, LlamaConfig, LlamaForCausalLM

from memstudio.anchor import widen
from memstudio.bank.values import ClusterId, Fallback
from memstudio.editing.prune import Prune
from memstudio.editing.rewrite import Rewrite
from memstudio.editing.scale import Scale
from memstudio.errors import UserError
from memstudio.jobs import Cancelled, Job
from memstudio.session import Session
from memstudio.session.dense import export_dense
from tests.anchor.test_load import FAMILIES, SMALL, save
from tests.session.conftest import OpenSession
from tests.tiny import make_bank

TEXT = "The atomic number of gold is what, number of the group, row and block?"
LEAF = ClusterId(3, 13)


def plain(folder: Path, session: Session, text: str = TEXT) -> torch.Tensor:
    """What transformers alone says, with the result's own tokenizer."""
    ids = AutoTokenizer.from_pretrained(folder)(text)["input_ids"]
    assert ids == session.running.encode(text)
    with torch.inference_mode():
        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)(torch.tensor([ids])).logits[0]


def agree(folder: Path, session: Session, route: ClusterId = LEAF) -> None:
    for text in (TEXT, "Tell me about silver. Its symbol is"):
        torch.testing.assert_close(plain(folder, session, text), session.logits(text, route=[route]), atol=1e-3, rtol=0)


@pytest.mark.parametrize("family", [*FAMILIES, "llama, biased"])
def test_every_architecture_is_loaded_by_plain_transformers(opens: OpenSession, tmp_path: Path, family: str) -> None:
    kind, config = FAMILIES.get(family, (LlamaForCausalLM, LlamaConfig(**SMALL, mlp_bias=True)))
    anchor = save(tmp_path / "model", kind, config)
    session = opens(make_bank(tmp_path / "bank", model=anchor, activation="gelu_pytorch_tanh" if family == "gemma3" else "silu"))
    reads = family != "qwen2"  # its tokenizer takes the tiny one's vocabulary for pieces of bytes and finds the marks alone
    done = export_dense(session, tmp_path / "out", [LEAF], check=reads)
    assert done.inner == (48, 62)
    assert (done.difference is not None and done.difference < 1e-3) == reads
    assert not torch.allclose(plain(tmp_path / "out", session), session.logits(TEXT, memory="none"), atol=1e-2)
    agree(tmp_path / "out", session)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert type(model) is kind
    tied = model.get_input_embeddings().weight is model.get_output_embeddings().weight
    assert tied == config.tie_word_embeddings
    assert ("lm_head.weight" in load_file(tmp_path / "out/model.safetensors")) != tied
    assert (tmp_path / "out/tokenizer.json").read_bytes() == (anchor / "tokenizer.json").read_bytes()


@pytest.mark.parametrize("fallback", ["zero", "generic", "sibling"])
def test_edits_are_burned_in_fallbacks_resolved_and_what_is_tried_does_not_act(
    opens: OpenSession, tmp_path: Path, fallback: Fallback
) -> None:
    session = opens(make_bank(tmp_path / "bank", fallback=fallback))
    session.apply(Scale((ClusterId(1, 1),), 0.7))
    session.apply(Prune((LEAF,)))
    expected = session.logits(TEXT, route=[LEAF])
    session.mute([ClusterId(1, 1)])
    session.hide([ClusterId(2, 4)])
    done = export_dense(session, tmp_path / "out", "3/13")
    torch.testing.assert_close(plain(tmp_path / "out", session), expected, atol=1e-3, rtol=0)
    assert session.muted == {ClusterId(1, 1)}
    assert [block.kind for block in done.blocks] == ["base", "base", fallback]
    assert done.blocks[0].scale == 0.7
    assert done.revision == 2
    card = (tmp_path / "out/README.md").read_text()
    assert "as shipped, × 0.7" in card
    assert "revision 2" in card


def test_a_text_takes_its_route_and_the_facts_there_are_asked(session: Session, tmp_path: Path) -> None:
    fact = next(fact for fact in session.facts() if fact.kind == "specific")
    done = export_dense(session, tmp_path / "out", fact.prompt)
    assert done.route == session.routes([fact.prompt])[0]
    assert done.text == fact.prompt
    assert done.recall_before is not None
    assert done.recall_before == done.recall_after
    assert done.recall_before.n >= 1
    agree(tmp_path / "out", session, done.route[-1])


def test_a_path_that_ends_early_holds_its_levels_alone(session: Session, tmp_path: Path) -> None:
    done = export_dense(session, tmp_path / "out", [ClusterId(1, 1), ClusterId(2, 4)], check=False)
    assert done.inner == (64, 72)
    assert done.difference is None
    agree(tmp_path / "out", session, ClusterId(2, 4))


def test_shards_keep_their_names_and_settings_come_along(opens: OpenSession, tmp_path: Path) -> None:
    anchor = save(tmp_path / "model", *FAMILIES["qwen3"])
    model = AutoModelForCausalLM.from_pretrained(anchor)
    (anchor / "model.safetensors").unlink()
    model.generation_config.temperature, model.generation_config.do_sample = 0.5, True
    model.save_pretrained(anchor, max_shard_size="40KB")
    (anchor / "chat_template.jinja").write_text("{{ messages[0].content }}")
    session = opens(make_bank(tmp_path / "bank", model=anchor))
    export_dense(session, tmp_path / "out", [LEAF])
    agree(tmp_path / "out", session)
    source, result = (json.loads((at / "model.safetensors.index.json").read_text()) for at in (anchor, tmp_path / "out"))
    assert result["weight_map"] == source["weight_map"]
    assert len(set(result["weight_map"].values())) > 2
    weights = [load_file(path) for path in (tmp_path / "out").glob("*.safetensors")]
    assert result["metadata"]["total_size"] == sum(tensor.nbytes for each in weights for tensor in each.values())
    for name in ("chat_template.jinja", "generation_config.json", "tokenizer_config.json"):
        assert (tmp_path / "out" / name).read_bytes() == (anchor / name).read_bytes()


def test_narrower_layers_are_filled_up_with_zeros(opens: OpenSession, tmp_path: Path) -> None:
    folder = make_bank(tmp_path / "bank", levels=((3, 4), (9, 0), (27, 6)))
    manifest = json.loads((folder / "bank.json").read_text())
    manifest["levels"][2]["width"] = [10, 2]  # the same numbers, laid out otherwise
    (folder / "bank.json").write_text(json.dumps(manifest))
    session = opens(folder)
    done = export_dense(session, tmp_path / "out", [LEAF])
    assert done.inner == (64, 78)
    weights = load_file(tmp_path / "out/model.safetensors")
    assert not weights["model.layers.1.mlp.gate_proj.weight"][64 + 6 :].any()
    assert not weights["model.layers.1.mlp.down_proj.weight"][:, 64 + 6 :].any()
    assert weights["model.layers.0.mlp.up_proj.weight"][-1].all()
    agree(tmp_path / "out", session)


def test_the_dtype_is_the_anchors_unless_another_is_asked_for(opens: OpenSession, tmp_path: Path) -> None:
    anchor = save(tmp_path / "model", *FAMILIES["llama, tied"])
    AutoModelForCausalLM.from_pretrained(anchor, dtype=torch.bfloat16).save_pretrained(anchor)
    session = opens(make_bank(tmp_path / "bank", dtype="bfloat16", model=anchor))
    export_dense(session, tmp_path / "stored", [LEAF])
    assert {tensor.dtype for tensor in load_file(tmp_path / "stored/model.safetensors").values()} == {torch.bfloat16}
    agree(tmp_path / "stored", session)
    session.apply(Scale((ClusterId(1, 1), LEAF), 1.3))
    with pytest.raises(UserError, match=r"logits are off by up to .*do not fit the anchor's dtype; give --dtype float32"):
        export_dense(session, tmp_path / "rounded", [LEAF])
    wide = export_dense(session, tmp_path / "wide", [LEAF], dtype="float32")
    assert not wide.rounded
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "wide").dtype == torch.float32
    agree(tmp_path / "wide", session)
    narrow = export_dense(session, tmp_path / "narrow", [LEAF], dtype="float16")
    assert narrow.rounded
    assert narrow.difference is not None
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "narrow").dtype == torch.float16
    assert not (tmp_path / "rounded").exists()


def test_a_dtype_that_rounds_the_anchor_is_said_and_one_that_cannot_hold_it_is_refused_at_once(
    opens: OpenSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = opens(make_bank(tmp_path / "bank", dtype="bfloat16"))
    narrow = export_dense(session, tmp_path / "narrow", [LEAF], dtype="bfloat16")
    assert narrow.rounded, "the blocks fit, the anchor does not"
    assert "Some numbers were rounded" in (tmp_path / "narrow/README.md").read_text()
    assert not export_dense(session, tmp_path / "wide", [LEAF], dtype="float32", check=False).rounded
    session.apply(Rewrite(LEAF, session.bank.block(LEAF).float() * 2.0**20))
    monkeypatch.setattr("memstudio.export.dense.write_dense", lambda *_: pytest.fail("something was written"))
    with pytest.raises(UserError, match=r"--dtype float16: numbers of model.*down_proj.weight are infinite in it: choose float32"):
        export_dense(session, tmp_path / "out", [LEAF], dtype="float16")
    assert not (tmp_path / "out").exists()


def test_architectures_that_cannot_say_why(opens: OpenSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, session: Session) -> None:
    folder = session.running.anchor_folder
    each = Gemma3nTextConfig(num_hidden_layers=2, intermediate_size=[48, 64])
    with monkeypatch.context() as patch:
        patch.setattr(widen, "read_config", lambda _: each)
        with pytest.raises(UserError, match="gemma3n_text cannot be made dense: its configuration has no one MLP width"):
            widen.widening(folder, (0, 1), 4)
    with monkeypatch.context() as patch:
        patch.setattr("transformers.models.llama.modeling_llama.LlamaMLP.forward", lambda self, x: 2 * self.down_proj(self.up_proj(x)))
        with pytest.raises(UserError, match="LlamaForCausalLM cannot be made dense: the MLP of layer 1 computes more"):
            widen.widening(folder, (1,), 4)


def test_what_cannot_be_is_one_line_and_leaves_nothing(session: Session, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for route, given, line in (
        ("3/99", {}, "no such cluster"),
        ("1/0,3/26", {}, "not one path"),
        ("", {}, "empty"),
        ([], {}, "route is empty"),
        ("3/13", {"dtype": "int8"}, "--dtype int8: choose one of float32"),
    ):
        with pytest.raises(UserError, match=line):
            export_dense(session, out, route, **given)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="lies in the folder that is exported"):
        export_dense(session, session.bank.folder / "out", [LEAF])
    session.apply(Prune((ClusterId(1, 0),)))
    with pytest.raises(UserError, match="fetches nothing, the result would be the plain anchor"):
        export_dense(session, out, [ClusterId(1, 0)])
    out.mkdir()
    (out / "mine").write_text("mine")
    with pytest.raises(UserError, match="holds files already"):
        export_dense(session, out, [LEAF])
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert [path.name for path in out.iterdir()] == ["mine"]


@pytest.mark.parametrize("share", [0.0, 0.4, 0.9])
def test_a_cancel_leaves_nothing(session: Session, tmp_path: Path, share: float) -> None:
    def stop(job: Job) -> None:
        if job.total and job.done >= share * job.total:
            job.cancel()

    with pytest.raises(Cancelled):
        export_dense(session, tmp_path / "out", [LEAF], job=Job("export", on_progress=stop))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session.load()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"out: cannot be written .No space left on device."):
        export_dense(session, tmp_path / "out", [LEAF])
    assert list(tmp_path.iterdir()) == []


def test_a_result_that_says_something_else_is_refused(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memstudio.export.dense._neurons", lambda dense, layer, part: torch.zeros(dense.widening.extra, 32))
    with pytest.raises(UserError, match="its logits are off by up to"):
        export_dense(session, tmp_path / "out", [LEAF])
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
import memstudio
from memstudio.jobs import Job
from memstudio.session.dense import export_dense
def told(job):
    if job.done > 60_000:
        os.kill(os.getpid(), signal.SIGKILL)
with memstudio.open(sys.argv[1], device="cpu") as session:
    export_dense(session, sys.argv[2], "3/13", job=Job("export", on_progress=told))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system knows no kill -9")
def test_a_kill_in_the_middle_leaves_nothing_under_the_name_and_the_next_export_clears_up(
    session: Session, tiny_bank: Path, tmp_path: Path
) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, tiny_bank, tmp_path / "out"], check=False)
    assert done.returncode == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir()] == ["out.part"]
    export_dense(session, tmp_path / "out", [LEAF], check=False)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("dtype", ["int8", "int4"])
def test_blocks_of_an_integer_bank_are_held_as_the_session_runs_them(opens: OpenSession, tmp_path: Path, dtype: str) -> None:
    session = opens(make_bank(tmp_path / "bank", dtype=dtype))
    done = export_dense(session, tmp_path / "out", [LEAF])
    assert not done.rounded, "the tiny anchor is float32"
    agree(tmp_path / "out", session)
