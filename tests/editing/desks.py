"""A desk over a bank without a model, for edits of whole blocks."""

import torch

from memstudio.anchor.arm import Arm
from memstudio.bank.bank import Bank
from memstudio.bank.values import Overlay
from memstudio.editing.desk import Desk
from memstudio.jobs import Job


def make_desk(bank: Bank, overlay: Overlay, blobs: dict[str, torch.Tensor] | None = None) -> Desk:
    """A desk whose edits may not ask for a model, a route or a fact."""

    def arm() -> Arm:
        raise AssertionError("an edit of whole blocks runs no model")

    def routes(texts: object) -> list[tuple[object, ...]]:
        raise AssertionError("an edit of whole blocks routes nothing")

    return Desk(bank, overlay, arm, (blobs or {}).__getitem__, routes, lambda: (), Job("test"))  # type: ignore[arg-type]
