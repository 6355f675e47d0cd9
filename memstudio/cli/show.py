"""What the shell prints: one JSON object for scripts, rich tables and plain lines for people. The only place that writes to stdout."""

import contextlib
import dataclasses
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from memstudio.jobs import Job

_PIPED_WIDTH = 140
"""In a file or a pipe nothing ends at column 80."""

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def jsonable(value: object) -> Json:
    """Frozen values as JSON: clusters as "3/1339", arrays as lists, and what was not measured (NaN) as null."""
    from memstudio.bank.values import BlockState, ClusterId

    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, ClusterId | BlockState | Path):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: jsonable(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return [jsonable(item) for item in sorted(value)]
    if isinstance(value, Iterable):
        return [jsonable(item) for item in value]
    to_list = getattr(value, "tolist", None)
    if callable(to_list):
        return jsonable(to_list())
    raise TypeError(f"{type(value).__name__} has no JSON form")


def print_json(payload: Mapping[str, object]) -> None:
    """One object on one line."""
    typer.echo(json.dumps(jsonable(payload), ensure_ascii=False, allow_nan=False))


def say(line: str = "", *, end: str = "\n") -> None:
    """A line for people."""
    typer.echo(line, nl=end == "\n")


def note(line: str) -> None:
    """A line beside the result, on stderr, so that it never mixes with JSON."""
    typer.echo(f"memstudio: {line}", err=True)


@contextlib.contextmanager
def progress(title: str) -> Iterator["Job"]:
    """A job whose progress shows on stderr while it runs, where that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    from memstudio.jobs import Job

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)
        yield Job(title, on_progress=lambda job: bar.update(task, completed=job.done, total=job.total))


def table(title: str | None, columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[int] = ()) -> None:
    """A table under its title; the columns numbered in `right` are aligned right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if title is not None:
        say(f"\n{title}")
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns):
        shown.add_column(column, justify="right" if number in right else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(Text(cell(item)) for item in row))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, _PIPED_WIDTH)
    console.print(shown)


def cell(value: object) -> str:
    """One value for people; what was not measured is a dash, never 0."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def size(count_bytes: int) -> str:
    """Bytes in the unit that reads best."""
    amount = float(count_bytes)
    for unit in ("B", "KB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.2f} GB"


def percent(share: float | None) -> str:
    """A share as a percentage; a dash where nothing was counted."""
    return "–" if share is None else f"{100 * share:.1f}%"
