"""patch.json: what a patch says of itself, checked before anything else is believed. Untrusted input."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from memstudio.bank.manifest import Dtype, FileRef, Name, Sha256, Width
from memstudio.bank.strictjson import read_limited, strict_json
from memstudio.bank.values import BlockState, Change, ClusterId
from memstudio.errors import UserError

if TYPE_CHECKING:
    from memstudio.bank.bank import Bank
    from memstudio.history.values import Revision

MANIFEST = "patch.json"
BLOCKS = "blocks.safetensors"
MAX_MANIFEST_BYTES = 64 << 20

Source = Annotated[str, StringConstraints(pattern=r"^(base|pruned|[0-9a-f]{64})$")]
Line = Annotated[str, StringConstraints(max_length=2000)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class State(_Part):
    """What stands in a cluster's place: "base", "pruned" or the digest of a block, times a scale."""

    source: Source
    scale: Annotated[float, Field(allow_inf_nan=False)] = 1.0

    @property
    def state(self) -> BlockState:
        """As the history has it."""
        return BlockState(self.source, self.scale)


class ChangedBlock(_Part):
    """One block before and after."""

    cluster: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,2}/(0|[1-9][0-9]{0,8})$")]
    before: State
    after: State

    @property
    def change(self) -> Change:
        """As the history has it."""
        level, index = self.cluster.split("/")
        return Change(ClusterId(int(level), int(index)), self.before.state, self.after.state)


class PatchedRevision(_Part):
    """One revision of the study that the patch was made from; no time, no receipt."""

    verb: Line
    title: Line
    changes: Annotated[tuple[ChangedBlock, ...], Field(min_length=1)]

    @field_validator("verb", "title")
    @classmethod
    def _is_printable(cls, text: str) -> str:
        if not text.isprintable():
            raise ValueError("holds control characters")
        return text


class BankRef(_Part):
    """The bank that the patch is for; the digest binds it, the rest is said so that a person can see what does not agree."""

    digest: Sha256
    name: Name
    anchor: Sha256
    dtype: Dtype
    hidden_size: Annotated[int, Field(ge=1, le=65_536)]
    widths: Annotated[tuple[tuple[Width, ...], ...], Field(min_length=1, max_length=8)]


class PatchManifest(_Part):
    """patch.json, format 1. It holds no time and no host name: the same revisions give the same bytes."""

    format: Literal["memstudio-patch"]
    version: Literal[1]
    bank: BankRef
    revisions: Annotated[tuple[PatchedRevision, ...], Field(min_length=1)]
    files: Annotated[dict[str, FileRef], Field(max_length=1)]

    @field_validator("files")
    @classmethod
    def _the_one_file(cls, files: dict[str, FileRef]) -> dict[str, FileRef]:
        for path in files:
            if path != BLOCKS:
                raise ValueError(f"only {BLOCKS} may be listed, not {path[:80]!r}")
        return files


def bank_ref(bank: Bank) -> BankRef:
    """What a patch says of the bank that it is for."""
    return BankRef(
        digest=bank.digest,
        name=bank.name,
        anchor=bank.manifest.anchor.sha256,
        dtype=bank.manifest.dtype,
        hidden_size=bank.manifest.hidden_size,
        widths=tuple(layout.widths for layout in bank.layouts),
    )


def patched(revision: Revision) -> PatchedRevision:
    """A revision as a patch keeps it."""
    return PatchedRevision(
        verb=_printable(revision.verb),
        title=_printable(revision.title),
        changes=tuple(
            ChangedBlock(cluster=str(change.cluster), before=_state(change.before), after=_state(change.after))
            for change in revision.changes
        ),
    )


def compose(steps: Iterable[tuple[str, Sequence[Change]]]) -> tuple[Change, ...]:
    """What a chain of named sets of changes comes to, by cluster; blocks that end as they began are left out.

    Raises:
        UserError: a step does not start where the one before it ends.
    """
    whole: dict[ClusterId, Change] = {}
    for name, changes in steps:
        for change in changes:
            so_far = whole.get(change.cluster)
            if so_far is not None and so_far.after != change.before:
                raise UserError(f"{name}: does not start where the one before left the block {change.cluster}: leave none out in between")
            whole[change.cluster] = Change(change.cluster, change.before if so_far is None else so_far.before, change.after)
    return tuple(change for _, change in sorted(whole.items()) if change.before != change.after)


def dump_manifest(manifest: PatchManifest) -> bytes:
    """Canonical bytes: names sorted, two-space indent, UTF-8, one newline at the end."""
    body = manifest.model_dump(mode="json")
    return (json.dumps(body, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def read_manifest(path: Path) -> PatchManifest:
    """Read and check a patch.json.

    Raises:
        UserError: it does not hold what it must; one line with the field's name.
    """
    raw = read_limited(path, MAX_MANIFEST_BYTES)
    try:
        text = raw.decode()
        strict_json(text)
        return PatchManifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(step)[:80] for step in first["loc"])
        raise UserError(f"{path}: {place}: {' '.join(first['msg'].removeprefix('Value error, ').split())[:200]}") from None
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON: {' '.join(str(error).split())[:200]}") from None


def _state(state: BlockState) -> State:
    return State(source=state.source, scale=float(state.scale))


def _printable(text: str) -> str:
    """A title of a study that anybody may have made, as a manifest takes it."""
    return "".join(letter if letter.isprintable() else " " for letter in text)[:2000]
