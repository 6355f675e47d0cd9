"""The tiny bank's retriever: its tree was made with `tiny.key_of`, so its keys are given by that and not by the 90 MB encoder."""

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
