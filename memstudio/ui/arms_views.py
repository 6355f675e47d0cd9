"""What crosses between the window and the worker about an A/B/C: the question, who answers it, tokens, what they weigh, how it ended."""

from dataclasses import dataclass

from memstudio.anchor.values import Token
from memstudio.session.arm_wish import ArmWish
from memstudio.session.arms import Standing, Weighed

LETTERS = "ABCDE"
"""Arms by their place; A is the reference."""


@dataclass(frozen=True, slots=True)
class ArmsAsk:
    """A prompt that several arms answer. `number` names the turn: what comes of an earlier one is dropped."""

    number: int
    text: str
    wishes: tuple[ArmWish, ...]
    max_tokens: int
    temperature: float
    seed: int
    key: str | None = None


@dataclass(frozen=True, slots=True)
class ArmsStand:
    """What the arms come to: their revisions, their routes, and which of them add the same blocks."""

    number: int
    standing: tuple[Standing, ...]


@dataclass(frozen=True, slots=True)
class ArmsSaid:
    """A token of one arm."""

    number: int
    arm: int
    token: Token


@dataclass(frozen=True, eq=False, slots=True)
class ArmsWeighed:
    """A's answer as every arm gives it."""

    number: int
    weighed: Weighed


@dataclass(frozen=True, slots=True)
class ArmsEnded:
    """All are through. stopped: before their ends; line: why it was refused."""

    number: int
    stopped: bool = False
    line: str = ""


ArmsMessage = ArmsStand | ArmsSaid | ArmsWeighed | ArmsEnded
