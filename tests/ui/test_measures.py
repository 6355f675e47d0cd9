"""What a trace says of each block: three kinds of evidence, each labelled as what it is, and nothing where nothing was measured."""

from collections.abc import Callable

import numpy as np
import pytest

from memstudio.anchor.values import Trace
from memstudio.bank.values import ClusterId
from memstudio.ui import measures
from memstudio.ui.shades import Shades
from tests.ui.fabricated import ROUTE, trace

SIZES = (3, 9)
ONE, TWO = ROUTE.clusters


def test_attribution_is_the_sum_over_layers_and_tokens_and_is_labelled_projected() -> None:
    found = trace()
    shades = measures.attribution(found, SIZES)
    assert (shades.kind, shades.signed, shades.measured) == ("projected", True, 2)
    for cluster in ROUTE.clusters:
        assert shades.at(cluster) == pytest.approx(float(found.contribution[:, cluster.level - 1, :].sum()), rel=1e-5)
    assert shades.at(ClusterId(2, 5)) is None
    assert "“79” against “47”" in shades.unit


def test_the_three_measures_of_a_trace_are_of_three_kinds() -> None:
    kinds = [make(trace(), SIZES).kind for make in (measures.activity, measures.attribution, measures.effect)]
    assert kinds == ["observed", "projected", "causal"]


@pytest.mark.parametrize("make", [measures.activity, measures.attribution])
def test_a_block_that_was_not_measured_has_no_figure(make: Callable[[Trace, tuple[int, ...]], Shades]) -> None:
    shades = make(trace(measured=False), SIZES)
    assert shades.at(ONE) is not None
    assert shades.at(TWO) is None
    assert shades.measured == 1


def test_single_figures_that_are_missing_are_left_out_of_the_sum() -> None:
    found = trace()
    found.contribution[0, 0, :] = np.nan
    assert measures.attribution(found, SIZES).at(ONE) == pytest.approx(float(found.contribution[1:, 0, :].sum()), rel=1e-5)
