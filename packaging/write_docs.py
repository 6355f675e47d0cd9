"""Writes what of the documents says what the code or a measurement says: docs/shell.md from the verbs, docs/commands.md from the actions,
docs/images/speed-size.svg from the committed figures.

    python packaging/write_docs.py            writes them
    python packaging/write_docs.py --check    says which of them differs, and leaves with 1
"""

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import typer

DOCS = Path(__file__).parents[1] / "docs"
RESULTS = DOCS.parent / "tests" / "benchmarks" / "results" / "cpu.json"


def shell_page() -> str:
    """Every verb with its arguments and options."""
    from memstudio.cli import VERBS, app

    group = typer.main.get_command(app)
    head = (
        "# Shell\n\nEvery verb of `memstudio`. BANK is a bank folder, a study folder or the word `demo`; edits go to `--study`, else to "
        "the bank's own study in your user data folder, whose path is printed. Exit status: 0 done, 1 the answer is no, 2 bad input, with "
        "one line that says what and where. `--json` prints what a script needs; the keys stand in ARCHITECTURE.md.\n"
    )
    verbs: dict[str, object] = getattr(group, "commands")  # noqa: B009  # typer's own group, which names no type for it
    return head + "".join(_verb(name, verbs[name]) for name in VERBS)


def _verb(name: str, verb: object) -> str:
    words = inspect.cleandoc(str(getattr(verb, "help", "") or "")).replace("\n", " ")
    params = list(getattr(verb, "params", ()))
    arguments = [each for each in params if each.param_type_name == "argument"]
    options = [each for each in params if each.param_type_name == "option"]
    usage = " ".join(["memstudio", name, *(_metavar(each) for each in arguments)])
    rows = [f"| `{_metavar(each)}` | {_cell(each.help)} |" for each in arguments]
    rows += [f"| {_names(each)} | {_cell(each.help)}{_default(each)} |" for each in options if not each.hidden]
    table = "\n| | |\n|---|---|\n" + "\n".join(rows) + "\n" if rows else ""
    return f"\n## {name}\n\n{words}\n\n```sh\n{usage}\n```\n{table}"


def _metavar(argument: object) -> str:
    name = str(getattr(argument, "metavar", None) or getattr(argument, "name", "")).upper()
    return name if getattr(argument, "required", True) or name.startswith("[") else f"[{name}]"


def _names(option: object) -> str:
    metavar = getattr(option, "metavar", None)
    value = f" {metavar}" if metavar and not getattr(option, "is_flag", False) else ""
    return " ".join(f"`{one}{value}`" for one in getattr(option, "opts", ()))


def _default(option: object) -> str:
    shown = getattr(option, "show_default", True)
    default = getattr(option, "default", None)
    if shown is False or default in (None, False, "", ()) or callable(default) or not isinstance(default, str | int | float):
        return f" (default: {shown})" if isinstance(shown, str) else ""
    return f" (default: {shown if isinstance(shown, str) else default})"


def _cell(text: str | None) -> str:
    return re.sub(r"\s+", " ", text or "").replace("|", "\\|").strip()


def commands_page() -> str:
    """Every action of the window, menu by menu."""
    from memstudio.ui.actions import ACTIONS, MENUS

    lines = [
        "# Commands of the window\n",
        "Every command stands in a menu and in the palette (Ctrl+Shift+P), which finds it by a few letters and says why it is disabled.",
    ]
    for menu in MENUS:
        lines += [f"\n## {menu}\n", "| command | keys | what it does |", "|---|---|---|"]
        mine = sorted((each for each in ACTIONS if each.menu == menu), key=lambda each: each.group)
        for each in mine:
            keys = ", ".join(f"`{key}`" for key in each.shortcuts)
            lines.append(f"| {each.text.replace('&', '')} | {keys} | {_cell(each.tip)} |")
    return "\n".join(lines) + "\n"


def size_picture() -> str:
    """What a bank's size costs, as it was measured on two CPU cores."""
    from memstudio.bench.speed.results import read
    from memstudio.bench.speed.size_picture import size_svg

    return size_svg(read(RESULTS)["measures"]["size"]["figures"])


def pages() -> Iterator[tuple[Path, str]]:
    yield DOCS / "shell.md", shell_page()
    yield DOCS / "commands.md", commands_page()
    yield DOCS / "images" / "speed-size.svg", size_picture()


def main() -> int:
    stale = [page for page, text in pages() if not page.is_file() or page.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv:
        for page in stale:
            sys.stderr.write(f"{page.name} differs from the code: run python packaging/write_docs.py\n")
        return 1 if stale else 0
    for page, text in pages():
        page.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
