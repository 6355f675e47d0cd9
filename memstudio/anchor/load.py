"""The anchor: any Hugging Face causal language model with gated MLPs, loaded from a folder that is not trusted.

Only config, safetensors and tokenizer files are read: no remote code, no pickles, no network. Sizes are compared with the
weight files before anything is allocated.
"""

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from pathlib import Path
from typing import cast

import torch
from jinja2 import TemplateError
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from memstudio.anchor.device import check_computes, choose_device
from memstudio.anchor.products import Linears
from memstudio.anchor.turns import Turns, turns_of
from memstudio.anchor.values import DeviceChoice
from memstudio.bank.files import anchor_files, folder_digest, inside, read_header
from memstudio.bank.rows import STORED
from memstudio.bank.strictjson import read_limited, strict_json
from memstudio.errors import UserError

__all__ = ["DTYPES", "Anchor", "choose_device", "load_anchor", "load_tokenizer"]

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
GATED = ("gate_proj", "up_proj", "down_proj", "act_fn")
_LAYER_MLP = re.compile(r"(?:^|\.)layers\.(\d+)\.[^.]+$")
_MAX_LAYERS = 1000
_MAX_CONFIG_BYTES = 1 << 22


@dataclass(eq=False)
class Anchor:
    """A loaded anchor. `mlps[i]` is the gated MLP of layer i; `choice` says where it runs and why."""

    folder: Path
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    choice: DeviceChoice
    dtype: str
    mlps: list[nn.Module]
    hidden_size: int
    activation: str
    vocabulary: int
    max_positions: int
    eos: frozenset[int]
    chat: bool = False
    """Whether prompts are put to it as a user's turn of its chat template."""
    _pieces: dict[int, str] = field(default_factory=dict)
    _stops: dict[str, Tensor] = field(default_factory=dict)

    @property
    def device(self) -> str:
        return self.choice.device

    @cached_property
    def linears(self) -> Linears | None:
        """Its linear layers, where there is a faster way through them than the library's own."""
        fast = self.dtype == "bfloat16" or (self.dtype == "float32" and torch.backends.mkldnn.is_available())
        return Linears(self.model) if self.device == "cpu" and fast else None

    @cached_property
    def parameters(self) -> int:
        """Number of parameters, tied ones counted once."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    @contextmanager
    def breathing(self, breathe: Callable[[], None]) -> Iterator[None]:
        """Have `breathe` called once a layer of every forward inside, outside of inference mode; where it raises, the forward ends.

        It may do anything but run this anchor.
        """

        def pause(*_: object) -> None:
            with torch.inference_mode(False):
                breathe()

        hooks = [mlp.register_forward_pre_hook(pause) for mlp in self.mlps]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    @property
    def architecture(self) -> str:
        """The model class, for example LlamaForCausalLM."""
        return type(self.model).__name__

    @cached_property
    def digest(self) -> str:
        """The folder's digest (reads every file once)."""
        return folder_digest(self.folder)

    def encode(self, text: str) -> list[int]:
        """Token ids of a prompt: as the anchor reads plain text, or as a user's turn where it is a chat anchor; a conversation that is
        written in its template already is read as it stands.

        Raises:
            UserError: an empty prompt, or a token that the anchor does not have.
        """
        if not self.chat:
            return self.plain(text)
        if not text.strip():
            raise UserError("the prompt is empty: write some text")
        before, after = self.turn
        turns = self.turns
        ids = self.bare(turns.whole(text) if turns is not None and turns.carried(text) else before + text + after)
        self.check(ids)
        return ids

    @cached_property
    def turn(self) -> tuple[str, str]:
        """What the chat template puts before a user's text, and behind it up to where the answer begins.

        Raises:
            UserError: the tokenizer has no chat template, or one that changes the text.
        """
        mark = "memstudio0mark"
        turns = [{"role": "user", "content": mark}]
        with one_line_errors(self.folder, "chat template"):
            whole = str(self.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
        if whole.count(mark) != 1:
            raise UserError(f"{self.folder}: its chat template does not hold a user's text once: build with chat: false")
        before, after = whole.split(mark)
        return before, after

    @cached_property
    def turns(self) -> Turns | None:
        """How a prompt that carries turns is told; None where there is no template, or one that takes single questions only."""
        if not self.chat:
            return None

        def render(messages: Sequence[Mapping[str, str]]) -> str:
            return str(self.tokenizer.apply_chat_template([dict(one) for one in messages], tokenize=False, add_generation_prompt=True))

        try:
            return turns_of(render)
        except (TemplateError, ValueError, TypeError, KeyError):
            return None

    @cached_property
    def turn_tokens(self) -> int:
        """How many tokens the template adds to a text, about; 0 where there is none."""
        return sum(len(self.bare(part)) for part in self.turn) if self.chat else 0

    def plain(self, text: str) -> list[int]:
        """Token ids of a text, with the start token that the tokenizer asks for and never an end token.

        Raises:
            UserError: an empty text, or a token that the anchor does not have.
        """
        if not text.strip():
            raise UserError("the prompt is empty: write some text")
        ids: list[int] = list(self.tokenizer(text, add_special_tokens=True, verbose=False)["input_ids"])
        while len(ids) > 1 and ids[-1] in self.eos:
            ids.pop()
        self.check(ids)
        return ids

    def continuation(self, prompt: str, answer: str) -> list[int]:
        """Token ids of `answer` where it follows `prompt`, joined by a space unless one of them brings its own.

        Raises:
            UserError: an empty answer, or one that this anchor's tokenizer gives no token for.
        """
        if not answer.strip():
            raise UserError("the answer is empty: write some text")
        if self.chat:
            return self._answer(answer, answer.strip())
        joint = "" if prompt[-1:].isspace() or answer[:1].isspace() or not answer[:1].isalnum() else " "
        start, whole = self.encode(prompt), self.encode(prompt + joint + answer)
        if whole[: len(start)] == start and len(whole) > len(start):
            return whole[len(start) :]
        return self._answer(answer, joint + answer)

    def _answer(self, answer: str, text: str) -> list[int]:
        ids = self.bare(text)
        if not ids:
            raise UserError(f"the answer {answer!r:.60} gives no token with this anchor's tokenizer: write it in other characters")
        self.check(ids)
        return ids

    def bare(self, text: str) -> list[int]:
        """Token ids of a text alone, without a start or end token."""
        return list(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]) if text else []

    def check(self, ids: list[int]) -> None:
        """Refuse what the model cannot run.

        Raises:
            UserError: no tokens, more than the anchor has positions for, or an unknown token.
        """
        if not ids:
            raise UserError("the prompt is empty: write some text")
        if len(ids) > self.max_positions:
            raise UserError(f"the prompt has {len(ids)} tokens, the anchor takes at most {self.max_positions}: shorten it")
        if min(ids) < 0 or max(ids) >= self.vocabulary:
            raise UserError(f"{self.folder}: the tokenizer gives token {max(ids)}, the anchor has {self.vocabulary}: files of two models")

    def piece(self, token: int) -> str:
        """One token as text, for display."""
        if token not in self._pieces:
            self._pieces[token] = self.decode([token], special=True)
        return self._pieces[token]

    def decode(self, ids: list[int], *, special: bool = False) -> str:
        """Text of tokens, special ones left out unless asked for."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=not special, clean_up_tokenization_spaces=False))

    def stops(self, marks: str) -> Tensor:
        """bool [vocabulary] on the anchor's device: tokens that end an answer (an end token, or one whose text holds a mark)."""
        if marks not in self._stops:
            known = min(len(self.tokenizer), self.vocabulary)
            ends = [token in self.eos or any(mark in self.piece(token) for mark in marks) for token in range(known)]
            table = torch.zeros(self.vocabulary, dtype=torch.bool)
            table[:known] = torch.tensor(ends, dtype=torch.bool)
            self._stops[marks] = table.to(self.device)
        return self._stops[marks]


def load_anchor(folder: Path, *, device: str | DeviceChoice = "auto", dtype: str = "float32", chat: bool = False) -> Anchor:
    """Load an anchor onto a device; a GPU without room gives way to the CPU, and `choice.notice` says so.

    chat: put prompts to it as turns of its chat template.

    Raises:
        UserError: no model folder, pickled or missing or wrong weights, remote code, no gated MLPs, an unknown dtype or device.
    """
    choice = device if isinstance(device, DeviceChoice) else choose_device(device)
    if dtype not in DTYPES:
        raise UserError(f"--dtype {dtype}: choose one of {', '.join(DTYPES)}")
    config = read_config(folder)
    _check_sizes(folder, config)
    tokenizer = load_tokenizer(folder)
    model = _load_weights(folder, config, DTYPES[dtype])
    mlps = gated_mlps(folder, model, config)
    model, choice = _place(model, choice)
    if choice.device == "cpu":
        _take_in(model, folder, dtype)
    check_computes(choice.device, dtype)
    text = config.get_text_config()
    return Anchor(
        folder=folder,
        model=model,
        tokenizer=tokenizer,
        choice=choice,
        dtype=dtype,
        mlps=mlps,
        hidden_size=int(text.hidden_size),
        activation=_activation(text),
        vocabulary=_vocabulary(model),
        max_positions=int(getattr(text, "max_position_embeddings", None) or 1 << 20),
        eos=_end_tokens(model, tokenizer),
        chat=chat,
    )


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a model folder (its own files only).

    Raises:
        UserError: there is none that can be read.
    """
    with one_line_errors(folder, "tokenizer"):
        loaded: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    return loaded


def read_config(folder: Path) -> PretrainedConfig:
    if not folder.is_dir():
        raise UserError(f"{folder}: no such anchor folder: give one with --anchor DIR")
    try:
        plain = strict_json(read_limited(inside(folder, "config.json"), _MAX_CONFIG_BYTES))
    except ValueError:
        raise UserError(f"{folder}/config.json: not valid JSON: copy the anchor again") from None
    if not isinstance(plain, dict) or not isinstance(plain.get("model_type"), str):
        raise UserError(f"{folder}/config.json: no model_type: not a Hugging Face model folder")
    if "quantization_config" in plain:
        raise UserError(f"{folder}: a quantised anchor cannot carry memory yet: use its float weights")
    nested = plain.get("text_config")
    for part in (plain, nested if isinstance(nested, dict) else {}):
        _check_layers(folder, part.get("num_hidden_layers", 1))  # before a config class lists its layers one by one
    with one_line_errors(folder, "configuration"):
        config: PretrainedConfig = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    _check_layers(folder, getattr(config.get_text_config(), "num_hidden_layers", None))
    return config


def _check_layers(folder: Path, layers: object) -> None:
    if not isinstance(layers, int) or not 1 <= layers <= _MAX_LAYERS:
        raise UserError(f"{folder}/config.json: num_hidden_layers is {str(layers)[:80]}, must be 1 to {_MAX_LAYERS}")


def _check_sizes(folder: Path, config: PretrainedConfig) -> None:
    """The model that config.json describes must not be larger than the weights that are there, before any of it is allocated."""
    weights = [name for name in anchor_files(folder) if name.endswith(".safetensors")]
    if not weights:
        raise UserError(f"{folder}: no *.safetensors weights in it (pickled weights are never read)")
    stored = sum(prod(entry.shape) for name in weights for entry in read_header(inside(folder, name)).tensors.values())
    build: Callable[[PretrainedConfig], PreTrainedModel] = AutoModelForCausalLM.from_config
    with one_line_errors(folder, "configuration"), torch.device("meta"):
        skeleton = build(config)
    asked = sum(parameter.numel() for parameter in skeleton.parameters())
    if asked > stored:
        raise UserError(f"{folder}: config.json asks for {asked} parameters, the weight files hold {stored}: files are missing or mixed up")


def _load_weights(folder: Path, config: PretrainedConfig, dtype: torch.dtype) -> PreTrainedModel:
    with one_line_errors(folder, "weights"), quiet():
        loaded = AutoModelForCausalLM.from_pretrained(
            str(folder),
            config=config,
            dtype=dtype,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    # with output_loading_info a pair comes back, which the library's own annotation does not say
    model, report = cast(tuple[PreTrainedModel, dict[str, Sequence[object]]], loaded)
    wrong = sorted(str(key) for kind in ("missing_keys", "mismatched_keys") for key in report[kind])
    if wrong:
        raise UserError(f"{folder}: {len(wrong)} weights are missing or have another shape, the first is {wrong[0]}")
    nn.Module.eval(model).requires_grad_(False)
    return model


def _take_in(model: PreTrainedModel, folder: Path, dtype: str) -> None:
    """Copy what is still mapped from the weight files, which is all that is stored in the wanted dtype: a file that is cut short later, or
    whose disk is gone, would kill the process in mid-run."""
    files = [read_header(inside(folder, name)) for name in anchor_files(folder) if name.endswith(".safetensors")]
    if any(entry.dtype == STORED[dtype] for file in files for entry in file.tensors.values()):
        for parameter in model.parameters():
            parameter.data = parameter.data.clone()


def gated_mlps(folder: Path, model: PreTrainedModel, config: PretrainedConfig) -> list[nn.Module]:
    """The MLP of every layer, in order: the modules right below `layers.N` that carry gate, up and down projections."""
    found: dict[int, nn.Module] = {}
    for name, module in model.named_modules():
        match = _LAYER_MLP.search(name)
        if match is not None and all(hasattr(module, part) for part in GATED):
            found[int(match[1])] = module
    layers = config.get_text_config().num_hidden_layers
    lacking = [layer for layer in range(layers) if layer not in found]
    if lacking:
        lack = f"no gated MLP ({', '.join(GATED)}) in layer {lacking[0]}"
        raise UserError(f"{folder}: {type(model).__name__} has {lack}: this kind of anchor cannot carry memory")
    return [found[layer] for layer in range(layers)]


def _place(model: PreTrainedModel, choice: DeviceChoice) -> tuple[PreTrainedModel, DeviceChoice]:
    """Move the model; where the device is full, stay on the CPU and say so."""
    try:
        nn.Module.to(model, choice.device)
    except torch.OutOfMemoryError:
        needed = sum(tensor.numel() * tensor.element_size() for tensor in model.parameters())
        choice = DeviceChoice("cpu", f"{choice.device} is full (the anchor needs {needed / 1e9:.2f} GB): running on the CPU")
        nn.Module.to(model, choice.device)
    return model, choice


def _vocabulary(model: PreTrainedModel) -> int:
    weight = model.get_input_embeddings().weight
    if not isinstance(weight, Tensor):
        raise TypeError(f"{type(model).__name__}: its input embedding is no tensor")
    return weight.shape[0]


def _activation(config: PretrainedConfig) -> str:
    for name in ("hidden_activation", "hidden_act"):
        value = getattr(config, name, None)
        if isinstance(value, str):
            return value
    return "silu"


def _end_tokens(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    found: set[int] = set()
    config = model.config.get_text_config()
    for value in (getattr(model.generation_config, "eos_token_id", None), getattr(config, "eos_token_id", None), tokenizer.eos_token_id):
        if value is not None:
            found.update([value] if isinstance(value, int) else value)
    return frozenset(found)


@contextmanager
def one_line_errors(folder: Path, what: str) -> Iterator[None]:
    """What transformers says of a bad file, as one line for a person."""
    try:
        yield
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError, ImportError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        said = " ".join(str(error).split())[:200]
        raise UserError(f"{folder}: the {what} cannot be loaded: {type(error).__name__}: {said}") from error


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bar and no loading report on the user's terminal: what is wrong becomes an error."""
    level, bar = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    hide_bar: Callable[[], None] = transformers_logging.disable_progress_bar
    show_bar: Callable[[], None] = transformers_logging.enable_progress_bar
    transformers_logging.set_verbosity(logging.ERROR)
    hide_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bar:
            show_bar()
