"""Verbs of a session that tell what they did: once one is done, those who listen to deeds hear `Did` with what it was called with."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from memstudio.events import Did

if TYPE_CHECKING:
    from memstudio.session.study import Study

S = TypeVar("S", bound="Study")
P = ParamSpec("P")
R = TypeVar("R")
_UNTOLD = frozenset({"job", "told"})
"""What only watches a call and changes nothing of what it does."""


def tells(verb: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """A method of the session, or a function that takes the session first, which emits Did once it is done.

    A verb that another one calls is part of that one and tells nothing; one that raises did nothing.
    """
    signature = inspect.signature(verb)
    home = "" if "." in verb.__qualname__ else verb.__module__

    @functools.wraps(verb)
    def call(session: S, /, *arguments: P.args, **keywords: P.kwargs) -> R:
        with session.calling() as outermost:
            result = verb(session, *arguments, **keywords)
        if outermost:
            bound = signature.bind(session, *arguments, **keywords).arguments
            session.emit(Did(verb.__name__, *_said(signature, bound), home))
        return result

    return call


def _said(signature: inspect.Signature, bound: Mapping[str, Any]) -> tuple[tuple[object, ...], dict[str, object]]:
    """What a call has to name: the arguments that are not the default, those in front by their place."""
    positional: list[object] = []
    keywords: dict[str, object] = {}
    in_place = True
    for name, parameter in list(signature.parameters.items())[1:]:
        value = bound.get(name, parameter.default)
        if name in _UNTOLD or value is parameter.default or (type(value) is type(parameter.default) and value == parameter.default):
            in_place = False
        elif in_place and parameter.kind is not parameter.KEYWORD_ONLY:
            positional.append(value)
        else:
            keywords[name] = value
    return tuple(positional), keywords
