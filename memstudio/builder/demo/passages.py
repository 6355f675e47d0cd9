"""Writes the three passages about an entity: long enough, and about it alone, for the tree to group topics and not phrasings."""

from random import Random

from memstudio.builder.demo.values import Domain, Row

FIRST_WORDS = 88
LATER_WORDS = 106
MOST_FIRST_FACTS = 6
Stated = tuple[str, str]


def fill(template: str, row: Row, answer: str = "") -> str:
    """The template with its slots filled."""
    begun = row.name[:1].upper() + row.name[1:]
    return template.replace("{x}", row.name).replace("{X}", begun).replace("{g}", row.group).replace("{a}", answer)


def first_passage(domain: Domain, row: Row, random: Random) -> tuple[str, list[str]]:
    """The answer to "Tell me about …": facts in plain form, two of them early. Gives the text and the relations as stated."""
    keys = [key for key in domain.order if key in row.answers][:MOST_FIRST_FACTS]
    wording = {relation.key: relation.plain for relation in domain.relations}
    stated = [(key, fill(wording[key][i % 2], row, row.answers[key].expected)) for i, key in enumerate(keys)]
    context = [fill(t, row) for t in (*domain.context[1:], *domain.groups[row.group])]
    random.shuffle(context)
    opening = fill(domain.context[0], row)
    return _interleave([opening], stated, context, FIRST_WORDS, early=2 if len(stated) > 2 else 1)


def later_passage(domain: Domain, row: Row, random: Random) -> tuple[str, list[str]]:
    """Another passage: every fact in varied wording and order."""
    stated = [
        (r.key, fill(random.choice(r.statements), row, row.answers[r.key].expected)) for r in domain.relations if r.key in row.answers
    ]
    random.shuffle(stated)
    topical = [fill(t, row) for t in (domain.context[0], *domain.groups[row.group])]
    context = [fill(t, row) for t in domain.context[1:]]
    random.shuffle(topical)
    random.shuffle(context)
    return _interleave(topical[:1], stated, [*topical[1:], *context], LATER_WORDS, early=1)


def _interleave(opening: list[str], stated: list[Stated], context: list[str], words: int, early: int) -> tuple[str, list[str]]:
    """Adds context sentences until the passage is long enough, spread over the gaps behind the `early` first facts."""
    count = sum(len(s.split()) for s in opening) + sum(len(s.split()) for _, s in stated)
    chosen = []
    for sentence in context:
        if count >= words:
            break
        chosen.append(sentence)
        count += len(sentence.split())
    gaps = max(1, len(stated) - early + 1)
    sentences = [*opening, *(s for _, s in stated[:early])]
    for gap in range(gaps):
        sentences += chosen[gap * len(chosen) // gaps : (gap + 1) * len(chosen) // gaps]
        sentences += [s for _, s in stated[early + gap : early + gap + 1]]
    return " ".join(sentences), [key for key, _ in stated]
