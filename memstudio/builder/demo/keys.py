"""Where everything in a corpus goes: key vectors of its documents and prompts, and the routes that they take."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from memstudio.builder.demo.values import DemoCorpus
from memstudio.builder.keys import RETRIEVER, digest_of, load_encoder
from memstudio.builder.tree import Floats, Grown, Ints, descend_all


@dataclass(frozen=True)
class Keys:
    """float32 [n, dim]: of the documents' texts, of the prompts that ask for them (zero where none does), of every prompt fact by fact."""

    documents: Floats
    tells: Floats
    prompts: Floats


@dataclass(frozen=True)
class Routes:
    """int64 [n, levels] for the same three; −1 where a route ended."""

    documents: Ints
    tells: Ints
    prompts: Ints


def encode_corpus(corpus: DemoCorpus, work: Path, encoder: Path | None, log: Callable[[str], None]) -> Keys:
    """Encode the corpus, or take the vectors that an earlier build left in `work`."""
    documents = [document.text for document in corpus.documents]
    tells = [document.prompt or "" for document in corpus.documents]
    prompts = [text for fact in corpus.facts for text in (fact.prompt, *fact.phrasings, *fact.held_out)]
    path = work / f"keys-{digest_of(documents, tells, prompts)}.npz"
    if not path.exists():
        log(f"keys: encoding {len(documents)} documents and {len(prompts)} prompts")
        model = load_encoder(encoder)
        told = [i for i, text in enumerate(tells) if text]
        tell_keys = np.zeros((len(tells), RETRIEVER.dim), np.float32)
        tell_keys[told] = model.encode([tells[i] for i in told])
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, documents=model.encode(documents), tells=tell_keys, prompts=model.encode(prompts))
        partial.replace(path)
    with np.load(path, allow_pickle=False) as arrays:
        return Keys(arrays["documents"], arrays["tells"], arrays["prompts"])


def route_corpus(keys: Keys, grown: Grown, branching: list[int]) -> Routes:
    """Let every prompt descend the tree; the documents did while it grew."""
    present = [documents > 0 for documents in grown.documents]
    tells, prompts = (descend_all(k, grown.centroids, present, branching) for k in (keys.tells, keys.prompts))
    return Routes(grown.paths, tells, prompts)
