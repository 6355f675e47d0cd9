"""Anchors of several families, and folders that are no anchor."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Olmo2Config,
    Olmo2ForCausalLM,
    PretrainedConfig,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    SmolLM3Config,
    SmolLM3ForCausalLM,
)

from memstudio.anchor import engine
from memstudio.anchor.attach import Attached
from memstudio.anchor.device import choose_device
from memstudio.anchor.load import Anchor, load_anchor
from memstudio.anchor.slots import Slots
from memstudio.anchor.trace import trace
from memstudio.anchor.values import DeviceChoice, Sampling
from memstudio.bank.block import Layout, pack
from memstudio.bank.values import ClusterId, Route
from memstudio.errors import UserError
from tests.tiny import make_anchor

SMALL = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
    "vocab_size": 256,
    "eos_token_id": 2,
}
FAMILIES = {
    "llama, tied": (LlamaForCausalLM, LlamaConfig(**SMALL, tie_word_embeddings=True)),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(**SMALL)),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config(**SMALL)),
    "mistral, sliding window": (MistralForCausalLM, MistralConfig(**SMALL, sliding_window=8)),
    "gemma3": (Gemma3ForCausalLM, Gemma3TextConfig(**SMALL, sliding_window=8, layer_types=["sliding_attention", "full_attention"])),
    "olmo2": (Olmo2ForCausalLM, Olmo2Config(**SMALL)),
    "smollm3": (SmolLM3ForCausalLM, SmolLM3Config(**SMALL, pad_token_id=0, no_rope_layers=[1, 0])),
}
PROMPT = "The atomic number of gold is what number of the group, row and block?"


def save(folder: Path, kind: type[torch.nn.Module], config: PretrainedConfig) -> Path:
    """A model folder of random weights with the tiny tokenizer."""
    torch.manual_seed(0)
    make_anchor(folder)
    (folder / "model.safetensors").unlink()
    (folder / "generation_config.json").unlink()
    model = kind(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(folder)
    return folder


def widened(folder: Path, blocks: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]) -> torch.nn.Module:
    """Plain transformers with the block's neurons written into the MLPs themselves: what FFN memory must equal."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    mlps = [module for name, module in model.named_modules() if name.endswith(".mlp")]
    for mlp, (gate, up, down) in zip(mlps, blocks, strict=True):
        mlp.gate_proj.weight = torch.nn.Parameter(torch.cat([mlp.gate_proj.weight, gate]))
        mlp.up_proj.weight = torch.nn.Parameter(torch.cat([mlp.up_proj.weight, up]))
        mlp.down_proj.weight = torch.nn.Parameter(torch.cat([mlp.down_proj.weight, down.T], 1))
    return model


@pytest.mark.parametrize("family", FAMILIES)
def test_memory_equals_wider_mlps_and_nothing_equals_plain_transformers(tmp_path: Path, family: str) -> None:
    folder = save(tmp_path / "anchor", *FAMILIES[family])
    anchor = load_anchor(folder, device="cpu")
    layout = Layout(32, (5, 5))
    attached = Attached(anchor, Slots([layout, layout]), (0, 1))
    ids = anchor.encode(PROMPT)
    with torch.inference_mode():
        plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)(torch.tensor([ids])).logits[0]
    assert torch.equal(engine.logits(attached, ids), plain)
    generator = torch.Generator().manual_seed(1)
    blocks = [tuple(torch.randn(5, 32, generator=generator) * 0.3 for _ in range(3)) for _ in range(2)]
    attached.slots.fill(1, pack(blocks))
    got = engine.logits(attached, ids)
    with torch.inference_mode():
        expected = widened(folder, blocks)(torch.tensor([ids])).logits[0]
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(got, plain, atol=1e-2)
    answer = engine.answers(attached, [ids, ids[:4]], max_tokens=5)
    tokens = list(engine.generate(attached, ids, Sampling(max_tokens=5)))
    assert "".join(token.text for token in tokens).strip().startswith(answer[0])
    found = trace(attached, PROMPT, Route((ClusterId(1, 0),), (0.0,), ((),), (None,)))
    assert found.answer.fetched - found.answer.none == pytest.approx(found.effect[ClusterId(1, 0)])


def test_an_anchor_says_what_it_is(anchor: Anchor) -> None:
    assert anchor.architecture == "LlamaForCausalLM"
    assert anchor.parameters == sum(tensor.numel() for tensor in load_file(anchor.folder / "model.safetensors").values())
    assert (anchor.activation, anchor.hidden_size, anchor.max_positions, len(anchor.mlps)) == ("silu", 32, 256, 2)
    assert anchor.eos == {2}
    assert len(anchor.digest) == 64


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_anchor(tmp_path / "anchor")


def edit_config(folder: Path, **fields: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def refused(folder: Path, said: str, **settings: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        load_anchor(folder, **{"device": "cpu"} | settings)
    assert "\n" not in str(caught.value)


def test_what_is_no_anchor_is_refused_in_one_line(folder: Path, tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", "no such anchor folder")
    refused(tmp_path, "config.json: the file is missing")
    refused(folder, "choose one of float32", dtype="int3")
    refused(folder, "choose one of auto", device="tpu")
    (folder / "config.json").write_text("[")
    refused(folder, "not valid JSON")
    (folder / "config.json").write_text("[]")
    refused(folder, "no model_type")


def test_pickled_weights_are_never_read(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    refused(folder, "pickled weights are never read")


def test_missing_short_and_wrong_weights_are_refused(folder: Path) -> None:
    path = folder / "model.safetensors"
    weights = load_file(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    refused(folder, "cut short")
    save_file({name: tensor for name, tensor in weights.items() if "layers.1.mlp.up" not in name}, path)
    refused(folder, "asks for")
    up, extra = weights.pop("model.layers.1.mlp.up_proj.weight"), torch.zeros(64, 32)
    save_file(weights | {"extra": extra}, path)
    refused(folder, "up_proj")
    save_file(weights | {"model.layers.1.mlp.up_proj.weight": up.T.contiguous()}, path)
    refused(folder, "up_proj|weights cannot be loaded")


def test_a_config_that_asks_for_more_than_there_is_allocates_nothing(folder: Path) -> None:
    edit_config(folder, vocab_size=10**9)
    refused(folder, "asks for")
    edit_config(folder, vocab_size=200, num_hidden_layers=10**9)
    refused(folder, "num_hidden_layers")


def test_remote_code_is_refused(folder: Path) -> None:
    edit_config(folder, model_type="mystery", auto_map={"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"})
    (folder / "evil.py").write_text("raise SystemExit('ran')")
    refused(folder, "configuration cannot be loaded")


def test_an_anchor_without_gated_mlps_is_refused_with_the_reason(tmp_path: Path) -> None:
    config = GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=256, n_positions=64)
    refused(save(tmp_path / "gpt2", GPT2LMHeadModel, config), "GPT2LMHeadModel has no gated MLP")


def test_a_broken_tokenizer_is_refused(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}")
    refused(folder, "tokenizer cannot be loaded")


def test_a_full_gpu_gives_way_to_the_cpu_and_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No card is needed: the move itself is made to fail as torch fails."""
    move = torch.nn.Module.to

    def full(module: torch.nn.Module, *args: object, **kwargs: object) -> torch.nn.Module:
        if args[:1] == ("cuda",):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return move(module, *args, **kwargs)

    monkeypatch.setattr(torch.nn.Module, "to", full)
    anchor = load_anchor(folder, device=DeviceChoice("cuda"))
    assert anchor.device == "cpu"
    assert "cuda is full" in (anchor.choice.notice or "")


def test_a_cpu_torch_beside_a_gpu_is_said_with_the_line_that_fixes_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if torch.cuda.is_available() or torch.backends.mps.is_available():
        assert choose_device("auto").device != "cpu"
        return
    monkeypatch.setenv("PATH", str(tmp_path))
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    choice = choose_device("auto")
    assert choice.device == "cpu"
    assert "NVIDIA GPU" in (choice.notice or "")
    with pytest.raises(UserError, match="NVIDIA GPU"):
        choose_device("cuda")


def test_devices_that_are_not_there_are_refused() -> None:
    assert choose_device("cpu").notice is None
    for wanted in ("mps", "cuda:99", "cuda:x", "tpu"):
        if wanted == "mps" and torch.backends.mps.is_available():
            continue
        with pytest.raises(UserError, match="--device"):
            choose_device(wanted)


def test_a_copied_anchor_has_the_same_digest(folder: Path, tmp_path: Path) -> None:
    one = load_anchor(folder, device="cpu").digest
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    (copy / "README.md").write_text("not part of the digest")
    assert load_anchor(copy, device="cpu").digest == one
