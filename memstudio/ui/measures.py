"""What a run, a trace or a count says of each block, as measures that every view can be coloured by."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from memstudio.anchor.values import Trace
from memstudio.bank.values import ClusterId
from memstudio.ui.shades import Floats, Kind, Shades

ACTIVITY, EFFECT, ATTRIBUTION, SCAN, DOCUMENTS = "Activity", "Effect", "Attribution", "Scan", "Documents"


def of_clusters(
    title: str, unit: str, kind: Kind, figures: Mapping[ClusterId, float], sizes: Sequence[int], *, signed: bool = False
) -> Shades:
    """A measure of the few clusters that were measured; sizes: clusters a level."""
    values = tuple(np.full(size, np.nan, np.float32) for size in sizes)
    for cluster, figure in figures.items():
        values[cluster.level - 1][cluster.index] = figure
    return Shades(title, unit, kind, values, signed)


def activity(trace: Trace, sizes: Sequence[int]) -> Shades:
    """Mean relative norm of each fetched block over the layers and tokens that were measured; NaN where nothing was."""
    found = {cluster: float(norms.mean()) for cluster, norms in _measured(trace, trace.norm)}
    return of_clusters(ACTIVITY, "norm of the block's output ÷ norm of the anchor's own MLP output", "observed", found, sizes)


def attribution(trace: Trace, sizes: Sequence[int]) -> Shades:
    """Direct logit attribution of each fetched block, summed over the layers and tokens that were measured; NaN where nothing was."""
    found = {cluster: float(parts.sum(dtype=np.float64)) for cluster, parts in _measured(trace, trace.contribution)}
    against = f" against “{trace.runner_up.strip()}”" if trace.runner_up.strip() else ""
    what = f"logit of “{trace.answer.text.strip()}”{against} that the block's outputs add, summed over layers and tokens"
    return of_clusters(ATTRIBUTION, what, "projected", found, sizes, signed=True)


def _measured(trace: Trace, figures: Floats) -> Iterator[tuple[ClusterId, Floats]]:
    """Of each fetched cluster the figures [L, levels, T] that were measured, flat; those of which none was are left out."""
    for cluster in trace.route.clusters:
        own = figures[:, cluster.level - 1, :]
        measured = own[np.isfinite(own)]
        if measured.size:
            yield cluster, measured


def effect(trace: Trace, sizes: Sequence[int]) -> Shades:
    """Log-probability of the answer with each fetched block minus without it."""
    what = f"log-probability of “{trace.answer.text.strip()}” with the block minus without it" if trace.answer else "Δ log-probability"
    return of_clusters(EFFECT, what, "causal", trace.effect, sizes, signed=True)


OF_TRACE = {EFFECT: effect, ATTRIBUTION: attribution, ACTIVITY: activity}
"""What a trace measures, by the names under which it is offered."""
