"""A corpus as training sees it: windows of a few hundred tokens, each with where it comes from, in files that are mapped, not loaded.

Windows end where a paragraph, a line, a sentence or at least a word does; none crosses two documents.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from memstudio.builder.texts import Note, Text, read_texts
from memstudio.errors import UserError
from memstudio.jobs import Job

if TYPE_CHECKING:
    from memstudio.anchor.load import Anchor

MAX_WINDOW = 2048
_BREAKS = (re.compile(r"\n\s*\n"), re.compile(r"\n"), re.compile(r"(?<=[.!?])\s"), re.compile(r"\s"))
_BATCH = 256
_FIELDS = ["text_start", "text_stop", "token_start", "token_stop", "at", "last"]


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of one document: its name, where it begins in it (characters), and whether the document ends with it."""

    name: str
    at: int
    text: str
    last: bool


class Corpus:
    """The windows of a corpus, mapped: `texts.bin`, `tokens.bin` (uint32), `windows.npy` (int64 [windows, 6]), `names.jsonl`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._windows: NDArray[np.int64] = np.load(folder / "windows.npy", mmap_mode="r", allow_pickle=False)
        self._texts = np.memmap(folder / "texts.bin", np.uint8, "r")
        self._tokens = np.memmap(folder / "tokens.bin", np.uint32, "r")
        self.summary: dict[str, object] = json.loads((folder / "corpus.json").read_text())

    def __len__(self) -> int:
        return len(self._windows)

    @property
    def tokens(self) -> int:
        """All tokens."""
        return len(self._tokens)

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each window, int64 [windows]."""
        return np.asarray(self._windows[:, 3] - self._windows[:, 2])

    def text(self, at: int) -> str:
        """The text of a window."""
        start, stop = self._windows[at, :2]
        return bytes(self._texts[start:stop]).decode()

    def ids(self, at: int) -> NDArray[np.uint32]:
        """The token ids of a window as `tokens_of` gave them."""
        start, stop = self._windows[at, 2:4]
        return np.asarray(self._tokens[start:stop])

    def last(self, at: int) -> bool:
        """Whether the document ends with this window."""
        return bool(self._windows[at, 5])

    @cached_property
    def names(self) -> list[str]:
        """A name for each window, which no other has: its document and the characters that it covers."""
        lines = (self.folder / "names.jsonl").read_text(encoding="utf-8").splitlines()
        return [
            f"{json.loads(line)}:{row[4]}-{row[4] + len(self.text(at))}"
            for at, (line, row) in enumerate(zip(lines, self._windows.tolist(), strict=True))
        ]


def read_corpus(paths: Sequence[Path], folder: Path, anchor: "Anchor", window: int, job: Job, note: Note) -> Corpus:
    """Cut everything below `paths` into windows and write them into `folder`, which appears when it is complete.

    Raises:
        UserError: nothing there, no text in it, or a tokenizer that does not go with the anchor.
    """
    if not (folder / "corpus.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        _write(paths, folder, anchor, window, job, note)
    return Corpus(folder)


def _write(paths: Sequence[Path], folder: Path, anchor: "Anchor", window: int, job: Job, note: Note) -> None:
    rows: list[list[int]] = []
    text_at = token_at = documents = 0
    texts, tokens, names = folder / "texts.bin", folder / "tokens.bin", folder / "names.jsonl"
    with texts.open("wb") as text_stream, tokens.open("wb") as token_stream, names.open("w", encoding="utf-8") as name_stream:
        for batch in _batches(cut(read_texts(paths, note), anchor, window)):
            for piece, ids in zip(batch, tokens_of(anchor, batch), strict=True):
                raw = piece.text.encode()
                rows.append([text_at, text_at + len(raw), token_at, token_at + len(ids), piece.at, int(piece.last)])
                text_at, token_at = rows[-1][1], rows[-1][3]
                text_stream.write(raw)
                token_stream.write(np.array(ids, np.uint32).tobytes())
                name_stream.write(json.dumps(piece.name, ensure_ascii=False) + "\n")
                documents += piece.last
            job.progress(len(rows), None)
    if not rows:
        raise UserError(f"{', '.join(map(str, paths))}: no text in it: name files or folders with documents")
    np.save(folder / "windows.npy", np.array(rows, np.int64))
    partial = folder / "corpus.partial"
    partial.write_text(json.dumps({"documents": documents, "windows": len(rows), "tokens": token_at, "columns": _FIELDS}))
    partial.replace(folder / "corpus.json")


def _batches(windows: Iterator[Window]) -> Iterator[list[Window]]:
    while batch := list(islice(windows, _BATCH)):
        yield batch


def tokens_of(anchor: "Anchor", windows: Sequence[Window]) -> list[list[int]]:
    """Token ids of windows, as the anchor reads plain text; an end token where a document ends and the tokenizer has one. For a chat
    anchor without a start token: its template brings one.

    Raises:
        UserError: a token that the anchor does not have.
    """
    end = anchor.tokenizer.eos_token_id
    found = []
    for window in windows:
        ids = anchor.bare(window.text) if anchor.chat else anchor.plain(window.text)
        anchor.check(ids or [0])
        found.append([*ids, end] if window.last and isinstance(end, int) else ids)
    return found


def cut(texts: Iterator[Text], anchor: "Anchor", window: int) -> Iterator[Window]:
    """Windows of at most `window` tokens (special ones among them) of the documents."""
    held: Window | None = None
    for piece in texts:
        if held is not None and held.name != piece.name:
            yield Window(held.name, held.at, held.text, True)
            held = None
        for at, text in _cut_one(piece.text, anchor, max(8, window - 2 - anchor.turn_tokens)):
            if held is not None:
                yield held
            held = Window(piece.name, piece.at + at, text, False)
    if held is not None:
        yield Window(held.name, held.at, held.text, True)


def _cut_one(text: str, anchor: "Anchor", most: int) -> Iterator[tuple[int, str]]:
    """(where it begins, text) of stretches of at most `most` tokens that hold more than blanks."""
    start, per_token = 0, 4.0
    while start < len(text):
        stop = min(len(text), start + max(1, int(most * per_token)))
        while True:
            stop = stop if stop == len(text) else _break(text, start, stop)
            count = _count(anchor, text[start:stop])
            if count <= most or stop - start <= 1:
                break
            per_token = max(0.25, (stop - start) / count * 0.9)
            stop = start + max(1, min(int(most * per_token), (stop - start) * 3 // 4))
        if count and stop < len(text):
            per_token = 0.5 * per_token + 0.5 * 0.95 * (stop - start) / count
        stripped = text[start:stop].strip()
        if stripped:
            yield start + text[start:stop].index(stripped[0]), stripped
        start = stop


def _count(anchor: "Anchor", text: str) -> int:
    return len(anchor.bare(text)) if text.strip() else 0


def _break(text: str, start: int, stop: int) -> int:
    """The last good place to cut in the second half of text[start:stop]; paragraphs before lines before sentences before words."""
    half = start + (stop - start) // 2
    for mark in _BREAKS:
        found = [match.end() for match in mark.finditer(text, half, stop)]
        if found:
            return found[-1]
    return stop
