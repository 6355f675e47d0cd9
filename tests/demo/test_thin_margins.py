"""What is called a thin margin is one that another wording of the same question often does not survive."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from memstudio.anchor.router import Encoder, find_encoder
from memstudio.bank.bank import Bank, open_bank
from memstudio.errors import UserError
from memstudio.facts.read import prompts_of, read_facts
from memstudio.paths import demo_bank

EVERY = 12


@pytest.fixture(scope="module")
def demo() -> Bank:
    return open_bank(demo_bank())


def test_other_wordings_part_ways_where_the_margin_is_thin_and_hardly_elsewhere(demo: Bank) -> None:
    """Level by level, of the wordings that came as far as the prompt itself: how many go elsewhere there."""
    try:
        encoder = Encoder(find_encoder(demo.manifest.retriever))
    except UserError as error:
        pytest.skip(str(error))
    assert demo.routes_path is not None
    routes = load_file(demo.routes_path)["routes"]
    facts = read_facts(demo.facts_path)
    starts = np.cumsum([0, *(len(list(prompts_of(fact))) for fact in facts)])
    chosen = range(0, len(facts), EVERY)
    keys = encoder.encode([facts[at].prompt for at in chosen])
    parted: dict[bool, list[bool]] = {True: [], False: []}
    for at, key in zip(chosen, keys, strict=True):
        own = demo.tree.descend(key)
        for other in routes[starts[at] + 1 : starts[at + 1]]:
            for place, (cluster, thin) in enumerate(zip(own.clusters, own.thin, strict=True)):
                parted[thin].append(bool(other[place] != cluster.index))
                if parted[thin][-1]:
                    break
    count = {thin: len(each) for thin, each in parted.items()}
    share = {thin: sum(each) / len(each) for thin, each in parted.items()}
    assert count[True] > 200
    assert 0.10 < count[True] / sum(count.values()) < 0.20
    assert share[True] > 0.2
    assert share[False] < 0.03
