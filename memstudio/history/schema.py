"""The tables of study.db as they are now; how a file gets there stands in migrations.py."""

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, MetaData, Table, Text

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

revisions = Table(
    "revisions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("parent", Integer, ForeignKey("revisions.id")),
    Column("verb", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("receipt", Text, nullable=False),
    Column("time_s", Float, nullable=False),
)

changes = Table(
    "changes",
    metadata,
    Column("revision", Integer, ForeignKey("revisions.id"), primary_key=True),
    Column("level", Integer, primary_key=True),
    Column("idx", Integer, primary_key=True),
    Column("before_source", Text, nullable=False),
    Column("before_scale", Float, nullable=False),
    Column("after_source", Text, nullable=False),
    Column("after_scale", Float, nullable=False),
)

refs = Table(
    "refs",
    metadata,
    Column("name", Text, primary_key=True),
    Column("revision", Integer, ForeignKey("revisions.id"), nullable=False),
)

purged = Table(
    "purged",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("time_s", Float, nullable=False),
)

prompt_sets = Table(
    "prompt_sets",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("revision", Integer, ForeignKey("revisions.id"), nullable=False),
    Column("total", Integer, nullable=False),
    Column("prompts", Integer, nullable=False),
    Column("measured", Integer, nullable=False),
    Column("time_s", Float, nullable=False),
)

uses = Table(
    "uses",
    metadata,
    Column("prompt_set", Integer, ForeignKey("prompt_sets.id"), primary_key=True),
    Column("level", Integer, primary_key=True),
    Column("idx", Integer, primary_key=True),
    Column("fetched", Integer, nullable=False),
    Column("effects", Integer, nullable=False),
    Column("effect_sum", Float, nullable=False),
    Column("effect_max", Float, nullable=False),
)

Index("revisions_parent", revisions.c.parent)
