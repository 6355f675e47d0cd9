"""One corpus for all tests of the demo builder: making it reads several packages."""

import pytest

from memstudio.builder.demo import DemoCorpus, generate


@pytest.fixture(scope="session")
def corpus_seed() -> int:
    return 7


@pytest.fixture(scope="session")
def corpus(corpus_seed: int) -> DemoCorpus:
    return generate(corpus_seed)
