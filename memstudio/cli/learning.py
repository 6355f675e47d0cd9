"""The verb learn: documents into the blocks that they reach, as a revision."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from memstudio.cli import show
from memstudio.cli.options import (
    AnchorOption,
    AnywayOption,
    BankArgument,
    ChangedOption,
    DeviceOption,
    DryRunOption,
    EncoderOption,
    JsonOption,
    LocalityOption,
    MeasureOption,
    StudyOption,
    limits_of,
)
from memstudio.cli.planned import Asked, carry_out
from memstudio.errors import UserError

if TYPE_CHECKING:
    from memstudio.editing.learn import Learned
    from memstudio.editing.plan import Edit
    from memstudio.session import Session


def learn(
    bank: BankArgument,
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH…", help="Files or folders: text, Markdown, JSON lines, Parquet.", show_default=False)
    ],
    where: Annotated[
        Literal["leaf", "path"], typer.Option("--where", help="The deepest block of each route, or every block on it.")
    ] = "leaf",
    steps: Annotated[int, typer.Option("--steps", help="At most so many steps of gradient.", min=1, max=10_000)] = 300,
    dry_run: DryRunOption = False,
    measure: MeasureOption = None,
    min_locality: LocalityOption = None,
    max_changed: ChangedOption = None,
    anyway: AnywayOption = "",
    study: StudyOption = None,
    device: DeviceOption = "auto",
    anchor: AnchorOption = None,
    encoder: EncoderOption = None,
    json: JsonOption = False,
) -> None:
    """Teach documents to the blocks that they reach; `erase --document NAME` takes one out again."""
    from memstudio.editing.learn import Learn

    documents = _read(paths)

    def make(_: "Session") -> "Edit":
        return Learn(documents, where=where, steps=steps)

    limits = limits_of(True, None, min_locality, max_changed)
    carry_out(bank, "learn", make, Asked(dry_run, measure, limits, anyway, study, device, anchor, json, encoder))


def _read(paths: list[Path]) -> "tuple[Learned, ...]":
    """The documents, each whole.

    Raises:
        UserError: nothing there, no text, or more of it than a study is for.
    """
    from memstudio.builder.texts import read_texts
    from memstudio.editing.learn import MOST_CHARACTERS, Learned

    texts: dict[str, str] = {}
    for piece in read_texts(paths, show.note):
        texts[piece.name] = texts.get(piece.name, "") + piece.text
        if sum(map(len, texts.values())) > MOST_CHARACTERS:
            raise UserError(f"{piece.name}: over {MOST_CHARACTERS} characters to learn; build a bank over them instead (memstudio build)")
    found = tuple(Learned(name, text) for name, text in texts.items() if text.strip())
    if not found:
        raise UserError(f"{', '.join(map(str, paths))}: no text in it")
    return found
