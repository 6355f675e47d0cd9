"""The shell: `memstudio VERB …`. Each verb imports what it uses when it runs, so that the light ones answer at once.

Exit status: 0 done, 1 the answer is no, 2 bad input with one line on stderr that says what and where.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from memstudio import __version__
from memstudio.cli import (
    arms,
    bench,
    compare,
    curves,
    edits,
    evidence,
    exporting,
    facts,
    history,
    importing,
    learning,
    makes,
    reads,
    rewriting,
    scanning,
    show,
    using,
    windows,
)
from memstudio.errors import Refused, UserError

app = typer.Typer(
    name="memstudio",
    help="See, prove, prune and take back what the memory blocks of a language model know.",
    epilog="`memstudio PATH` opens the window on a bank or a study.",
    add_completion=False,
    pretty_exceptions_enable=False,
)

_INTERRUPTED = 130
"""What typer makes of Ctrl+C."""

VERBS: dict[str, Callable[..., None]] = {
    "open": windows.open_window,
    "demo": windows.demo,
    "info": reads.info,
    "route": reads.route,
    "run": reads.run,
    "trace": reads.trace,
    "scan": scanning.scan,
    "search": scanning.search,
    "use": using.use,
    "facts": facts.facts,
    "compare": compare.compare,
    "arms": arms.arms,
    "update": rewriting.update,
    "erase": rewriting.erase,
    "learn": learning.learn,
    "prune": edits.prune,
    "restore": edits.restore,
    "scale": edits.scale,
    "swap": edits.swap,
    "rewrite": edits.rewrite,
    **history.VERBS,
    **exporting.VERBS,
    **curves.VERBS,
    **evidence.VERBS,
    "bench": bench.bench,
    "build": makes.build,
    **importing.VERBS,
    "selftest": makes.selftest,
}
"""Every verb and the function that does it."""

for _name, _verb in VERBS.items():
    app.command(_name)(_verb)


@app.callback()
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version and leave.", is_eager=True)] = False) -> None:
    if version:
        show.say(f"memstudio {__version__}")
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (the process's own when None) and give its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        status = app(_with_verb(words), prog_name="memstudio", standalone_mode=False)
    except UserError as error:
        show.note(_one_line(str(error)))
        return 1 if isinstance(error, Refused) else 2
    except typer.TyperException as error:
        show.note(f"{_one_line(error.format_message())} (see memstudio {_help_for(words)}--help)")
        return 2
    except (KeyboardInterrupt, typer.Abort):
        status = _INTERRUPTED
    if status == _INTERRUPTED:
        show.note("interrupted; a study stays as it was before this call")
        return 2
    return status if isinstance(status, int) else 0


def _with_verb(words: list[str]) -> list[str]:
    """The command line with the verb that a bare path or nothing stands for.

    Raises:
        UserError: the first word is neither a verb nor a path.
    """
    if not words:
        return ["open"]
    if words[0] in VERBS or words[0] in ("--help", "--version"):
        return words
    if words[0].startswith("-") or Path(words[0]).exists():
        return ["open", *words]
    raise UserError(f"{words[0]!r} is no verb and no folder; the verbs are {', '.join(VERBS)}")


def _help_for(words: list[str]) -> str:
    return f"{words[0]} " if words and words[0] in VERBS else ""


def _one_line(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in " ".join(text.split()))
