"""How well a few typed letters name a command: all of them in order, those that begin words counting most."""

START, NEXT, LETTER = 8, 5, 1
WORD = 40
"""More than the letters of a short word can come to: what is typed as it stands at the beginning of a word comes first."""


def score(typed: str, name: str) -> int | None:
    """The higher the better; None where the letters do not occur in this order. Blanks in `typed` part words and count for nothing."""
    letters = [letter for letter in typed.casefold() if not letter.isspace()]
    text = name.casefold()
    if not letters:
        return 0
    best: dict[int, int] = {}
    for number, letter in enumerate(letters):
        reached: dict[int, int] = {}
        running: int | None = None
        for at, own in enumerate(text):
            if at - 1 in best:  # whatever ends before here may be gone on from
                running = best[at - 1] if running is None else max(running, best[at - 1])
            if own != letter or (number and running is None):
                continue
            gain = START if at == 0 or not text[at - 1].isalnum() else LETTER
            reached[at] = max((running or 0) + gain, best[at - 1] + NEXT if at - 1 in best else 0)
        if not reached:
            return None
        best = reached
    whole = " ".join(typed.casefold().split())
    begun = any(text.startswith(whole, at) for at in range(len(text)) if at == 0 or not text[at - 1].isalnum())
    return (max(best.values()) + begun * WORD) * 4 - len(text)
