"""A bank runs without a study, and with torch, transformers and safetensors alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from memstudio.anchor.router import find_encoder
from memstudio.anchor.runtime import Runtime, load_bank
from memstudio.bank.bank import open_bank
from memstudio.bank.values import ClusterId
from memstudio.errors import UserError
from memstudio.session import open_session
from tests.standin import use_tiny_encoder
from tests.tiny import key_of, make_bank

TEXT = "The atomic number of gold is"


@pytest.fixture
def runtime(tiny_bank: Path, monkeypatch: pytest.MonkeyPatch) -> Runtime:
    use_tiny_encoder(monkeypatch)
    monkeypatch.setattr(Runtime, "key_vectors", lambda _, texts: np.stack([key_of(text) for text in texts]))
    return load_bank(tiny_bank, device="cpu")


def test_it_says_bit_for_bit_what_a_session_says(runtime: Runtime, tiny_bank: Path) -> None:
    with open_session(tiny_bank, device="cpu") as session, runtime:
        assert runtime.route(TEXT) == session.route(TEXT)
        assert torch.equal(runtime.logits(TEXT), session.logits(TEXT))
        assert torch.equal(runtime.logits(TEXT, key="gold"), session.logits(TEXT, key="gold"))
        assert torch.equal(runtime.logits(TEXT, route=[ClusterId(3, 13)]), session.logits(TEXT, route=[ClusterId(3, 13)]))
        for memory in ("generic", "none"):
            assert torch.equal(runtime.logits(TEXT, memory=memory), session.logits(TEXT, memory=memory))
        assert runtime.answer(TEXT) == session.run(TEXT).text
        assert [token.id for token in runtime.generate(TEXT)] == [token.id for token in session.generate(TEXT)]


def test_its_transformers_model_routes_each_row(runtime: Runtime) -> None:
    texts = [TEXT, "Tell me about silver in the block"]
    rows = [runtime.anchor.encode(text) for text in texts]
    width = max(map(len, rows))
    model = runtime.as_transformers()
    with torch.inference_mode():
        out = model(torch.tensor([row + [0] * (width - len(row)) for row in rows])).logits
    for found, row, text in zip(out, rows, texts, strict=True):
        torch.testing.assert_close(found[: len(row)], runtime.logits(text), atol=1e-4, rtol=0)
    runtime.close()
    with pytest.raises(UserError, match="was closed"):
        model(torch.tensor([rows[0]]))


def test_what_cannot_be_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"bank\.json"):
        load_bank(tmp_path)
    bare = load_bank(make_bank(tmp_path / "bank", generic=False), device="cpu")
    for ask in (bare.logits, bare.answer):
        with pytest.raises(UserError, match="has no generic blocks"):
            ask(TEXT, memory="generic")
        with pytest.raises(UserError, match="no such cluster"):
            ask(TEXT, route=[ClusterId(3, 99)])
    with pytest.raises(UserError, match="has no generic blocks"):
        bare.as_transformers(memory="generic")


ALONE = """
import importlib.metadata as metadata, json, re, sys
from packaging.requirements import Requirement

def plain(name):
    return re.sub("[-_.]+", "-", name).lower()

allowed, left = set(), ["torch", "transformers", "safetensors", "pydantic"]
while left:
    name = plain(left.pop())
    if name in allowed:
        continue
    allowed.add(name)
    try:
        wanted = map(Requirement, metadata.requires(name) or ())
    except metadata.PackageNotFoundError:
        continue
    left += [each.name for each in wanted if each.marker is None or each.marker.evaluate({"extra": ""})]
refused = {top for top, names in metadata.packages_distributions().items() if not allowed & set(map(plain, names))} - {"memstudio"}
assert {"PySide6", "umap", "sklearn", "sqlalchemy", "pyqtgraph", "platformdirs"} <= refused
for top in refused:
    sys.modules[top] = None

from memstudio.anchor.runtime import load_bank
bank, encoder = sys.argv[1:]
with load_bank(bank, device="cpu", encoder=encoder) as runtime:
    ids = runtime.anchor.encode("The atomic number of gold is")
    made = runtime.as_transformers().generate(runtime.anchor.tokenizer("The atomic number of gold is", return_tensors="pt")["input_ids"],
                                              max_new_tokens=4, do_sample=False)
    found = {
        "route": [str(cluster) for cluster in runtime.route("The atomic number of gold is").clusters],
        "answer": runtime.answer("The atomic number of gold is", tokens=4),
        "made": runtime.anchor.decode(made[0, len(ids):].tolist()),
        "logits": runtime.logits("The atomic number of gold is")[-1].tolist(),
    }
print(json.dumps(found))
"""


def test_an_exported_bank_runs_where_nothing_else_can_be_imported(tmp_path: Path, tiny_bank: Path) -> None:
    encoder = find_encoder(open_bank(tiny_bank).manifest.retriever)
    with open_session(tiny_bank, device="cpu", encoder=encoder) as session:
        session.export_bank(tmp_path / "smaller", fraction=0.5, rank_by="documents", check=False)
    with open_session(tmp_path / "smaller", device="cpu", encoder=encoder) as smaller:
        done = subprocess.run(
            [sys.executable, "-c", ALONE, tmp_path / "smaller", encoder],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())},  # sums are split by threads
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout.splitlines()[-1])
        assert found["route"] == [str(cluster) for cluster in smaller.route(TEXT).clusters]
        assert found["logits"] == smaller.logits(TEXT)[-1].tolist()
        run = smaller.run(TEXT)
        assert run.text.startswith(found["answer"])
        assert found["made"].strip() == found["answer"].strip()
