"""Which relations can be answered without knowing: by their most frequent answer or by a rule on the subject's letters."""

from collections import Counter
from collections.abc import Callable, Sequence

LIMIT = 0.10
SHORTEST_PREFIX = 3

SubjectGuess = Callable[[str], str]
AnswerGuess = Callable[[str, frozenset[str]], str]


def majority_share(answers: Sequence[str]) -> float:
    """The share of the most frequent answer."""
    return Counter(answer.casefold() for answer in answers).most_common(1)[0][1] / len(answers)


def first_letters(count: int) -> SubjectGuess:
    """Guesses the first letters of the subject."""
    return lambda subject: subject.replace(" ", "")[:count]


def initials(subject: str) -> str:
    """Guesses the first letter of each word."""
    return "".join(word[0] for word in subject.split())


def first_and_last_letter(subject: str) -> str:
    """Guesses the subject's first and last letter."""
    return subject[0] + subject[-1]


def first_and_third_letter(subject: str) -> str:
    """Guesses the subject's first and third letter."""
    return subject[0] + subject[2:3]


def first_consonants(count: int) -> SubjectGuess:
    """Guesses the first letter and the consonants that follow it."""

    def guess(subject: str) -> str:
        letters = subject.replace(" ", "")
        return (letters[0] + "".join(c for c in letters[1:] if c not in "aeiou"))[:count]

    return guess


def first_word(subject: str) -> str:
    """Guesses the subject's first word."""
    return subject.split()[0]


def whole_subject(subject: str) -> str:
    """Guesses the subject itself."""
    return subject


def subject_city(subject: str) -> str:
    """Guesses the subject followed by City."""
    return f"{subject} City"


def contained(subject: str, answers: frozenset[str]) -> str:
    """Guesses the longest answer of the relation that stands inside the subject."""
    inside = [answer for answer in answers if answer.casefold() in subject.casefold()]
    return max(sorted(inside), key=len, default="")


def longest_prefix(subject: str, answers: frozenset[str]) -> str:
    """Guesses the answer that begins most like the subject, from three letters on."""
    best = max(sorted(answers), key=lambda answer: _common_prefix(subject, answer), default="")
    return best if _common_prefix(subject, best) >= SHORTEST_PREFIX else ""


def _common_prefix(one: str, other: str) -> int:
    count = 0
    for a, b in zip(one.casefold(), other.casefold(), strict=False):
        if a != b:
            return count
        count += 1
    return count


SUBJECT_RULES: dict[str, SubjectGuess] = {
    "first letter": first_letters(1),
    "first two letters": first_letters(2),
    "first three letters": first_letters(3),
    "first two consonants": first_consonants(2),
    "first three consonants": first_consonants(3),
    "first and third letter": first_and_third_letter,
    "first and last letter": first_and_last_letter,
    "initials": initials,
    "first word": first_word,
    "subject": whole_subject,
    "subject and City": subject_city,
}
ANSWER_RULES: dict[str, AnswerGuess] = {"contained": contained, "longest prefix": longest_prefix}


def rule_shares(pairs: Sequence[tuple[str, str]]) -> dict[str, float]:
    """How often each rule is right over (subject, answer) pairs, case aside."""
    answers = frozenset(answer for _, answer in pairs)
    guesses = {name: [rule(subject) for subject, _ in pairs] for name, rule in SUBJECT_RULES.items()}
    guesses |= {name: [rule(subject, answers) for subject, _ in pairs] for name, rule in ANSWER_RULES.items()}
    return {
        name: sum(guess.casefold() == answer.casefold() for guess, (_, answer) in zip(guessed, pairs, strict=True)) / len(pairs)
        for name, guessed in guesses.items()
    }


def guessable(pairs: Sequence[tuple[str, str]]) -> bool:
    """Whether the majority answer or a rule is right for more than a tenth of the relation's (subject, answer) pairs."""
    return max(majority_share([answer for _, answer in pairs]), *rule_shares(pairs).values()) > LIMIT
