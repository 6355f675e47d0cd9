"""The verb bench: what it is told in words."""

import pytest

from tests.cli.conftest import Shell


@pytest.mark.parametrize("size", ["much", "10%", "12"])
def test_the_size_of_an_export_is_written_in_bytes(shell: Shell, size: str) -> None:
    said = shell("bench", "export", "--size", size)
    assert said.status == 2
    assert f"--size '{size}': write" in said.err
