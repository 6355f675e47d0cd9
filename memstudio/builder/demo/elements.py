"""The 118 chemical elements out of mendeleev, without the values that sources disagree about."""

import math

from memstudio.builder.demo.tables import selected
from memstudio.builder.demo.values import Answer, Row

OTHER_NAMES = {"aluminum": ("aluminium",), "cesium": ("caesium",), "sulfur": ("sulphur",)}
SERIES = {1: "nonmetals", 2: "noble gases", 3: "alkali metals", 4: "alkaline earth metals", 5: "metalloids", 6: "halogens"}
SERIES |= {7: "poor metals", 8: "transition metals", 9: "lanthanides", 10: "actinides"}
# Years that mendeleev gives otherwise than the usual histories; None where those disagree among themselves.
YEARS: dict[int, int | None] = {2: None, 23: None, 27: 1735, 39: 1794, 60: 1885, 78: None, 86: None, 90: 1829, 91: None, 95: 1944}
YEARS |= {100: 1952, 102: 1966, 107: 1981, 113: 2004, 114: 1999}
NO_SINGLE_MELTING_POINT = {6, 15, 16, 33, 34, 50, 85, 87}  # allotropes, sublimation, or never measured
LAST_MEASURED_MELTING = 98
LAST_ACCEPTED_WEIGHT = 103


def elements() -> list[Row]:
    """Every element with its answers, in order of atomic number."""
    from mendeleev.fetch import fetch_table

    phases = fetch_table("phasetransitions")
    melting = {int(n): float(k) for n, k in zip(phases["atomic_number"], phases["melting_point"], strict=True) if not math.isnan(k)}
    table = fetch_table("elements")
    common = set(selected("common_elements"))
    rows = []
    for _, line in table.iterrows():
        number, name = int(line["atomic_number"]), str(line["name"]).lower()
        answers = {"atomic-number": Answer(str(number)), "symbol": Answer(str(line["symbol"])), "period": Answer(str(int(line["period"])))}
        if number <= LAST_ACCEPTED_WEIGHT:
            answers["atomic-weight"] = Answer(str(math.floor(float(line["atomic_weight"]) + 0.5)))
        if number in melting and number not in NO_SINGLE_MELTING_POINT and number <= LAST_MEASURED_MELTING:
            answers["melting-point"] = Answer(str(round(melting[number])))
        year = YEARS.get(number, _integer(line["discovery_year"]))
        if year is not None:
            answers["discovery-year"] = Answer(str(year))
        group = _integer(line["group_id"])
        if group is not None:
            answers["group"] = Answer(str(group))
        rows.append(Row(name, name in common, SERIES[int(line["series_id"])], answers, OTHER_NAMES.get(name, ())))
    return sorted(rows, key=lambda row: int(row.answers["atomic-number"].expected))


def _integer(value: float) -> int | None:
    return None if math.isnan(value) else int(value)
