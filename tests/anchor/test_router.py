"""The encoder: found by its digest, and its settings kept."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from memstudio.anchor.router import Encoder, find_encoder
from memstudio.bank.manifest import RetrieverRef
from memstudio.errors import UserError
from tests.tiny import RETRIEVER

REAL = RetrieverRef.model_validate(RETRIEVER)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    """The real one, or a skip that says what is missing."""
    try:
        return Encoder(find_encoder(REAL))
    except UserError as error:
        pytest.skip(str(error))


def test_keys_are_unit_vectors_that_repeat_bit_by_bit(encoder: Encoder) -> None:
    texts = ["The atomic number of gold is", "What is the capital of France?", "The atomic number of silver is"]
    keys = encoder.encode(texts)
    assert keys.shape == (3, 384)
    assert keys.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(keys, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(keys, encoder.encode(texts))
    np.testing.assert_allclose(keys[1], encoder.encode(texts[1:2])[0], atol=1e-6)
    assert keys[0] @ keys[2] > keys[0] @ keys[1]


def test_only_the_first_word_pieces_count(encoder: Encoder) -> None:
    start = "gold " * 300
    np.testing.assert_array_equal(encoder.encode([start + "silver"]), encoder.encode([start + "whale"]))
    short = Encoder(encoder.folder, max_tokens=8)
    assert not np.allclose(short.encode([start]), encoder.encode([start]))


def test_an_empty_key_is_refused() -> None:
    with pytest.raises(UserError, match="the key is empty"):
        Encoder(Path("unused")).encode(["gold", " "])


def test_a_given_folder_must_hold_the_banks_encoder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no model\.safetensors"):
        find_encoder(REAL, tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"another")
    with pytest.raises(UserError, match="another encoder"):
        find_encoder(REAL, tmp_path)


def test_the_model_cache_is_searched_and_only_the_right_digest_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    snapshots = tmp_path / "models--example--encoder" / "snapshots"
    for name, content in (("one", b"old"), ("two", b"right")):
        (snapshots / name).mkdir(parents=True)
        (snapshots / name / "model.safetensors").write_bytes(content)
    digest = hashlib.sha256(b"right").hexdigest()
    wanted = REAL.model_copy(update={"encoder": "example/encoder", "sha256": digest})
    assert find_encoder(wanted) == snapshots / "two"
    with pytest.raises(UserError, match="not on this machine") as caught:
        find_encoder(wanted.model_copy(update={"sha256": "0" * 64}))
    assert "--encoder DIR" in str(caught.value)


def test_a_folder_that_is_no_encoder_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    for config, words in ((None, r"config\.json: the file is missing"), ('{"model_type": "none"}', "encoder cannot be loaded")):
        if config is not None:
            (tmp_path / "config.json").write_text(config)
        with pytest.raises(UserError, match=words) as caught:
            Encoder(tmp_path).encode(["gold"])
        assert "\n" not in str(caught.value)
