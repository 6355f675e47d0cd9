"""The corpus of the demo bank: true facts about well-known things, made again from a seed whenever the bank is built."""

from memstudio.builder.demo.generate import generate
from memstudio.builder.demo.values import DemoCorpus, Document, Entity
from memstudio.builder.demo.write import write

__all__ = ["DemoCorpus", "Document", "Entity", "generate", "write"]
