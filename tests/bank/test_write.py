"""Writing a bank: the same input gives the same bytes, the manifest comes last, and a bad one is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from memstudio.bank.bank import open_bank
from memstudio.bank.manifest import dump_manifest, load_manifest
from memstudio.bank.write import write_bank
from memstudio.errors import UserError
from tests.tiny import facts, key_of, make_bank, prompts_of


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int4"])
def test_the_same_build_gives_the_same_bytes(tmp_path: Path, dtype: str) -> None:
    assert contents(make_bank(tmp_path / "a", dtype=dtype)) == contents(make_bank(tmp_path / "b", dtype=dtype))


def test_another_seed_gives_another_bank(tmp_path: Path) -> None:
    first, second = (open_bank(make_bank(tmp_path / str(seed), seed=seed)) for seed in (0, 1))
    assert first.digest != second.digest


def test_the_folder_holds_what_the_format_says_and_nothing_else(tiny_bank: Path) -> None:
    names = set(contents(tiny_bank))
    assert names == {
        "bank.json", "README.md", "facts.jsonl", "routes.safetensors", "clusters.sqlite", "retriever/tree.safetensors",
        "blocks/level-1.safetensors", "blocks/level-2.safetensors", "blocks/level-3.safetensors",
        "anchor/config.json", "anchor/generation_config.json", "anchor/model.safetensors", "anchor/tokenizer.json",
        "anchor/tokenizer_config.json",
    }  # fmt: skip
    assert set(load_manifest(tiny_bank).files) == names - {"bank.json"}


def test_the_manifest_is_canonical(tiny_bank: Path) -> None:
    raw = (tiny_bank / "bank.json").read_bytes()
    assert dump_manifest(load_manifest(tiny_bank)) == raw
    body = json.loads(raw)
    assert list(body) == sorted(body)
    assert str(tiny_bank).encode() not in raw


def test_writing_again_over_a_bank_leaves_nothing_of_the_old_one(tmp_path: Path) -> None:
    folder = make_bank(tmp_path / "bank")
    make_bank(folder, levels=((2, 4), (4, 4)), anchor=False)
    fresh = make_bank(tmp_path / "fresh", levels=((2, 4), (4, 4)), anchor=False)
    assert contents(folder) == contents(fresh)
    open_bank(folder).verify()


def test_bad_fields_are_a_user_error_and_leave_no_bank(tmp_path: Path) -> None:
    folder = make_bank(tmp_path / "bank", anchor=False)
    body = json.loads((folder / "bank.json").read_bytes())
    fields = {name: value for name, value in body.items() if name not in ("format", "version", "files")} | {"activation": "Not Good"}
    with pytest.raises(UserError, match="activation"):
        write_bank(folder, fields, centroids=[], documents=[], blocks=[])
    assert not (folder / "bank.json").exists()


def test_blocks_of_a_wrong_shape_are_a_bug_of_the_caller(tmp_path: Path) -> None:
    folder = make_bank(tmp_path / "bank", anchor=False)
    body = json.loads((folder / "bank.json").read_bytes())
    tree = open_bank(folder).tree
    fields = {name: value for name, value in body.items() if name not in ("format", "version", "files")}
    with pytest.raises(ValueError, match="level 2"):
        write_bank(
            tmp_path / "other",
            fields,
            centroids=tree.centroids,
            documents=tree.documents,
            blocks=[torch.zeros(4, 768), torch.zeros(9, 768), torch.zeros(28, 1152)],
        )


def test_routes_stand_in_the_order_of_the_facts_prompts(tiny_bank: Path) -> None:
    routes = load_file(tiny_bank / "routes.safetensors")["routes"]
    prompts = [prompt for fact in facts() for prompt in prompts_of(fact)]
    tree = open_bank(tiny_bank).tree
    assert routes.dtype == np.int32
    assert routes.tolist() == [[cluster.index for cluster in tree.descend(key_of(prompt)).clusters] for prompt in prompts]
    assert [json.loads(line)["id"] for line in (tiny_bank / "facts.jsonl").read_text().splitlines()] == [fact["id"] for fact in facts()]
