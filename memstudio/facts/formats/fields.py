"""Fields of a record from an untrusted file: of the right type, bounded, and of whole characters."""

from collections.abc import Iterable, Mapping

from memstudio.facts.values import Probe

MAX_TEXT = 20_000
MAX_ITEMS = 1_000

Raw = Mapping[str, object]


class Unusable(Exception):
    """Why a record cannot be used; the reader adds the file and the line."""


def text_of(raw: Raw, name: str, default: str | None = None) -> str:
    """A text; without a default it must be there and hold more than blanks."""
    value = raw.get(name, default)
    if value is None:
        if default is not None:
            return default
        raise Unusable(f"{name} is missing")
    if default is None and isinstance(value, str) and not value.strip():
        raise Unusable(f"{name} is empty")
    return sound(value, name)


def name_of(raw: Raw, name: str, default: str = "") -> str:
    """A text, or an integer as text (case numbers)."""
    value = raw.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return text_of(raw, name, default)


def texts_of(raw: Raw, name: str) -> tuple[str, ...]:
    """A list of texts that are not blank; () where it is missing."""
    value = raw.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
        raise Unusable(f"{name} must be a list of texts")
    return _few(value, name)


def spellings_of(raw: Raw, name: str) -> tuple[str, ...]:
    """A text, a list of texts, or a list of such lists: every spelling, flattened, blanks left out, each once; () where missing."""
    found: list[str] = []
    _flatten(raw.get(name), name, 0, found)
    return _few(dict.fromkeys(found), name)


def object_of(raw: Raw, name: str) -> Raw:
    """A JSON object; {} where it is missing or null."""
    value = raw.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unusable(f"{name} is of type {type(value).__name__}; it must be an object")
    return value


def probes_of(raw: Raw, name: str, answer: str) -> tuple[Probe, ...]:
    """A list of objects with prompt and `answer`; () where it is missing."""
    value = raw.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Unusable(f"{name} must be a list of objects with prompt and {answer}")
    if len(value) > MAX_ITEMS:
        raise Unusable(f"{name} holds {len(value)} items, over the limit of {MAX_ITEMS}")
    return tuple(Probe(text_of(item, "prompt"), text_of(item, answer)) for item in value)


def sound(value: object, name: str) -> str:
    """A text of bounded length and of whole characters."""
    if not isinstance(value, str):
        raise Unusable(f"{name} is of type {type(value).__name__}; write a text")
    if len(value) > MAX_TEXT:
        raise Unusable(f"{name} is {len(value)} characters long, over the limit of {MAX_TEXT}")
    if "\0" in value:
        raise Unusable(f"{name} holds a NUL character; write text")
    try:
        value.encode()
    except UnicodeEncodeError:  # json gives such halves, and so does reading what is not UTF-8
        raise Unusable(f"{name} holds half of a surrogate pair, or bytes that are not UTF-8; write whole characters") from None
    return value


def _few(values: Iterable[str], name: str) -> tuple[str, ...]:
    found = tuple(values)
    if len(found) > MAX_ITEMS:
        raise Unusable(f"{name} holds {len(found)} items, over the limit of {MAX_ITEMS}")
    return tuple(sound(value, name) for value in found)


def _flatten(value: object, name: str, depth: int, found: list[str]) -> None:
    if isinstance(value, list) and depth < 3:
        for item in value:
            _flatten(item, name, depth + 1, found)
    elif isinstance(value, str):
        found += [value] if value.strip() else []
    elif value is not None:
        raise Unusable(f"{name} must be a text or a list of texts")
