"""The verb import: a bank that others trained, from the published layout; and the way back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from memstudio.cli import show
from memstudio.cli.options import EncoderOption, JsonOption
from memstudio.cli.planned import printable

if TYPE_CHECKING:
    from memstudio.builder.published import Imported

BlockDtype = Literal["float32", "bfloat16", "float16", "int8", "int4"]


def import_bank(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="A safetensors file, a folder of them, or a torch file.", show_default=False)
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to make the bank in.", show_default=False)],
    anchor: Annotated[str, typer.Option("--anchor", metavar="DIR", help="The anchor's folder; it is copied in.", show_default=False)],
    tree: Annotated[
        Path | None,
        typer.Option("--tree", metavar="FILE", help="Where centroids.LEVEL are, if not in the checkpoint.", show_default=False),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="The bank's name.", show_default="the checkpoint's")] = None,
    dtype: Annotated[
        BlockDtype | None, typer.Option("--dtype", help="The blocks' number type.", show_default="the checkpoint's, bit for bit")
    ] = None,
    encoder: EncoderOption = None,
    json: JsonOption = False,
) -> None:
    """Make a bank from W1, W2, W3 that others trained, and say what could not be mapped."""
    from memstudio.builder.published import import_published

    with show.progress("import") as job:
        found = import_published(checkpoint, out, anchor=anchor, tree=tree, name=name, dtype=dtype, encoder=encoder, job=job)
    if json:
        left = [{"name": stored.name, "dtype": stored.dtype, "shape": stored.shape} for stored in found.not_mapped]
        parts = ("path", "hidden_size", "layers", "levels", "branching", "stored_dtype", "dtype", "generic", "tensors")
        show.print_json({**{part: getattr(found, part) for part in parts}, "not_mapped": left})
    else:
        _tell(found)


def _tell(found: "Imported") -> None:
    layers = ", ".join(map(str, found.layers))
    show.say(f"{found.path}: a bank from {found.tensors} tensors, hidden size {found.hidden_size}, in anchor layers {layers}")
    kept = "bit for bit" if found.dtype == found.stored_dtype else f"stored as {found.stored_dtype}"
    show.say(f"{found.dtype} ({kept}), {'generic blocks last' if found.generic else 'without generic blocks'}")
    rows = []
    for level in found.levels:
        width = str(level.width) if isinstance(level.width, int) else " ".join(map(str, level.width))
        rows.append((level.level, level.clusters, width, f"ramp, r = {level.r}" if level.shape == "ramp" else level.shape))
    show.table(None, ("level", "clusters", "width", "over the layers"), rows, right=(0, 1))
    if found.not_mapped:
        left = [(printable(stored.name)[:120], stored.dtype, " × ".join(map(str, stored.shape))) for stored in found.not_mapped]
        show.table(f"{len(left)} tensors are no part of a block or of the tree, and were left out", ("tensor", "dtype", "shape"), left)
    else:
        show.say("every tensor was mapped")


def export_published(bank: str, out: Path, json: bool) -> None:
    """`export BANK OUT --as published`: the bank as shipped, as one safetensors file.

    Raises:
        UserError: a study, whose edits the layout has no place for; see also `write_published`.
    """
    from memstudio.bank.bank import open_bank
    from memstudio.builder.published import write_published
    from memstudio.session.opening import bank_folder

    written = write_published(open_bank(bank_folder(bank)), out)
    if json:
        show.print_json({"path": written.path, "tensors": written.tensors, "dtype": written.dtype, "bytes": written.bytes})
    else:
        show.say(f"{written.path}: {written.tensors} tensors W1, W2, W3 and the tree, {written.dtype}, {show.size(written.bytes)}")


VERBS = {"import": import_bank}
"""The verbs of this file by their names."""
