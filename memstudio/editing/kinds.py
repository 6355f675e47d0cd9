"""Every kind of edit in one table: verb → class. A new kind is one file and one line here; shell, window, undo and receipts follow.

An edit whose fields are plain values can be kept with its revision as JSON and run again later, on another state of the bank.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from memstudio.editing.erase import Erase
from memstudio.editing.learn import Learn
from memstudio.editing.plan import Edit
from memstudio.editing.prune import Prune, Restore
from memstudio.editing.rewrite import Rewrite
from memstudio.editing.scale import Scale
from memstudio.editing.swap import Swap
from memstudio.editing.update import Update
from memstudio.errors import UserError

KINDS: dict[str, type[Edit]] = {kind.verb: kind for kind in (Prune, Restore, Scale, Swap, Rewrite, Update, Erase, Learn)}


def edit_to_json(edit: Edit) -> dict[str, Any] | None:
    """The edit as JSON values, {"verb": …, field: …}; None for one that cannot be run again from values alone."""
    kind = KINDS.get(edit.verb)
    if kind is None or kind is Rewrite or not isinstance(edit, kind):
        return None  # a rewrite is its tensors
    return {"verb": edit.verb, **TypeAdapter(kind).dump_python(edit, mode="json")}


def edit_from_json(value: Mapping[str, Any]) -> Edit:
    """The edit that `edit_to_json` gave; a study is untrusted, so every field is checked.

    Raises:
        UserError: an unknown verb, or fields that the kind does not have.
    """
    verb = value.get("verb")
    kind = KINDS.get(verb) if isinstance(verb, str) else None
    if kind is None or kind is Rewrite:
        raise UserError(f"no edit is called {verb!r:.40}; the kinds are {', '.join(KINDS)}")
    try:
        return TypeAdapter(kind).validate_python({name: field for name, field in value.items() if name != "verb"})
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"{verb}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
