"""Domains whose facts stand in our own tables; a test compares them with the packages that keep such facts."""

from memstudio.builder.demo.tables import records
from memstudio.builder.demo.values import Answer, Row


def _rows(table: str, group: str, columns: dict[str, str]) -> list[Row]:
    """The rows of a table; `columns` maps a relation to its column, and an empty cell is no fact."""
    return [
        Row(line["name"], line["common"] == "1", line[group], {r: Answer(line[c]) for r, c in columns.items() if line[c]})
        for line in records(table)
    ]


def currencies() -> list[Row]:
    """Currencies with a name of their own."""
    return _rows("currencies", "region", {"currency-code": "code", "money-of": "country", "subunit": "subunit"})


def languages() -> list[Row]:
    """Languages and the branch of the family tree that linguists file them under."""
    return _rows("languages", "area", {"branch": "branch", "language-code": "code"})


def moons() -> list[Row]:
    """Moons of the planets and dwarf planets."""
    return _rows("moons", "planet", {"moon-discovery-year": "year", "discoverer": "discoverer", "radius": "radius", "planet": "planet"})


def states() -> list[Row]:
    """States of the United States."""
    return _rows("states", "region", {"state-capital": "capital", "admission-order": "order", "postal-code": "postal"})


def airports() -> list[Row]:
    """Airports by the short name that travellers use."""
    return _rows("airports", "region", {"airport-code": "code", "airport-city": "city"})


def constellations() -> list[Row]:
    """Constellations with their brightest star, where it has a name."""
    return _rows("constellations", "half", {"brightest-star": "star", "area": "area"})


def people() -> list[Row]:
    """Composers, painters, scientists, mathematicians and writers, by surname."""
    return _rows("people", "field", {"birth-year": "birth", "death-year": "death", "birthplace": "place", "field": "field"})


def mountains() -> list[Row]:
    """Mountains that stand in one country."""
    return _rows("mountains", "continent", {"height": "height", "mountain-country": "country"})
