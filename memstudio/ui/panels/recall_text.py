"""Recall before and after an export, in words."""

from memstudio.facts.statistics import Proportion


def recall_words(before: Proportion | None, after: Proportion | None) -> str:
    """A sentence; what was not measured is said to be that."""
    if before is None or after is None:
        return "Recall was not measured."
    return f"Recall {share_text(before)} before, {share_text(after)} after, of {after.n:,} prompts."


def share_text(found: Proportion) -> str:
    """A share with its 95% interval."""
    if found.share is None or found.low is None or found.high is None:
        return "not measured"
    return f"{found.share:.1%} ({found.low:.1%} to {found.high:.1%})"
