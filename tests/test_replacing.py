"""A file that is replaced is whole or as it was, and what went wrong is one line."""

from pathlib import Path

import pytest

from memstudio.errors import UserError
from memstudio.replacing import replaced


def test_the_file_of_before_stands_until_the_new_one_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("before")
    with replaced(file) as part:
        part.write_text("after")
        assert file.read_text() == "before"
    assert file.read_text() == "after"
    assert [each.name for each in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("a bug"), KeyboardInterrupt()])
def test_whatever_goes_wrong_leaves_the_file_of_before_and_nothing_beside_it(tmp_path: Path, error: BaseException) -> None:
    file = tmp_path / "a.csv"
    file.write_text("before")
    said = UserError if isinstance(error, OSError) else type(error)

    def fail(part: Path) -> None:
        part.write_text("half")
        raise error

    with pytest.raises(said), replaced(file) as part:
        fail(part)
    assert file.read_text() == "before"
    assert [each.name for each in tmp_path.iterdir()] == ["a.csv"]


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    words = r"a\.csv: cannot be written \(No such file or directory\): choose another place"
    with pytest.raises(UserError, match=words), replaced(tmp_path / "none" / "a.csv") as part:
        part.write_text("x")
