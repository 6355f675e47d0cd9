"""What a run, a trace or a count says of each block, as measures that every view can be coloured by."""

from collections.abc import Mapping, Sequence

import numpy as np

from memstudio.anchor.values import Trace
from memstudio.bank.values import ClusterId
from memstudio.ui.shades import Kind, Shades

ACTIVITY, EFFECT, SCAN, DOCUMENTS = "Activity", "Effect", "Scan", "Documents"


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
    found = {}
    for cluster in trace.route.clusters:
        norms = trace.norm[:, cluster.level - 1, :]
        measured = norms[np.isfinite(norms)]
        if measured.size:
            found[cluster] = float(measured.mean())
    return of_clusters(ACTIVITY, "norm of the block's output ÷ norm of the anchor's own MLP output", "observed", found, sizes)


def effect(trace: Trace, sizes: Sequence[int]) -> Shades:
    """Log-probability of the answer with each fetched block minus without it."""
    what = f"log-probability of “{trace.answer.text.strip()}” with the block minus without it" if trace.answer else "Δ log-probability"
    return of_clusters(EFFECT, what, "causal", trace.effect, sizes, signed=True)
