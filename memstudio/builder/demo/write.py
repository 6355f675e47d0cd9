"""Writes a corpus as the three JSON-lines files that training reads."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from memstudio.builder.demo.values import DemoCorpus
from memstudio.facts.formats.own import to_record


def write(corpus: DemoCorpus, folder: Path) -> None:
    """Writes entities.jsonl, facts.jsonl and documents.jsonl into the folder, which is made if needed."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "entities.jsonl", map(asdict, corpus.entities))
    _write(folder / "facts.jsonl", map(to_record, corpus.facts))
    _write(folder / "documents.jsonl", map(asdict, corpus.documents))


def _write(path: Path, records: Iterable[Mapping[str, object]]) -> None:
    lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    path.write_text("".join(lines), encoding="utf-8", newline="\n")
