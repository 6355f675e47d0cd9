"""The options that verbs share, and how a verb turns them into an open session."""

import contextlib
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from memstudio.cli import show
from memstudio.errors import UserError

if TYPE_CHECKING:
    from memstudio.bank.values import ClusterId
    from memstudio.facts.gate import Limits
    from memstudio.session import Session

Device = Literal["auto", "cpu", "cuda", "mps"]
Dtype = Literal["float32", "bfloat16", "float16"]
MemoryName = Literal["fetched", "generic", "none"]

BankArgument = Annotated[str, typer.Argument(metavar="BANK", help="A bank folder, a study folder, or the word demo.", show_default=False)]
StudyArgument = Annotated[
    str, typer.Argument(metavar="STUDY", help="A study folder; a bank stands for its default study.", show_default=False)
]
ClustersArgument = Annotated[list[str], typer.Argument(metavar="CLUSTER…", help="LEVEL/INDEX, for example 3/1339.", show_default=False)]
StudyOption = Annotated[Path | None, typer.Option("--study", metavar="DIR", help="Where the edits are kept.", show_default=False)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
DeviceOption = Annotated[Device, typer.Option("--device", help="Where the model runs.")]
DtypeOption = Annotated[Dtype, typer.Option("--dtype", help="The model's number type.")]
AnchorOption = Annotated[
    Path | None, typer.Option("--anchor", metavar="DIR", help="The anchor's folder, if not in the bank.", show_default=False)
]
EncoderOption = Annotated[
    Path | None, typer.Option("--encoder", metavar="DIR", help="The encoder's folder, if not in the model cache.", show_default=False)
]
HideOption = Annotated[
    list[str] | None, typer.Option("--hide", metavar="CLUSTER", help="A subtree the retriever passes over; repeat it.", show_default=False)
]
MuteOption = Annotated[
    list[str] | None,
    typer.Option("--mute", metavar="CLUSTER", help="A block that is fetched and not added; repeat it.", show_default=False),
]
SoloOption = Annotated[
    list[str] | None, typer.Option("--solo", metavar="CLUSTER", help="Add only this block; repeat it for more.", show_default=False)
]
MemoryOption = Annotated[MemoryName, typer.Option("--memory", help="The routed blocks, the generic ones, or none.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show what would change and write nothing.")]
MeasureOption = Annotated[
    bool | None,
    typer.Option("--measure/--no-measure", help="The measured receipt, before anything is written.", show_default=False),
]
ReliabilityOption = Annotated[
    float | None, typer.Option("--min-reliability", metavar="SHARE", min=0, max=1, help="Gate: at least.", show_default="0.9")
]
LocalityOption = Annotated[
    float | None, typer.Option("--min-locality", metavar="SHARE", min=0, max=1, help="Gate: at least.", show_default="0.9")
]
ChangedOption = Annotated[
    int | None,
    typer.Option("--max-changed", metavar="N", min=0, help="Gate: at most so many co-resident answers change.", show_default=False),
]
AnywayOption = Annotated[
    str, typer.Option("--anyway", metavar="REASON", help="Go on although a limit is broken; kept with the revision.", show_default=False)
]
KeyOption = Annotated[str | None, typer.Option("--key", metavar="TEXT", help="What is routed instead of the prompt.", show_default=False)]
RouteOption = Annotated[
    str | None, typer.Option("--route", metavar="CLUSTERS", help="1/3,2/52,3/1339, or its deepest cluster alone.", show_default=False)
]


def clusters_of(texts: list[str] | None) -> tuple["ClusterId", ...]:
    """Clusters from arguments; one argument may hold several, parted by commas or spaces, each is kept once.

    Raises:
        UserError: one of them is not LEVEL/INDEX.
    """
    from memstudio.bank.values import parse_cluster

    words = [word for text in texts or () for word in (re.split(r"[,\s›]+", text.strip()) or [""])]
    return tuple(dict.fromkeys(parse_cluster(word) for word in words))


def route_of(text: str | None) -> "tuple[ClusterId, ...] | None":
    """An explicit route, or None where none was given."""
    return None if text is None else clusters_of([text])


def limits_of(facts: bool, reliability: float | None, locality: float | None, changed: int | None) -> "Limits":
    """The gate's limits: those that were asked for, else the usual ones for an edit of facts or of whole blocks."""
    from memstudio.facts.gate import BLOCKS, FACTS

    usual = FACTS if facts else BLOCKS
    given = {"reliability": reliability, "locality": locality, "changed": changed}
    return dataclasses.replace(
        usual,
        reliability=usual.reliability if reliability is None else reliability,
        locality=usual.locality if locality is None else locality,
        changed=changed,
        asked=frozenset(name for name, value in given.items() if value is not None),
    )


@contextlib.contextmanager
def reading(
    bank: str,
    *,
    study: Path | None = None,
    device: Device = "auto",
    dtype: Dtype = "float32",
    anchor: Path | None = None,
    encoder: Path | None = None,
    hide: list[str] | None = None,
    mute: list[str] | None = None,
    solo: list[str] | None = None,
) -> Iterator["Session"]:
    """A session that only reads: a bank as shipped, or the head of a study that is named; with what is tried at run time."""
    from memstudio.session import open_session

    hidden, muted, alone = map(clusters_of, (hide, mute, solo))
    with open_session(bank, study=study, device=device, dtype=dtype, anchor=anchor, encoder=encoder, readonly=True) as session:
        if hidden:
            session.hide(hidden)
        if muted:
            session.mute(muted)
        if alone:
            session.solo(alone)
        yield session


@contextlib.contextmanager
def editing(
    bank: str, *, study: Path | None = None, device: Device = "auto", encoder: Path | None = None, anchor: Path | None = None
) -> Iterator["Session"]:
    """A session whose edits are kept: in `study`, else the study that was named as BANK, else the bank's default study."""
    from memstudio.session import open_session, study_for

    with open_session(bank, study=study_for(bank, study), device=device, encoder=encoder, anchor=anchor) as session:
        yield session


@contextlib.contextmanager
def revisiting(study: str, *, folder: Path | None = None, readonly: bool = False, device: Device = "auto") -> Iterator["Session"]:
    """A session on a study that must be there already, found as `editing` finds it.

    Raises:
        UserError: there is none yet.
    """
    from memstudio.session import open_session, study_for

    found = study_for(study, folder)
    if not _begun(found):
        raise UserError(f"{found}: no study there yet; an edit such as `memstudio prune {study} CLUSTER` begins one")
    with open_session(study, study=found, readonly=readonly, device=device) as session:
        yield session


@contextlib.contextmanager
def planning(
    bank: str, *, study: Path | None = None, device: Device = "auto", encoder: Path | None = None, anchor: Path | None = None
) -> Iterator["Session"]:
    """A session for a dry run: the head of the study that an edit would go to, or the bank as shipped where there is none yet."""
    from memstudio.session import open_session, study_for

    folder = study_for(bank, study)
    begun = folder if _begun(folder) else None
    with open_session(bank, study=begun, readonly=True, device=device, encoder=encoder, anchor=anchor) as session:
        yield session


def _begun(folder: Path) -> bool:
    return folder.is_file() or (folder.is_dir() and any(folder.iterdir()))


def loaded(session: "Session") -> None:
    """Load the anchor, and say on stderr where it does not run as one may expect."""
    notice = session.load().notice
    if notice is not None:
        show.note(notice)
