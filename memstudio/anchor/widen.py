"""An anchor whose MLPs are wider by memory neurons, as its own architecture: what of its folder changes, and whether that is exact.

FFN memory adds down · (act(gate · x) ⊙ (up · x)) to the MLP's output, so it is the same sum with a longer inner width, as long as the
MLP computes just that and one `intermediate_size` says how wide every layer is. Neurons of zeros add nothing and fill up narrower layers.
"""

import copy
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PretrainedConfig, PreTrainedModel

from memstudio.anchor.load import GATED, gated_mlps, one_line_errors, read_config
from memstudio.bank.files import anchor_files, inside, read_header
from memstudio.bank.strictjson import read_limited, strict_json
from memstudio.errors import UserError

__all__ = ["GATED", "Widening", "widening"]

_PART = re.compile(r"(?:^|\.)layers\.(\d+)\.[^.]+\.(gate_proj|up_proj|down_proj)\.(weight|bias)$")
_FLOATS = ("F32", "F16", "BF16")
_SMALL = 8
_MAX_CONFIG_BYTES = 1 << 22


@dataclass(frozen=True, slots=True)
class Widening:
    """What changes in an anchor's folder when every MLP gets `extra` more neurons.

    inner: neurons of an MLP as it stands. parts: tensor name → (layer, "gate_proj" | "up_proj" | "down_proj", "weight" | "bias"), of
    those that grow. config: config.json with the new width.
    """

    inner: int
    extra: int
    parts: dict[str, tuple[int, str, str]]
    config: dict[str, object]


def widening(folder: Path, layers: Sequence[int], extra: int) -> Widening:
    """How the MLPs of an anchor grow by `extra` neurons; `layers`: those that carry memory. Reads headers and no weight.

    Raises:
        UserError: no anchor that can be read, or one whose MLPs cannot grow without changing what else it computes; one line says why.
    """
    config = read_config(folder)
    cannot = f"{folder}: {_kind(config)} cannot be made dense:"
    inner = getattr(config.get_text_config(), "intermediate_size", None)
    if not isinstance(inner, int):
        raise UserError(f"{cannot} its configuration has no one MLP width (intermediate_size) for all layers")
    small = _skeleton(folder, config, _SMALL)
    mlps = gated_mlps(folder, small, config)
    _check_width_is_all(_skeleton(folder, config, 2 * _SMALL), small, mlps, cannot)
    for layer in layers:
        if not _is_plain(mlps[layer]):
            raise UserError(f"{cannot} the MLP of layer {layer} computes more than down(act(gate) ⊙ up)")
    return Widening(inner, extra, _parts(folder, len(mlps), inner, cannot), _config(folder, inner + extra))


def _kind(config: PretrainedConfig) -> str:
    named = getattr(config, "architectures", None)
    return str(named[0]) if isinstance(named, list) and named else str(config.model_type)


def _skeleton(folder: Path, config: PretrainedConfig, inner: int) -> PreTrainedModel:
    """The anchor's architecture with MLPs of `inner` neurons, without weights."""
    own = copy.deepcopy(config)
    own.get_text_config().intermediate_size = inner
    build: Callable[[PretrainedConfig], PreTrainedModel] = AutoModelForCausalLM.from_config
    with one_line_errors(folder, "configuration"), torch.device("meta"):
        return build(own)


def _check_width_is_all(wide: PreTrainedModel, small: PreTrainedModel, mlps: Sequence[nn.Module], cannot: str) -> None:
    """Another `intermediate_size` must change the gated MLPs, all of them, and nothing else.

    Raises:
        UserError: it does not.
    """
    inside_mlps = {id(parameter) for mlp in mlps for part in GATED[:3] for parameter in mlp.get_submodule(part).parameters()}
    other = dict(wide.named_parameters())
    for name, parameter in small.named_parameters():
        grew = other[name].shape != parameter.shape
        if grew and id(parameter) not in inside_mlps:
            raise UserError(f"{cannot} intermediate_size also sets the shape of {name}")
        if not grew and id(parameter) in inside_mlps and parameter.dim() == 2:
            raise UserError(f"{cannot} intermediate_size does not set the width of {name}")


def _is_plain(mlp: nn.Module) -> bool:
    """Whether an MLP gives down(act(gate(x)) ⊙ up(x)), tried on random weights."""
    tried = mlp.to_empty(device="cpu").float()
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        for parameter in tried.parameters():
            parameter.normal_(generator=generator)
        gate, up, down, act = (tried.get_submodule(part) for part in GATED)
        x = torch.randn(1, 4, int(next(gate.parameters()).shape[-1]), generator=generator)
        found: Tensor = tried(x)
        return torch.allclose(found, down(act(gate(x)) * up(x)), rtol=1e-4, atol=1e-4)


def _parts(folder: Path, layers: int, inner: int, cannot: str) -> dict[str, tuple[int, str, str]]:
    """The tensors that grow, by their names in the weight files."""
    found: dict[str, tuple[int, str, str]] = {}
    for file in anchor_files(folder):
        if not file.endswith(".safetensors"):
            continue
        for name, entry in read_header(inside(folder, file)).tensors.items():
            match = _PART.search(name)
            part = (int(match[1]), match[2], match[3]) if match is not None else (layers, "", "")
            if part[0] >= layers or part[1:] == ("down_proj", "bias"):
                continue
            if part in found.values():
                raise UserError(f"{cannot} two of its tensors are the {part[1]} of layer {part[0]}, the second is {name}")
            if entry.dtype not in _FLOATS:
                raise UserError(f"{cannot} {name} is stored as {entry.dtype}, not as one of {', '.join(_FLOATS)}")
            if entry.shape[-1 if part[1] == "down_proj" else 0] != inner:
                raise UserError(f"{cannot} {name} is {list(entry.shape)}, intermediate_size is {inner}")
            found[name] = part
    wanted = {(layer, part, "weight") for layer in range(layers) for part in GATED[:3]}
    if lacking := sorted(wanted - set(found.values())):
        raise UserError(f"{cannot} its files hold no {lacking[0][1]} of layer {lacking[0][0]} of its own")
    return found


def _config(folder: Path, inner: int) -> dict[str, object]:
    """config.json with another MLP width."""
    plain = strict_json(read_limited(inside(folder, "config.json"), _MAX_CONFIG_BYTES))
    if not isinstance(plain, dict):
        raise UserError(f"{folder}/config.json: not an object: copy the anchor again")
    nested = plain.get("text_config")
    if isinstance(nested, dict):
        return {**plain, "text_config": {**nested, "intermediate_size": inner}}
    return {**plain, "intermediate_size": inner}
