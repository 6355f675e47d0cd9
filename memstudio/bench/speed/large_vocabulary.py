"""A vocabulary of 151,936 on the shape of Qwen 2.5 0.5B: what logits cost a trace with effects, the preview of an update, a scan of paths.

Each stands beside one plain forward of the same tokens, without memory and with the logits of the last token alone: the prompt with its
answer for trace and update, a batch of 16 of them for the scan. A scan runs batch by batch, so 4,096 paths take what 16 take, 256 times.
"""

from functools import partial

from memstudio.bench.speed.figure import Figure
from memstudio.bench.speed.models import lent_bank
from memstudio.bench.speed.timing import in_turn, seconds
from memstudio.jobs import Job

WIDTHS = (256, 64, 16)
SCANNED, RUN = 4_096, 16
_ROUNDS = 3


def measure(device: str, job: Job) -> list[Figure]:
    """The trace, the update and the scan."""
    import torch

    import memstudio
    from memstudio.bank.values import ClusterId
    from memstudio.editing.update import Update
    from memstudio.session.paths import along_paths

    found = []
    with lent_bank("qwen-0.5b", WIDTHS) as folder, memstudio.open(folder, device=device) as session:
        anchor, tree = session.running.anchor, session.bank.tree
        leaves = [ClusterId(3, index) for index in range(tree.count(3))]
        prompt, answer = "the atomic number of gold is", " 79"
        ids, wanted = anchor.encode(prompt), anchor.continuation(prompt, answer)
        paths = [tree.route_to(leaf) for leaf in leaves[:RUN]]

        def plain(rows: int) -> None:
            batch = torch.tensor([ids + wanted[:-1]], device=device).expand(rows, -1)
            with torch.inference_mode():
                anchor.model(input_ids=batch, logits_to_keep=1)

        def scan() -> None:
            for _ in along_paths(session.running.spare, ids, wanted, paths, session.overlay, session.blob):
                pass

        trace = partial(session.trace, prompt, route=paths[5], answer=answer)
        job.progress(0, 3)
        ours, peer = in_turn(trace, partial(plain, 1), _ROUNDS, device)
        detail = {"tokens": len(ids) + len(wanted) - 1, "vocabulary": anchor.vocabulary}
        against = "one plain forward of the same tokens"
        found.append(Figure("trace with effects, vocabulary 151,936", "s", ours, against, peer, ours / peer, None, _ROUNDS, detail))
        job.progress(1, 3)
        update = Update((session.request(prompt, answer.strip(), phrasings=[]).fact,), method="closed-form")
        ours = seconds(partial(session.plan, update), device)  # once: it takes many passes
        what = "preview of an update (closed-form), vocabulary 151,936"
        found.append(Figure(what, "s", ours, against, peer, ours / peer, None, 1, detail))
        job.progress(2, 3)
        ours, peer = in_turn(scan, partial(plain, len(paths)), _ROUNDS, device)
        each = {**detail, "paths": len(paths), f"seconds_of_{SCANNED}": ours * SCANNED / len(paths)}
        what = f"scan of {len(paths)} paths, vocabulary 151,936"
        found.append(Figure(what, "s", ours, against, peer, ours / peer, None, _ROUNDS, each))
    return found
