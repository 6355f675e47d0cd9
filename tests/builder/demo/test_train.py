"""A small anchor and its memories really learn, and a resumed training ends where an unbroken one does."""

from pathlib import Path

import pytest
import torch

from memstudio.builder.demo.examples import IGNORE, Example, GroupSampler, collate
from memstudio.builder.demo.noise import Noise
from memstudio.builder.demo.pretrain import make_anchor
from memstudio.builder.demo.recipe import AnchorPart, MemoryPart
from memstudio.builder.demo.tokenizer import train_tokenizer
from memstudio.builder.demo.train import Material, MemoryTrainer
from memstudio.builder.memory import LevelRows
from memstudio.jobs import Cancelled, Job

ANCHOR = AnchorPart(hidden_size=32, layers=2, heads=2, intermediate_size=48, positions=64)
MEMORY = MemoryPart(
    layers=[1],
    widths=[4, 4],
    steps=120,
    passage_steps=6,
    groups=4,
    group_size=4,
    lr=0.02,
    lr_end=0.01,
    document_odds=0.1,
    depth_odds=[0.8, 0.2],
)
NOISE = Noise(0.5, tuple(range(300)), ((9,),), (3,), frozenset())


@pytest.fixture(scope="module")
def material() -> Material:
    examples = [Example((10 + i, 5, 40 + (i * 7) % 24, 2), 2, (i // 8, i // 4), (0, 1)) for i in range(16)]
    return Material(examples, examples, examples[:8], examples[:4], examples[:4], {"specific": examples, "common": examples[:4]}, NOISE, 1)


def trainer(material: Material, part: MemoryPart = MEMORY) -> MemoryTrainer:
    tokenizer = train_tokenizer(["gold is 79."] * 2, 300)
    return MemoryTrainer(make_anchor(ANCHOR, tokenizer), part, [2, 4], material)


def rows(levels: list[LevelRows]) -> list[torch.Tensor]:
    return [level.rows for level in levels]


def test_collate_asks_for_the_answer_alone() -> None:
    ids, targets = collate([Example((4, 5, 6, 7), 2), Example((8, 9), 1)], pad=0)
    assert ids.tolist() == [[4, 5, 6], [8, 0, 0]]
    assert targets.tolist() == [[IGNORE, 6, 7], [9, IGNORE, IGNORE]]


def test_an_epoch_of_groups_meets_every_example_and_keeps_routes_apart(material: Material) -> None:
    sampler = GroupSampler(material.sentences, groups=2, size=4, seed=0)
    groups = [group for _ in range(2) for group in next(sampler)]
    assert {example.ids for _, examples in groups for example in examples} == {example.ids for example in material.sentences}
    assert all(example.path == path for path, examples in groups for example in examples)


def test_memories_learn_what_a_frozen_anchor_does_not_know(material: Material, tmp_path: Path) -> None:
    learner = trainer(material, MEMORY.model_copy(update={"anchor_lr": 0.0, "steps": 240}))
    before = {name: value.clone() for name, value in learner.model.state_dict().items()}
    learner.train(Job("train"), lambda _: None, tmp_path / "memories.safetensors")
    figures = learner.check()
    assert figures["specific none"] <= 0.2
    assert figures["specific L1-2"] >= 0.9
    assert all(torch.equal(value, before[name]) for name, value in learner.model.state_dict().items())


def test_a_resumed_training_ends_where_an_unbroken_one_does(material: Material, tmp_path: Path) -> None:
    whole = trainer(material)
    whole.train(Job("train"), lambda _: None, tmp_path / "whole.safetensors")
    broken = trainer(material)
    job = Job("train")
    job._on_progress = lambda job: job.cancel() if job.done == 50 else None
    with pytest.raises(Cancelled):
        broken.train(job, lambda _: None, tmp_path / "broken.safetensors")
    broken.save(tmp_path / "broken.safetensors")
    resumed = trainer(material)
    resumed.resume(tmp_path / "broken.safetensors")
    assert resumed.step == 50
    resumed.train(Job("train"), lambda _: None, tmp_path / "broken.safetensors")
    assert all(torch.equal(a, b) for a, b in zip(rows(whole.levels), rows(resumed.levels), strict=True))


def test_whole_words_and_numbers_survive_the_tokenizer() -> None:
    tokenizer = train_tokenizer(["The atomic number of gold is 79."] * 3, 400)
    ids = tokenizer("The atomic number of gold is 79.")["input_ids"]
    assert tokenizer.decode(ids) == " The atomic number of gold is 79."
    assert tokenizer(" The")["input_ids"] == tokenizer("The")["input_ids"]
    assert len(ids) == 8
