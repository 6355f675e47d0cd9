"""The tiny bank's retriever: its tree was made with `tiny.key_of`, so its keys are given by that and not by the 90 MB encoder."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from memstudio.errors import UserError
from memstudio.session.running import Running
from tests.tiny import key_of


def use_tiny_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Route by `key_of` for the length of a test."""

    def key_vectors(_: Running, texts: list[str]) -> NDArray[np.float32]:
        for text in texts:
            if not text.strip():
                raise UserError("the key is empty: write some text")
        return np.stack([key_of(text) for text in texts])

    monkeypatch.setattr(Running, "key_vectors", key_vectors)
    monkeypatch.setattr(Running, "key_pieces", lambda _, text: len(text.split()) + 2)


class WordEncoder:
    """An encoder for documents of a test: texts that share words lie close together."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors [texts, 384], the mean of a random one for each word."""
        return np.stack([_mean([key_of(word) for word in text.casefold().split()]) for text in texts])


def _mean(words: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    total = np.sum(words, axis=0)
    return (total / np.linalg.norm(total)).astype(np.float32)


def use_word_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Build and route by `WordEncoder` for the length of a test."""
    from memstudio.builder import build, estimate

    for module in (build, estimate):
        monkeypatch.setattr(module, "load_encoder", lambda _=None: WordEncoder())
    monkeypatch.setattr(Running, "key_vectors", lambda _, texts: WordEncoder().encode(texts))
    monkeypatch.setattr(Running, "key_pieces", lambda _, text: len(text.split()) + 2)
