"""Forwards of one batch that begin at a layer: what the layers below it gave is kept, for work under which nothing below changes."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from memstudio.anchor.load import Anchor


class Below:
    """What the layers below one gave for one batch."""

    def __init__(self, anchor: Anchor, layer: int) -> None:
        """layer: the lowest that is computed in every forward; where it is 0 every forward is whole."""
        owner = {id(part): module for module in anchor.model.modules() for part in module.children()}
        self._layers = [owner[id(mlp)] for mlp in anchor.mlps[:layer]]
        self._given: list[Tensor | tuple[Tensor, ...]] = []

    @contextmanager
    def kept(self) -> Iterator[None]:
        """The first forward computes every layer, later ones take over what it gave below. All are of the same batch, without a cache of
        keys and values, and with equal memory below; hooks inside the layers below see the first alone."""
        if not self._layers:
            yield
            return
        handle = self._layers[-1].register_forward_hook(self._keep)
        if self._given:
            self._skip()
        try:
            yield
        finally:
            handle.remove()
            for layer in self._layers:
                layer.__dict__.pop("forward", None)

    def _keep(self, _: nn.Module, __: tuple[Tensor, ...], output: Tensor | tuple[Tensor, ...]) -> None:
        if not self._given:
            self._given.append(output)
            self._skip()

    def _skip(self) -> None:
        for layer in self._layers:
            layer.__dict__["forward"] = lambda *_, **__: self._given[0]
