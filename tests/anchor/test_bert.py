"""The encoder's own forward pass, against transformers on the same weights, and model folders that are not what they say."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from memstudio.anchor import router
from memstudio.anchor.bert import read_bert
from memstudio.anchor.router import Encoder, find_encoder
from memstudio.bank.bank import Bank, open_bank
from memstudio.bank.manifest import RetrieverRef
from memstudio.errors import UserError
from memstudio.facts.read import prompts_of, read_facts
from memstudio.paths import demo_bank
from tests.tiny import RETRIEVER

CONFIG: dict[str, Any] = {
    "model_type": "bert",
    "architectures": ["BertModel"],
    "hidden_act": "gelu",
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 40,
    "type_vocab_size": 2,
    "vocab_size": 50,
    "layer_norm_eps": 1e-12,
}


def make_encoder(folder: Path, **changes: Any) -> Path:
    """A folder of a small random BERT as transformers writes it; `changes` go into config.json afterwards."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(3)
    model = BertModel(BertConfig(**{**CONFIG, "initializer_range": 0.4}), add_pooling_layer=False)
    folder.mkdir(exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({**CONFIG, **changes}))
    return folder


def expected(folder: Path, ids: NDArray[np.int64]) -> NDArray[np.float32]:
    """What transformers says."""
    from transformers import AutoModel

    model = AutoModel.from_pretrained(str(folder), dtype=torch.float32).eval()
    with torch.inference_mode():
        found: NDArray[np.float32] = model(input_ids=torch.from_numpy(ids)).last_hidden_state.numpy()
    return found


@pytest.fixture(scope="module")
def real() -> Path:
    """The folder of the real encoder, or a skip that says what is missing."""
    try:
        return find_encoder(RetrieverRef.model_validate(RETRIEVER))
    except UserError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def demo() -> Bank:
    return open_bank(demo_bank())


def test_it_agrees_with_transformers_whatever_the_lengths(tmp_path: Path) -> None:
    folder = make_encoder(tmp_path)
    bert = read_bert(folder)
    assert bert is not None
    for shape in ((1, 1), (1, 40), (3, 7), (90, 30)):
        ids = np.random.default_rng(0).integers(0, 50, shape)
        np.testing.assert_allclose(bert.states(ids), expected(folder, ids), atol=2e-5)


def test_the_demos_prompts_get_the_same_keys_and_routes_as_from_transformers(real: Path, demo: Bank) -> None:
    from transformers import AutoModel, AutoTokenizer

    prompts = [text for fact in read_facts(demo.facts_path) for _, text in prompts_of(fact)]
    sample = [prompts[at] for at in np.random.default_rng(7).choice(len(prompts), 300, replace=False)]
    sample += ["naïve Ωμέγα 東京 — “quoted”, don't!", "word " * 400]
    ours = Encoder(real).encode(sample)
    tokenizer, model = AutoTokenizer.from_pretrained(str(real)), AutoModel.from_pretrained(str(real), dtype=torch.float32).eval()
    with torch.inference_mode():
        for text, mine in zip(sample, ours, strict=True):
            ids = tokenizer(text, truncation=True, max_length=256, padding=False, return_tensors="pt")["input_ids"]
            key = torch.nn.functional.normalize(model(input_ids=ids).last_hidden_state.mean(1), dim=-1)[0].numpy()
            np.testing.assert_allclose(mine, key, atol=1e-5)
            assert demo.tree.descend(mine).clusters == demo.tree.descend(key).clusters, text


def test_other_architectures_are_left_to_transformers(tmp_path: Path) -> None:
    for change in ({"model_type": "mpnet"}, {"hidden_act": "relu"}, {"position_embedding_type": "relative_key"}, {"is_decoder": True}):
        assert read_bert(make_encoder(tmp_path, **change)) is None


@pytest.fixture
def foreign(tmp_path: Path) -> Encoder:
    """An encoder that is left to transformers, of six word pieces at most."""
    folder = make_encoder(tmp_path / "tanh", hidden_act="gelu_new", vocab_size=50)
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "gold", "silver"]))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    return Encoder(folder, dim=32, max_tokens=6)


def test_another_activation_is_encoded_by_transformers(foreign: Encoder) -> None:
    encoder, folder = foreign, foreign.folder
    keys = encoder.encode(["gold silver", "silver"])
    np.testing.assert_allclose(np.linalg.norm(keys, axis=1), 1, atol=1e-6)
    ids = np.array([[2, 5, 6, 3]])
    mean = expected(folder, ids)[0].mean(0)
    np.testing.assert_allclose(keys[0], mean / np.linalg.norm(mean), atol=1e-5)
    assert encoder.count("gold " * 9) == 11


def test_threads_may_ask_at_once_and_the_model_is_read_once(foreign: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[Path] = []
    monkeypatch.setattr(router, "read_bert", loads.append)
    long, short = "gold " * 400, "silver"
    alone = Encoder(foreign.folder, dim=32, max_tokens=6).encode([long, short])
    loads.clear()

    def ask(text: str) -> tuple[int, bytes]:
        return foreign.count(text), foreign.encode([text])[0].tobytes()

    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(ask, [long, short] * 100))
    assert set(said[::2]) == {(402, alone[0].tobytes())}
    assert set(said[1::2]) == {(3, alone[1].tobytes())}
    assert loads == [foreign.folder]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hidden_size": 64}, "asks for"),
        ({"num_hidden_layers": 3}, "no tensor"),
        ({"vocab_size": 1 << 30}, "asks for"),
        ({"vocab_size": -1}, "vocab_size is -1"),
        ({"num_hidden_layers": 10**6}, "not an encoder's configuration"),
        ({"num_attention_heads": 5}, "not an encoder's configuration"),
        ({"layer_norm_eps": "small"}, "layer_norm_eps"),
        ({"intermediate_size": None}, "intermediate_size is None"),
    ],
)
def test_weights_that_are_not_what_the_configuration_says_are_refused_in_one_line(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserError, match=words) as caught:
        read_bert(make_encoder(tmp_path, **change))
    assert "\n" not in str(caught.value)


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path, real: Path) -> None:
    folder = make_encoder(tmp_path)
    (folder / "tokenizer.json").write_bytes((real / "tokenizer.json").read_bytes())
    with pytest.raises(UserError, match="files of two models"):
        Encoder(folder, dim=32, max_tokens=40).encode(["The atomic number of gold is"])
    with pytest.raises(UserError, match="40 positions"):
        Encoder(folder, dim=32, max_tokens=256).encode(["gold"])
    with pytest.raises(UserError, match="gives 32 numbers"):
        Encoder(folder, dim=384, max_tokens=40).encode(["gold"])
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match=r"tokenizer\.json: cannot be loaded") as caught:
        Encoder(folder, dim=32, max_tokens=40).encode(["gold"])
    assert "\n" not in str(caught.value)


def test_a_file_cut_short_after_it_was_read_is_no_crash(tmp_path: Path) -> None:
    bert = read_bert(make_encoder(tmp_path))
    assert bert is not None
    with (tmp_path / "model.safetensors").open("r+b") as stream:
        stream.truncate(1000)
    with pytest.raises(UserError, match="the file changed"):
        bert.states(np.zeros((1, 3), np.int64))


def test_word_pieces_are_counted_beyond_those_that_are_read(real: Path) -> None:
    encoder = Encoder(real)
    assert encoder.count("gold") == 3
    assert encoder.count("gold " * 1000) == 1002
