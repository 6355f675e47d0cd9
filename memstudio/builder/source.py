"""The anchor that a bank is built for: found, looked at before it is loaded, and refused with the reason where it cannot carry memory."""

from dataclasses import dataclass
from glob import escape
from math import prod
from pathlib import Path

from memstudio.anchor.load import Anchor, load_anchor
from memstudio.bank.files import anchor_files, inside, is_anchor_file, read_header
from memstudio.bank.hub import cache_folder, cached_snapshot
from memstudio.bank.strictjson import read_limited, strict_json
from memstudio.builder.recipe import is_hub_id
from memstudio.errors import UserError

MODELS = {
    "llama": "Llama, SmolLM",
    "qwen2": "Qwen 2",
    "qwen3": "Qwen 3",
    "gemma3_text": "Gemma 3",
    "mistral": "Mistral",
    "olmo2": "OLMo 2",
    "smollm3": "SmolLM 3",
}
"""The kinds of model (config.json's model_type) that training is tested on."""
_MAX_CONFIG_BYTES, _MAX_INDEX_BYTES = 1 << 22, 1 << 26


@dataclass(frozen=True, slots=True)
class Source:
    """A model folder and what its configuration says. hub: "org/repo@revision" where it comes from the model cache, else ""."""

    folder: Path
    hub: str
    architecture: str
    hidden_size: int
    layers: int
    parameters: int
    weight_bytes: int
    chat: bool


def find_source(anchor: str) -> Source:
    """Look at a model folder, or at org/repo[@revision] in the model cache; reads the configuration and the headers of the weights.

    Raises:
        UserError: it is not there, or of a kind that cannot carry memory.
    """
    folder, hub = Path(anchor), ""
    if is_hub_id(anchor):
        repo, _, revision = anchor.partition("@")
        found = cached_snapshot(f"{repo}@{revision or 'main'}")
        if found is None:
            raise UserError(f"{anchor}: neither a folder nor in the model cache; --download fetches it, saying first how large it is")
        folder, hub = found, f"{repo}@{found.name}"
    if not folder.is_dir():
        raise UserError(f"{anchor}: no such model folder; name a folder, or org/repo")
    try:
        config = strict_json(read_limited(inside(folder, "config.json"), _MAX_CONFIG_BYTES))
    except ValueError:
        raise UserError(f"{folder}/config.json: not valid JSON: copy the model again") from None
    kind = config.get("model_type") if isinstance(config, dict) else None
    if not isinstance(config, dict) or kind not in MODELS:
        raise UserError(f"{folder}: a model of kind {str(kind)[:40]!r}; memory is trained on {', '.join(MODELS.values())}")
    shape = [config.get(name) for name in ("hidden_size", "num_hidden_layers")]
    if not all(isinstance(each, int) and each > 0 for each in shape):
        raise UserError(f"{folder}/config.json: no hidden_size or num_hidden_layers: not a whole configuration")
    hidden, layers = (int(str(each)) for each in shape)
    missing = _missing(folder)
    if missing and hub:
        raise UserError(f"{anchor}: not whole in the model cache ({missing[0]} is missing); --download goes on with it")
    weights = [inside(folder, name) for name in anchor_files(folder) if name.endswith(".safetensors")]
    if not weights:
        raise UserError(f"{folder}: no *.safetensors weights in it (pickled weights are never read)")
    if missing:
        raise UserError(f"{folder}: {missing[0]} is missing, which its index names: copy the model again")
    count = sum(prod(entry.shape) for path in weights for entry in read_header(path).tensors.values())
    names = config.get("architectures")
    architecture = str(names[0])[:80] if isinstance(names, list) and names else str(kind)
    size = sum(path.stat().st_size for path in weights)
    return Source(folder, hub, architecture, hidden, layers, count, size, _has_template(folder))


def load_source(source: Source, *, device: str, dtype: str, chat: bool | None) -> Anchor:
    """Load it for training. chat: None is "when it has a template".

    Raises:
        UserError: see `load_anchor`; a chat template is asked for and there is none.
    """
    if chat and not source.chat:
        raise UserError(f"{source.folder}: chat: true, but its tokenizer has no chat template")
    return load_anchor(source.folder, device=device, dtype=dtype, chat=source.chat if chat is None else chat)


def download(anchor: str) -> list[tuple[str, int]]:
    """What a download of org/repo[@revision] into the model cache would fetch: (file, bytes) of configuration, weights and tokenizer.

    Raises:
        UserError: no such model, or no network.
    """
    from huggingface_hub import HfApi

    repo, _, revision = anchor.partition("@")
    try:
        listed = HfApi().model_info(repo, revision=revision or None, files_metadata=True).siblings or []
    except _hub_errors() as error:
        raise UserError(f"{anchor}: the model hub cannot be asked ({_first_line(error)})") from error
    found = [(file.rfilename, file.size or 0) for file in listed if is_anchor_file(file.rfilename)]
    if not any(name.endswith(".safetensors") for name, _ in found):
        raise UserError(f"{anchor}: no *.safetensors weights there (pickled weights are never read); choose a model that has them")
    return found


def fetch(anchor: str, files: list[tuple[str, int]]) -> None:
    """Download these files, as `download` named them, into the model cache, and no other.

    Raises:
        UserError: no room, or it broke off; called again it goes on.
    """
    import shutil

    from huggingface_hub import snapshot_download

    repo, _, revision = anchor.partition("@")
    room, needed = shutil.disk_usage(_existing(cache_folder())).free, sum(size for _, size in files)
    if needed > room:
        raise UserError(f"{anchor}: {needed / 1e9:.2f} GB to fetch, the disk of the model cache has {room / 1e9:.2f} GB")
    try:
        snapshot_download(repo, revision=revision or None, allow_patterns=[escape(name) for name, _ in files])
    except _hub_errors() as error:
        raise UserError(f"{anchor}: the download broke off ({_first_line(error)}); say it again to go on") from error


def is_cached(anchor: str) -> bool:
    """Whether org/repo[@revision] lies whole in the model cache: configuration, tokenizer and every file of its weights."""
    repo, _, revision = anchor.partition("@")
    folder = cached_snapshot(f"{repo}@{revision or 'main'}")
    if folder is None or not (folder / "config.json").is_file() or _missing(folder):
        return False
    return any((folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model"))


def _missing(folder: Path) -> list[str]:
    """Files of weights that are not there: those that an index names, else any at all."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return [] if any(name.endswith(".safetensors") for name in anchor_files(folder)) else ["model.safetensors"]
    try:
        found = strict_json(read_limited(inside(folder, index.name), _MAX_INDEX_BYTES))
    except ValueError:
        raise UserError(f"{index}: not valid JSON: copy the model again") from None
    placed = found.get("weight_map") if isinstance(found, dict) else None
    parts = sorted({str(name) for name in placed.values()}) if isinstance(placed, dict) else []
    return [name for name in parts if is_anchor_file(name) and not (folder / name).is_file()]


def _hub_errors() -> tuple[type[Exception], ...]:
    """What the hub's library raises where a person can help: no network, no such model, a name that cannot be one."""
    from huggingface_hub import errors

    return (errors.HTTPError, errors.HFValidationError, OSError)  # type: ignore[attr-defined]  # HTTPError: of its HTTP client


def _first_line(error: Exception) -> str:
    return f"{(str(error).splitlines() or [type(error).__name__])[0]:.120}"


def _existing(folder: Path) -> Path:
    return folder if folder.exists() else _existing(folder.parent)


def _has_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file():
        return True
    if not (folder / "tokenizer_config.json").is_file():
        return False
    try:
        plain = strict_json(read_limited(inside(folder, "tokenizer_config.json"), _MAX_CONFIG_BYTES))
    except ValueError:
        raise UserError(f"{folder}/tokenizer_config.json: not valid JSON: copy the model again") from None
    return isinstance(plain, dict) and bool(plain.get("chat_template"))
