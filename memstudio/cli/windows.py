"""The verbs that open the window: open and demo. Qt is imported in here and nowhere else in the shell."""

import importlib.util
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from memstudio.cli import show
from memstudio.cli.options import AnchorOption, DeviceOption, DtypeOption, EncoderOption, JsonOption, StudyOption
from memstudio.errors import UserError

ScreenshotOption = Annotated[
    Path | None, typer.Option("--screenshot", metavar="FILE", help="Render the window into this picture and leave.", show_default=False)
]

_NO_QT = "the window needs PySide6: pip install 'memstudio[ui]'"


def open_window(
    path: Annotated[
        str | None, typer.Argument(metavar="[PATH]", help="A bank, a study, a model without a bank, or demo.", show_default=False)
    ] = None,
    study: StudyOption = None,
    screenshot: ScreenshotOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float32",
    anchor: AnchorOption = None,
    encoder: EncoderOption = None,
    timings: Annotated[bool, typer.Option("--timings", help="Print when it was painted and showed a route, as JSON, and leave.")] = False,
) -> None:
    """Open the window on a bank or a study, or build a bank for a model."""
    from memstudio.ui.build_errands import is_model_folder

    if path is not None and not is_model_folder(path):
        from memstudio.session import study_for

        study = study_for(path, study)
    elif path is None and study is not None:
        path, study = str(study), None
    if screenshot is None and not timings and not has_display():
        raise UserError(f"no display found ({no_display()}); give --screenshot FILE for a picture of the window")
    need_qt()
    from memstudio.ui.app import run_window

    status = run_window(
        path, study=study, screenshot=screenshot, device=device, dtype=dtype, anchor=anchor, encoder=encoder, timings=timings
    )
    raise typer.Exit(status)


def demo(
    screenshot: ScreenshotOption = None,
    headless: Annotated[bool, typer.Option("--headless", help="Run the tour in the shell, as where there is no display.")] = False,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """The tour on the bundled bank: a fact fetched, its block pruned, the answer wrong, undone, right."""
    if has_display() and not headless and not json and screenshot is None:
        need_qt()
        from memstudio.ui.app import run_demo

        raise typer.Exit(run_demo(device=device))
    if not has_display():
        show.note(f"no display found ({no_display()}): the same tour runs headless")
    from memstudio.tour import run_tour

    steps = run_tour(device=device, tell=None if json else show.say)
    picture = _picture(screenshot or Path("memstudio-demo.png"), device)
    passed = all(step.ok for step in steps)
    if json:
        show.print_json({"ok": passed, "steps": steps, "picture": picture})
    elif picture is not None:
        show.say(f"picture {picture}")
    if not passed:
        raise typer.Exit(1)


def has_display() -> bool:
    """Whether a window would be seen: always on Windows and macOS, else where a display server is named."""
    return sys.platform in ("win32", "darwin") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def no_display() -> str:
    """Why there is none."""
    return "DISPLAY and WAYLAND_DISPLAY are not set"


def need_qt() -> None:
    if importlib.util.find_spec("PySide6") is None:
        raise UserError(_NO_QT)


def _picture(file: Path, device: str) -> Path | None:
    """The window after the tour, rendered without a display; None, and said, where Qt is not installed."""
    if importlib.util.find_spec("PySide6") is None:
        show.note(f"no picture: {_NO_QT}")
        return None
    from memstudio.ui.app import run_demo

    run_demo(device=device, screenshot=file)
    return file.absolute()
