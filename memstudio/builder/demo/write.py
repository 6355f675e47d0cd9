"""Writes a corpus as the three JSON-lines files that training reads."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from memstudio.builder.demo.values import DemoCorpus, Document, Entity
from memstudio.facts.values import Fact


def write(corpus: DemoCorpus, folder: Path) -> None:
    """Writes entities.jsonl, facts.jsonl and documents.jsonl into the folder, which is made if needed."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "entities.jsonl", corpus.entities)
    _write(folder / "facts.jsonl", corpus.facts)
    _write(folder / "documents.jsonl", corpus.documents)


def _write(path: Path, records: Sequence[Entity | Fact | Document]) -> None:
    lines = (json.dumps(asdict(record), ensure_ascii=False) + "\n" for record in records)
    path.write_text("".join(lines), encoding="utf-8", newline="\n")
