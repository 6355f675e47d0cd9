"""memstudio: see, prove, prune and take back what the memory blocks of a language model know.

`import memstudio` is light: the parts that need a model are imported when a session first needs them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memstudio.session import Session

__version__ = "0.1.0"


def open(  # noqa: A001 - `memstudio.open` is the documented name, and the builtin is not used here
    bank: str | Path,
    *,
    study: str | Path | None = None,
    device: str = "auto",
    dtype: str = "float32",
    encoder: str | Path | None = None,
    anchor: str | Path | None = None,
    readonly: bool = False,
) -> Session:
    """Open "demo", a bank folder or a study folder. Without `study`, edits of a bank go to a temporary study that goes at `close`.

    device: "auto", "cpu", "cuda" or "mps". encoder, anchor: folders to use instead of the model cache.

    Raises:
        UserError: nothing there that can be opened, or a study of another bank.
    """
    from memstudio.session import open_session

    return open_session(bank, study=study, device=device, dtype=dtype, encoder=encoder, anchor=anchor, readonly=readonly)
