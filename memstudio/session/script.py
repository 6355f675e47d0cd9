"""What was done in a session, as lines of Python that do the same, and the script that they make."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from memstudio.bank.values import ClusterId
from memstudio.editing.plan import Plan
from memstudio.events import Did

_PRINTED = {"run": "print({}.text)", "arms": "print(*{}.texts(), sep='\\n')"}
"""How a script shows what a verb answers."""
_LONGEST = 400
"""Characters of a line that is shown whole."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What was done, as a line of Python on `session`.

    imports: the lines that must stand above it. script: how it reads in a script, where that differs. opens: it opens the session.
    """

    line: str
    imports: frozenset[str] = frozenset()
    script: str = ""
    opens: bool = False

    @property
    def short(self) -> str:
        """The line, its middle left out where it is very long."""
        half = _LONGEST // 2
        return self.line if len(self.line) <= _LONGEST else f"{self.line[:half]} … {self.line[-half:]}"


def deed_of(did: Did) -> Deed:
    """The line that does the same once more; a comment where an argument cannot be written down (tensors given by hand)."""
    imports: set[str] = set()
    try:
        arguments = [_expression(value, imports) for value in did.arguments]
        arguments += [f"{name}={_expression(value, imports)}" for name, value in did.keywords.items()]
    except TypeError as error:
        return Deed(f"# session.{did.verb}(…) with {error}")
    if did.home:
        imports.add(f"from {did.home} import {did.verb}")
        return Deed(f"{did.verb}({', '.join(['session', *arguments])})", frozenset(imports))
    line = f"session.{did.verb}({', '.join(arguments)})"
    return Deed(line, frozenset(imports), _PRINTED.get(did.verb, "").format(line))


def opening(bank: Path, study: Path | None, revisions: int, head: int, **options: object) -> Deed:
    """The line that opens a session.

    study: None where it is temporary. revisions, head: those of the study then. A study that had no edit yet is left out of a script,
    which then leaves no trace; one that had is opened, and goes to where it stood.
    options: further keywords of `memstudio.open`; None is left out.
    """
    imports = {"import memstudio"}
    said = [f"{name}={_expression(value, imports)}" for name, value in options.items() if value is not None]
    alone = ", ".join([_text(bank), *said])
    if study is None:
        return Deed(f"session = memstudio.open({alone})", frozenset(imports), opens=True)
    line = f"session = memstudio.open({', '.join([_text(bank), f'study={_text(study)}', *said])})"
    if revisions <= 1:
        return Deed(line, frozenset(imports), f"session = memstudio.open({alone})  # a temporary study", opens=True)
    return Deed(line, frozenset(imports), f"{line}  # close the window first: a study has one writer\nsession.checkout({head})", opens=True)


def script(deeds: Sequence[Deed]) -> str:
    """A script that does what was done since a session was opened last; answers are printed."""
    start = max((at for at, deed in enumerate(deeds) if deed.opens), default=0)
    since = deeds[start:]
    imports = {line for deed in since for line in deed.imports}
    plain = sorted(line for line in imports if line.startswith("import "))
    named = sorted(imports - set(plain))
    lines = [deed.script or deed.line for deed in since]
    end = ["session.close()"] if since and since[0].opens else []
    return "\n".join(['"""What was done in memstudio."""', "", *named, *([""] if named and plain else []), *plain, "", *lines, *end, ""])


def _text(path: Path) -> str:
    return repr(str(path))


def _expression(value: object, imports: set[str]) -> str:
    """A value as Python that makes it again.

    Raises:
        TypeError: it cannot be written down; says what it is.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    if isinstance(value, ClusterId):
        imports.add("from memstudio.bank.values import ClusterId")
        return f"ClusterId({value.level}, {value.index})"
    if isinstance(value, Path):
        imports.add("from pathlib import Path")
        return f"Path({_text(value)})"
    if isinstance(value, Plan):
        return _expression(value.edit, imports)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_expression(key, imports)}: {_expression(each, imports)}" for key, each in value.items()) + "}"
    if isinstance(value, Collection):
        return _several(value, imports)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _made(value, imports)
    raise TypeError(f"a {type(value).__name__} that was given by hand")


def _several(values: Collection[object], imports: set[str]) -> str:
    if isinstance(values, frozenset | set):
        return "[" + ", ".join(sorted(_expression(each, imports) for each in values)) + "]"
    inside = [_expression(each, imports) for each in values]
    return f"({', '.join(inside)}{',' * (len(inside) == 1)})" if isinstance(values, tuple) else f"[{', '.join(inside)}]"


def _made(value: object, imports: set[str]) -> str:
    """A call of a dataclass with what is not the default, the first fields by their place."""
    from memstudio.editing.rewrite import Rewrite

    name = type(value).__name__
    imports.add(f"from {type(value).__module__} import {name}")
    if isinstance(value, Rewrite):
        if value.file is None:
            raise TypeError("a block's numbers that were given by hand")
        return f"{name}.from_file({_expression(value.cluster, imports)}, {_expression(value.file, imports)}, session.bank)"
    said: list[str] = []
    in_place = True
    for field in dataclasses.fields(value):  # type: ignore[arg-type]  # the caller checked that it is one
        given = getattr(value, field.name)
        made = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
        if given == made or not field.init:
            in_place = False
        else:
            text = _expression(given, imports)
            said.append(text if in_place else f"{field.name}={text}")
    return f"{name}({', '.join(said)})"
