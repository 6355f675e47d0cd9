"""A study that is open in another place: the window says so in one line, keeps what it has, and opens it once it is free."""

from pathlib import Path

from memstudio.ui.main_window import MainWindow
from memstudio.ui.snapshots import Wish
from tests.tiny import make_bank
from tests.ui.conftest import Act


def test_a_study_with_a_writer_is_refused_in_one_line_and_the_open_bank_stays(opened: MainWindow, settle: Act, tmp_path: Path) -> None:
    from memstudio.session import open_session

    other, study = make_bank(tmp_path / "other", seed=1), tmp_path / "theirs"
    wish = Wish(str(other), study=study, device="cpu")
    with open_session(other, study=study, device="cpu") as theirs:
        assert theirs.head == 0
        settle(lambda: opened.open_wish(wish))
        assert "open for writing in another place (process " in opened.panels.status.line.text()
        assert "\n" not in opened.panels.status.line.text()
        assert opened.studio.bank is not None
        assert opened.studio.bank.bank.folder.name != "other"
        settle(opened.run_prompt)
        assert opened.studio.run is not None
    settle(lambda: opened.open_wish(wish))
    assert opened.studio.bank.bank.folder.name == "other"
