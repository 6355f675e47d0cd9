"""How a measure of a cluster is written, the same in the tree and in the table."""

from memstudio.bank.values import BASE, BlockState, ClusterId
from memstudio.ui.shades import Shades

UNMEASURED = "–"


def figure_text(value: float | None, *, signed: bool = False) -> str:
    """Four significant digits with a true minus sign, a plus where both signs occur; "–" where nothing was measured."""
    if value is None:
        return UNMEASURED
    whole = value.is_integer() or abs(value) >= 1000
    digits = ",.0f" if whole and abs(value) < 1e9 else "#.4g"
    return f"{value:{'+' if signed else ''}{digits}}".replace("-", "−").replace("inf", "∞")


def value_text(shades: Shades, value: float | None) -> str:
    """A value of a measure: its name where values have names, else the figure."""
    return dict(shades.words).get(value, "") or figure_text(value, signed=shades.signed) if value is not None else UNMEASURED


def bound_text(shades: Shades) -> str:
    """The upper end of a scale: three significant digits, whole where they are many."""
    return f"{shades.bound:,.0f}" if shades.bound >= 1000 else f"{shades.bound:.3g}"


def measure_line(shades: Shades, cluster: ClusterId) -> str:
    """For a tooltip: "effect: +1.25 Δ log-probability (causal)", or that it was not measured."""
    value = shades.at(cluster)
    if value is None:
        return f"{shades.title}: not measured"
    text = value_text(shades, value)
    return f"{shades.title}: {text}" if shades.words else f"{shades.title}: {text} {shades.unit} ({shades.kind})"


def measure_tip(shades: Shades) -> str:
    """For the header of a measure's column."""
    return f"{shades.title}: {shades.unit} ({shades.kind}); {shades.measured:,} clusters measured"


def state_word(state: BlockState | None, *, hidden: bool = False, muted: bool = False) -> str:
    """One word: shipped, pruned, edited, × 0.5, hidden, muted; none where the bank holds no block."""
    if hidden:
        return "hidden"
    if state is None:
        return "none"
    if state.pruned:
        return "pruned"
    if muted:
        return "muted"
    if state == BASE:
        return "shipped"
    return "edited" if state.source != "base" else f"× {state.scale:g}"
