"""The measures by name: one table, a file each, loaded when asked for."""

from importlib import import_module
from typing import Any, cast

from memstudio.bench.speed.figure import Figure, Run
from memstudio.errors import UserError
from memstudio.jobs import Job

MEASURES: dict[str, tuple[str, str]] = {
    "decode-160m": ("decode_160m", "Decoding with fetched memory, the paper's 160M anchor"),
    "decode-1.4b": ("decode_1_4b", "Decoding with fetched memory, the paper's 1.4B anchor"),
    "swap": ("swap", "Swapping all blocks for those of another route"),
    "trace": ("trace", "The trace of a prompt, all contributions, against TransformerLens"),
    "score": ("score", "Scoring 1,000 facts over 500 routes, against one prompt at a time"),
    "score-160m": ("score_160m", "Scoring 1,000 facts over 500 routes on the 160M shape"),
    "large-vocabulary": ("large_vocabulary", "A trace with effects, an update and a scan of paths, vocabulary 151,936"),
    "cold": ("cold", "Prompts from a cold disk"),
    "size": ("size", "What a bank's size costs: 0.02 to 21.1 billion parameters in blocks of one size"),
    "soak": ("soak", "10,000 prompts in one session, with edits, undos and A/B in between"),
}
"""Name → the module under `memstudio.bench.speed` whose function `measure` runs it, and what it measures."""


def chosen(text: str | None) -> list[str]:
    """Names parted by commas; None: all.

    Raises:
        UserError: one that is not a measure.
    """
    names = list(MEASURES) if text is None else [word.strip() for word in text.split(",") if word.strip()]
    for name in names:
        if name not in MEASURES:
            raise UserError(f"--only {name}: choose of {', '.join(MEASURES)}")
    return names


def run(name: str, device: str, job: Job) -> list[Figure]:
    """The figures of one measure on a device.

    Raises:
        UserError: what it needs is not installed, or there is no room for it.
    """
    module: Any = import_module(f"memstudio.bench.speed.{MEASURES[name][0]}")
    return cast(Run, module.measure)(device, job)
