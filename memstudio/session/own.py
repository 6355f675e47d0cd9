"""What comes with a bank about its own prompts: its facts, and the clusters that each of them fetches; read once, when first asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from memstudio.editing.desk import Path
from memstudio.facts.values import Fact

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from memstudio.bank.bank import Bank


class Own:
    """A bank's own facts and routes; routes of other texts are kept beside them."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._facts: tuple[Fact, ...] | None = None
        self._routes: dict[str, Path] | None = None

    def facts(self) -> list[Fact]:
        """The facts; where there are none the probes, which stand in for them; none where there are neither.

        Raises:
            UserError: the file is not what it should be.
        """
        if self._facts is None:
            from memstudio.facts.read import read_facts

            path = next((path for path in (self._bank.facts_path, self._bank.probes_path) if path.is_file()), None)
            self._facts = tuple(read_facts(path)) if path else ()
        return list(self._facts)

    def routes(self, texts: Sequence[str], key_vectors: Callable[[list[str]], NDArray[np.float32]]) -> list[Path]:
        """The clusters that each text fetches, nothing hidden; key_vectors encodes those that do not come with the bank."""
        if self._routes is None:
            from memstudio.facts.routes import read_routes

            self._routes = read_routes(self._bank, self.facts())
        missing = [text for text in dict.fromkeys(texts) if text not in self._routes]
        if missing:
            found = (self._bank.tree.descend(key).clusters for key in key_vectors(missing))
            self._routes.update(zip(missing, found, strict=True))
        return [self._routes[text] for text in texts]
