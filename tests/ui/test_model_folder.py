"""A model folder without a bank: known for what it is, opened from the shell, and a picture of it says what to do instead."""

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from memstudio.cli import main
from memstudio.ui.build_errands import is_model_folder
from tests.tiny import make_anchor


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_anchor(tmp_path / "small")


def test_a_folder_is_a_models_only_with_configuration_and_weights_and_no_bank(model: Path, tmp_path: Path) -> None:
    assert is_model_folder(model)
    assert not is_model_folder(tmp_path)
    (model / "bank.json").write_text("{}")
    assert not is_model_folder(model)
    assert not is_model_folder(model / "config.json")
    assert not is_model_folder(tmp_path / "absent")


@pytest.mark.parametrize("verb", [["open"], []])
def test_the_shell_opens_the_window_on_a_model_folder(verb: list[str], model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("memstudio.ui.app.run_window", lambda path, **_: asked.append(path) or 0)
    assert main([*verb, str(model)]) == 0
    assert asked == [str(model)]


def test_a_picture_of_a_model_folder_says_what_to_do_instead(
    model: Path, tmp_path: Path, qtbot: QtBot, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["open", str(model), "--screenshot", str(tmp_path / "picture.png")]) == 2
    assert "memstudio build --anchor" in capsys.readouterr().err
