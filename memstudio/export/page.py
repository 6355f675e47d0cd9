"""The one page of an evidence folder, for people: no script, nothing loaded from elsewhere, every string escaped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from memstudio.export.evidence import NORMS, PAGE, PICTURES, SHARES, Evidence, Said
from memstudio.facts.receipt import NAMES
from memstudio.facts.statistics import Proportion

_STYLE = """
:root { color-scheme: light dark; --ink: #1d2330; --soft: #5a6474; --line: #d5dae2; --paper: #fff; --mark: #2563c9; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #9aa5b5; --line: #363d4a; --paper: #171b22; --mark: #7db0ff; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; } th { color: var(--soft); font-weight: 500; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td { overflow-wrap: anywhere; }
pre { font: .9em ui-monospace, monospace; }
pre { overflow-x: auto; } img { max-width: 100%; } .soft { color: var(--soft); }
"""
_SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 {height}" width="720" height="{height}" role="img" aria-label="{label}">
<style>text {{ font: 13px system-ui, sans-serif; fill: #1d2330; }} .soft {{ fill: #5a6474; }} .line {{ stroke: #d5dae2; }}
.mark {{ stroke: #2563c9; fill: #2563c9; }}
@media (prefers-color-scheme: dark) {{ text {{ fill: #e6e9ef; }} .soft {{ fill: #9aa5b5; }} .line {{ stroke: #363d4a; }}
.mark {{ stroke: #7db0ff; fill: #7db0ff; }} }}</style>
{body}
</svg>
"""
_HOW = (
    "measured against the bank as shipped, by free greedy generation. Every share comes with its count and its 95% Wilson interval; "
    "what was not measured is said so."
)
_ROW, _LEFT, _WIDE = 28, 210, 380
_MOST = 40


def write_page(folder: Path, evidence: Evidence) -> None:
    """index.html and the pictures that it shows."""
    (folder / PICTURES).mkdir()
    for name, raw in drawn(evidence).items():
        (folder / name).write_bytes(raw)


def drawn(evidence: Evidence) -> dict[str, bytes]:
    """Page and pictures by path: the same evidence gives the same bytes, whatever files it lists."""
    receipt = evidence.receipt.model_dump(mode="json")
    found = {PAGE: page(evidence), f"{PICTURES}/{SHARES}": shares_picture(receipt), f"{PICTURES}/{NORMS}": norms_picture(receipt)}
    return {name: text.encode() for name, text in found.items()}


def page(evidence: Evidence) -> str:
    """The page as HTML."""
    receipt, bank = evidence.receipt.model_dump(mode="json"), evidence.bank
    shares = [(name.replace("_", " "), *_counted(receipt, name)) for name in NAMES]
    steps = [(step.number, step.title, _shares(step.shares), "; ".join(step.broken) and f"{'; '.join(step.broken)}: {step.reason}")
             for step in evidence.revisions]  # fmt: skip
    prompts = [(asked.prompt, asked.before.text, asked.after.text) for asked in evidence.prompts]
    tokens = [(asked.prompt, _tokens(asked.before), _tokens(asked.after)) for asked in evidence.prompts]
    gone = [(row.fact[:12] + "…", *(f"{p:.4f}" for p in (row.alone, row.before, row.after, row.limit))) for row in evidence.taken_down]
    parts = [
        f"<h1>What was changed in {escape(bank.name)}</h1>",
        f'<p class="soft">Bank {escape(bank.digest)}, revision {evidence.revision} of a study of it; {_HOW}</p>',
        f'<p><img src="{PICTURES}/{SHARES}" alt="Shares with their intervals"></p>',
        _table("What it did", ("", "share", "count", "95% interval", "protocol"), shares),
        _table("Revisions", ("number", "what", "as measured then (not checked again)", "went on against the gate"), steps),
        _table("Prompts", ("prompt", "before", "after"), prompts),
        _table("Likeliest next tokens, with the natural logarithm of p", ("prompt", "before", "after"), tokens),
        _table("Edited facts", ("prompt", "before", "after"), _answers(receipt.get("answers"))),
        _table("Answers beside them that changed", ("prompt", "before", "after"), _answers(receipt.get("changed"))),
        _table("Taken down, by digest", ("fact", "p without memory", "p before", "p after", "limit"), gone),
        f'<h2>Blocks</h2><p><img src="{PICTURES}/{NORMS}" alt="Norm of the difference of each changed block"></p>',
        _table("Measured with", ("", ""), [(name, value) for name, value in evidence.environment.model_dump().items()]),
        f"<h2>Check it</h2><pre>{escape(chr(10).join(map(_text, evidence.commands)))}</pre>",
    ]
    title = f"Evidence: {escape(bank.name)}, revision {evidence.revision}"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src 'self' file:; style-src 'unsafe-inline'\">"
        f"<title>{title}</title><style>{_STYLE}</style></head>\n<body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def shares_picture(receipt: Mapping[str, Any]) -> str:
    """Each measured share as a dot on 0 to 1 with its 95% interval, as SVG."""
    rows = []
    for name in NAMES:
        found = counted(receipt, name)
        if found is not None and found.share is not None and found.low is not None and found.high is not None:
            rows.append((name.replace("_", " "), found.share, found.low, found.high, found.n))
    body = []
    for number, (name, share, low, high, n) in enumerate(rows):
        y = _ROW * number + _ROW // 2 + 6
        at = [_LEFT + value * _WIDE for value in (low, high, share)]
        body.append(
            f'<text x="{_LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(name)}</text>'
            f'<line class="line" x1="{_LEFT}" x2="{_LEFT + _WIDE}" y1="{y}" y2="{y}"/>'
            f'<line class="mark" stroke-width="3" x1="{at[0]:.1f}" x2="{at[1]:.1f}" y1="{y}" y2="{y}"/>'
            f'<circle class="mark" cx="{at[2]:.1f}" cy="{y}" r="5"/>'
            f'<text class="soft" x="{_LEFT + _WIDE + 16}" y="{y + 4}">{share:.3f}, n {n:,}</text>'
        )
    foot = _ROW * len(rows) + 24
    ends = ((_LEFT, "start", 0), (_LEFT + _WIDE, "end", 1))
    body += [f'<text class="soft" x="{x}" y="{foot}" text-anchor="{anchor}">{value}</text>' for x, anchor, value in ends]
    return _SVG.format(height=foot + 10, label="Shares with their 95% intervals", body="\n".join(body))


def norms_picture(receipt: Mapping[str, Any]) -> str:
    """The norm of the difference of each changed block as a bar, level by level and the largest first, as SVG."""
    found = receipt.get("digests")
    rows = [row for row in found if isinstance(row, dict) and isinstance(row.get("norm"), int | float)] if isinstance(found, list) else []
    left = len(rows) - _MOST
    rows = sorted(sorted(rows, key=lambda row: -row["norm"])[:_MOST], key=lambda row: (_level(row), -row["norm"]))
    most = max((row["norm"] for row in rows), default=0) or 1
    body = []
    for number, row in enumerate(rows):
        y = _ROW * number + 8
        body.append(
            f'<text x="{_LEFT - 12}" y="{y + 14}" text-anchor="end">{escape(str(row.get("cluster"))[:20])}</text>'
            f'<rect class="mark" stroke="none" x="{_LEFT}" y="{y + 3}" width="{max(1, row["norm"] / most * _WIDE):.1f}" height="14"/>'
            f'<text class="soft" x="{_LEFT + _WIDE + 16}" y="{y + 14}">{row["norm"]:.4g}</text>'
        )
    foot = _ROW * len(rows) + 24
    words = f"and {left} more blocks" if left > 0 else "L2 norm of the difference, in float32" if rows else "no block was measured"
    body.append(f'<text class="soft" x="{_LEFT}" y="{foot}">{words}</text>')
    return _SVG.format(height=foot + 10, label="Norm of the difference of each changed block", body="\n".join(body))


def counted(receipt: Mapping[str, Any], name: str) -> Proportion | None:
    """What a receipt counted under a name; None where it did not, or where it is not to be read."""
    counts = receipt.get("proportions")
    found = counts.get(name) if isinstance(counts, Mapping) else None
    if not isinstance(found, Mapping):
        return None
    k, n = found.get("k"), found.get("n")
    if not isinstance(k, int) or not isinstance(n, int) or isinstance(k, bool) or isinstance(n, bool):
        return None
    return Proportion(k, n) if 0 <= k <= n < 1 << 53 else None


def _counted(receipt: Mapping[str, Any], name: str) -> tuple[str, str, str, str]:
    found = counted(receipt, name)
    if found is None or found.share is None or found.low is None or found.high is None:
        return "not measured", "", "", ""
    counts = receipt["proportions"][name]
    return f"{found.share:.3f}", f"{found.k} of {found.n}", f"{found.low:.3f} to {found.high:.3f}", str(counts.get("protocol", ""))


def _shares(shares: Mapping[str, tuple[int, int]]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {k} of {n}" for name, (k, n) in sorted(shares.items())) or "not measured"


def _level(row: Mapping[str, Any]) -> int:
    return int(str(row["cluster"]).partition("/")[0])


def _tokens(said: Said) -> str:
    return ", ".join(f"“{likely.text}” {likely.logprob:.3f}" for likely in said.top)


def _answers(rows: object) -> list[tuple[str, ...]]:
    known = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return [tuple(str(row.get(key, "")) for key in ("prompt", "before", "after")) for row in known]


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table under its title; nothing where there are no rows."""
    lines = ["".join(f"<td>{escape(_text(value))}</td>" for value in row) for row in rows]
    if not lines:
        return ""
    names = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return f"<h2>{escape(title)}</h2>\n<table><thead><tr>{names}</tr></thead><tbody>\n{body}\n</tbody></table>"


def _text(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return "".join(letter if letter.isprintable() else " " for letter in text)
