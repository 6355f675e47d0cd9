"""Preferences: typed, kept whole through a kill, and a file that cannot be used is kept aside with one line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from memstudio.settings import KeptLayout, Settings, read_settings, write_settings


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "new folder" / "settings.json"
    settings = Settings(theme="dark", device="cuda:1", trace_runs=False, recent=("/bänke/eins",), layout=KeptLayout(geometry="", state=""))
    write_settings(file, settings)
    assert read_settings(file) == (settings, "")
    assert [path.name for path in file.parent.iterdir()] == ["settings.json"]


def test_no_file_is_the_defaults_and_nothing_is_written(tmp_path: Path) -> None:
    assert read_settings(tmp_path / "settings.json") == (Settings(), "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "is no JSON"),
        ('{"theme": "dark"', "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "the file"),
        ('{"theme": "pink"}', "theme"),
        ('{"device": "cuda; rm"}', "device"),
        ('{"text_percent": 10000}', "text_percent"),
        ('{"cache_mb": -1}', "cache_mb"),
        ('{"cache_mb": true}', "cache_mb"),
        ('{"recent": 3}', "recent"),
        ('{"version": 2, "theme": "dark"}', "newer memstudio"),
    ],
)
def test_a_file_that_cannot_be_used_is_kept_aside_with_one_line(text: str, word: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text(text)
    settings, line = read_settings(file)
    assert settings == Settings()
    assert word in line
    assert "\n" not in line
    assert "settings.kept-1.json" in line
    assert not file.exists()
    assert (tmp_path / "settings.kept-1.json").read_text() == text


def test_bytes_that_are_no_text_are_kept_aside_too_under_a_free_name(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    (tmp_path / "settings.kept-1.json").write_text("earlier")
    file.write_bytes(b"\xff\xfe\x00")
    settings, line = read_settings(file)
    assert settings == Settings()
    assert "settings.kept-2.json" in line
    assert (tmp_path / "settings.kept-1.json").read_text() == "earlier"


def test_what_a_later_program_adds_beside_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({"version": 1, "theme": "light", "colour_of_the_moon": "blue"}))
    assert read_settings(file) == (Settings(theme="light"), "")


def test_a_kill_while_it_is_written_leaves_a_whole_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    write_settings(file, Settings(theme="dark"))
    writer = (
        "import sys; from pathlib import Path; from memstudio.settings import Settings, write_settings\n"
        "print('begun', flush=True)\n"
        "while True:\n"
        "    for theme in ('light', 'dark'): write_settings(Path(sys.argv[1]), Settings(theme=theme, recent=('x' * 2000,) * 8))\n"
    )
    for _ in range(3):
        child = subprocess.Popen([sys.executable, "-c", writer, str(file)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        for _ in range(20):
            settings, line = read_settings(file)
            assert line == ""
            assert settings.theme in ("light", "dark")
        child.kill()
        child.communicate()
        assert read_settings(file)[1] == ""
