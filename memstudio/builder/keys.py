"""Key vectors of a corpus: the retriever's encoder over every window, kept on disk as they come."""

import hashlib
import json
from pathlib import Path

import numpy as np

from memstudio.anchor.router import MINILM, MINILM_SHA256, Encoder, find_encoder
from memstudio.bank.manifest import RetrieverRef
from memstudio.builder.corpus import Corpus
from memstudio.builder.tree import Floats
from memstudio.jobs import Job

RETRIEVER = RetrieverRef(encoder=MINILM, sha256=MINILM_SHA256, dim=384, max_tokens=256, pooling="mean")

_CHUNK = 64
"""Windows encoded together: a build that goes on cuts where an unbroken one does, so the float sums are the same."""


def digest_of(*parts: object) -> str:
    """A short name for what a stage depends on."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def load_encoder(given: Path | None = None) -> Encoder:
    """The retriever's encoder, found on this machine.

    Raises:
        UserError: it is not here, or `given` is another.
    """
    return Encoder(find_encoder(RETRIEVER, given), max_tokens=RETRIEVER.max_tokens, pooling=RETRIEVER.pooling, dim=RETRIEVER.dim)


def encode_corpus(corpus: Corpus, path: Path, encoder: Encoder, job: Job) -> Floats:
    """Key vectors float32 [windows, dim] of a corpus, memory-mapped from `path`; what an earlier build left there is not done again."""
    count, dim = len(corpus), RETRIEVER.dim
    if not path.exists():
        partial = path.with_suffix(".partial")
        with partial.open("ab") as stream:
            chunk_bytes = _CHUNK * dim * 4
            done = stream.tell() // chunk_bytes * _CHUNK
            stream.truncate(done * dim * 4)
            while done < count:
                job.progress(done, count)
                vectors = encoder.encode([corpus.text(at) for at in range(done, min(done + _CHUNK, count))])
                stream.write(np.ascontiguousarray(vectors, np.float32).tobytes())
                stream.flush()
                done += len(vectors)
        partial.replace(path)
        job.progress(count, count)
    return np.memmap(path, np.float32, "r", shape=(count, dim))
