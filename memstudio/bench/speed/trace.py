"""The trace of a prompt, all contributions, against TransformerLens' `run_with_cache` on an anchor of the same shape.

Ours runs the anchor with three fetched blocks and gives, on the host, what each block adds to the answer's logit and how large that is:
float32 [layers, levels, tokens] twice. TransformerLens' `TransformerBridge` runs the same anchor without memory, which is less work, and
gives the logits of all tokens and every activation (about 1,600 tensors); it says nothing yet of what they add to a logit.
"""

from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from memstudio.bench.speed.figure import Figure, Limit
from memstudio.bench.speed.models import lent_bank
from memstudio.bench.speed.timing import in_turn, seconds
from memstudio.errors import UserError
from memstudio.jobs import Job

if TYPE_CHECKING:
    from torch import Tensor

WIDTHS = (256, 64, 16)
TOKENS = (16, 128, 512)
_ROUNDS = 7


def measure(device: str, job: Job) -> list[Figure]:
    """A figure for each length of prompt.

    Raises:
        UserError: TransformerLens is not installed.
    """
    try:
        from transformer_lens import TransformerBridge
    except ImportError as error:
        raise UserError(f"this measures against TransformerLens ({error}): pip install 'memstudio[bench]'") from error
    import torch

    from memstudio.anchor.arm import Arm
    from memstudio.anchor.lens import Lens
    from memstudio.anchor.load import load_anchor
    from memstudio.anchor.trace import contributions, trace
    from memstudio.anchor.wish import Wish
    from memstudio.bank.bank import open_bank
    from memstudio.bank.values import ClusterId, Route

    found = []
    with lent_bank("160m", WIDTHS) as folder:
        bank = open_bank(folder)
        anchor = load_anchor(bank.anchor_dir(), device=device, dtype="float32")
        arm = Arm(bank, anchor)
        clusters = bank.tree.route_to(ClusterId(3, 21))
        arm.fetch(Wish("fetched", clusters), {}, _no_blob)
        lens, route = Lens(anchor), Route(clusters, (0.0,) * 3, ((),) * 3, (None,) * 3)
        bridge = TransformerBridge.boot_transformers(str(bank.anchor_dir()), device=device, dtype=torch.float32)
        for number, tokens in enumerate(TOKENS):
            job.progress(number, len(TOKENS))
            ids = anchor.encode(("the atomic number of gold is " * tokens)[:tokens])[:tokens]
            batch = torch.tensor([ids], device=device)
            cached = partial(_cached, bridge, batch)
            with torch.inference_mode():
                apart = float((cached()[0] - anchor.model(input_ids=batch).logits).abs().max())
            ours, peer = in_turn(partial(contributions, arm.attached, ids, lens), cached, _ROUNDS, device)
            outputs = seconds(partial(cached, names_filter=lambda name: name.endswith("hook_mlp_out")), device)
            whole = seconds(partial(trace, arm.attached, anchor.decode(ids), route, answer=" gold", lens=lens), device)
            detail = {"peer_mlp_outputs_only_s": outputs, "logits_apart": apart, "whole_trace_with_effects_s": whole}
            what = f"trace of {tokens} tokens, all contributions, 160M shape"
            limit = Limit("at least", 2.0)
            found.append(Figure(what, "s", ours, "TransformerLens run_with_cache, no memory", peer, peer / ours, limit, _ROUNDS, detail))
        arm.attached.detach()
    return found


def _cached(bridge: Any, batch: "Tensor", **keywords: object) -> Any:
    import torch

    with torch.inference_mode():
        return bridge.run_with_cache(batch, **keywords)


def _no_blob(digest: str) -> NoReturn:
    raise UserError(f"a bank as shipped has no blob {digest}")
