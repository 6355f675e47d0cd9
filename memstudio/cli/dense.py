"""`export --as dense`: a route's blocks as part of the anchor, an ordinary model folder."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from memstudio.cli import show
from memstudio.errors import UserError

if TYPE_CHECKING:
    from memstudio.export.dense_card import DenseModel
    from memstudio.facts.statistics import Proportion
    from memstudio.jobs import Job
    from memstudio.session import Session


def export_dense_model(session: "Session", out: Path, route: str | None, dtype: str | None, check: bool, job: "Job") -> "DenseModel":
    """Write the model.

    Raises:
        UserError: no route was named, or see `session.dense.export_dense`.
    """
    from memstudio.session.dense import export_dense

    if route is None:
        raise UserError("--as dense: holds the blocks of one route; name it with --route TEXT or --route 3/1339")
    return export_dense(session, out, route, dtype=dtype, check=check, job=job)


def report_dense(done: "DenseModel", study: Path | None, json: bool) -> None:
    """What was written, for people or as JSON."""
    before, after = done.recall_before, done.recall_after
    if json:
        payload = {field.name: getattr(done, field.name) for field in dataclasses.fields(done)}
        recalls = {"recall_before": before and before.json(), "recall_after": after and after.json()}
        show.print_json({**payload, **recalls, "study": study})
        return
    route = " › ".join(map(str, done.route))
    show.say(f"{done.path}: the anchor with the blocks of {route}, {show.size(done.bytes)}; revision {done.revision}")
    show.say(f"  MLPs {done.inner[0]:,} neurons wide before, {done.inner[1]:,} now")
    for block in done.blocks:
        if block.kind not in ("base", "blob"):
            show.say(f"  {block.chosen} is not there: {block.kind if block.held is None else f'its sibling {block.held}'} stands in")
    if done.rounded:
        show.say(f"  some numbers were rounded to {done.dtype}")
    if done.difference is None:
        show.say("  logits were not compared")
    else:
        show.say(f"  plain transformers: logits off by at most {done.difference:.1e} over {done.read} text{'s' * (done.read != 1)}")
    show.say(f"  recall on this route {_recall(before)} before, {_recall(after)} after")


def _recall(found: "Proportion | None") -> str:
    return "not measured" if found is None else f"{show.percent(found.share)} ({found.k:,} of {found.n:,})"
