"""From what a person names (a bank folder, a study folder, the word demo) to an open session, with every doubt said in one line."""

from pathlib import Path

from memstudio import paths
from memstudio.anchor.budget import check_budget
from memstudio.bank.bank import Bank, open_bank
from memstudio.bank.manifest import MANIFEST
from memstudio.errors import BankMoved, UserError
from memstudio.session.session import Session

DEMO = "demo"
_STUDY_FILE = "study.db"


def open_session(
    bank: str | Path,
    *,
    study: str | Path | None = None,
    device: str = "auto",
    dtype: str = "float32",
    encoder: str | Path | None = None,
    anchor: str | Path | None = None,
    readonly: bool = False,
    cache_bytes: int | None = None,
) -> Session:
    """Open "demo", a bank folder or a study folder; reads headers and the tree, neither blocks nor model.

    study: where edits are kept; without it, in the study that `bank` names, else in a temporary one that goes at `close`.
    device: "auto", "cpu", "cuda" or "mps". encoder, anchor: folders to use instead of the model cache, accepted by their sha256.
    readonly: edits are refused, and a study is read beside its writer.
    cache_bytes: of blocks that are kept because to fetch them again costs more; 0: none; None: what there is room for.

    Raises:
        UserError: nothing there that can be opened, a study of another bank, or a cache that does not hold the blocks of one route.
    """
    folder = None if study is None else Path(study)
    if _is_study(bank):
        folder = study_for(bank, folder)
    opened = bank_named(bank)
    check_budget(opened, dtype, cache_bytes)
    store = None
    if folder is not None:
        from memstudio.history.store import open_store

        store = open_store(
            folder, bank_digest=opened.digest, bank_name=opened.name, bank_path=str(opened.folder.absolute()), readonly=readonly
        )
    return Session(
        opened,
        store,
        device=device,
        dtype=dtype,
        encoder=None if encoder is None else Path(encoder),
        anchor=None if anchor is None else Path(anchor),
        readonly=readonly,
        cache_bytes=cache_bytes,
    )


def study_for(bank: str | Path, study: Path | None = None) -> Path:
    """Where edits of `bank` are kept: `study`, else the study that was named, else the bank's default study in the user's data folder.

    Raises:
        UserError: there is no bank or study of that name.
    """
    if _is_study(bank):
        if study is not None and not _same(Path(bank), study):
            raise UserError(f"{bank}: is a study already; leave --study {study} out, or name the bank instead")
        return Path(bank)
    if study is not None:
        return study
    opened = open_bank(bank_folder(bank))
    return paths.default_study(opened.name, opened.digest)


def bank_named(bank: str | Path) -> Bank:
    """The bank that is named, or that a study of that name was made on.

    Raises:
        UserError: there is none that can be opened.
    """
    return _bank_of(Path(bank)) if _is_study(bank) else open_bank(bank_folder(bank))


def bank_folder(bank: str | Path) -> Path:
    """The folder that a bank's name stands for.

    Raises:
        UserError: the demo bank is not installed, or no folder of that name exists.
    """
    if str(bank) == DEMO:
        folder = paths.demo_bank()
        if not (folder / MANIFEST).is_file():
            raise UserError(f"demo: the bundled bank is not at {folder}; install memstudio again, or name a bank folder")
        return folder
    folder = Path(bank)
    if not folder.exists():
        raise UserError(f"{bank}: no such folder; name a bank folder, a study folder or the word demo")
    return folder


def _is_study(bank: str | Path) -> bool:
    return str(bank) != DEMO and (Path(bank) / _STUDY_FILE).exists() and not (Path(bank) / MANIFEST).exists()


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def _bank_of(study: Path) -> Bank:
    """The bank that a study was made on: where it was last seen, else the bundled one where the digest is the same."""
    from memstudio.history.store import read_binding

    binding = read_binding(study)
    if (Path(binding.bank_path) / MANIFEST).is_file():
        return open_bank(Path(binding.bank_path))
    if (paths.demo_bank() / MANIFEST).is_file():
        demo = open_bank(paths.demo_bank())
        if demo.digest == binding.bank_digest:
            return demo
    raise BankMoved(f"{study}: its bank {binding.bank_name!r} is no longer at {binding.bank_path}; name the bank and give --study {study}")
