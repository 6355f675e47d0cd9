"""An export is timed beside cp of the same files, its memory is that of a process of its own, and nothing is left behind."""

import json
from pathlib import Path

import pytest

from memstudio.bench.exporting import ExportSpeed, measure_exports, shape_of
from memstudio.errors import UserError
from memstudio.jobs import Job


def test_figures_are_measured_and_the_disk_is_as_before(tmp_path: Path) -> None:
    whole, codes = measure_exports(7 * 10**6, ("bank", "int8"), tmp_path, Job("bench"), rounds=1)
    assert (whole.precision, codes.precision) == ("bank", "int8")
    assert 7e6 < whole.bytes < whole.written_bytes < 1.2 * whole.bytes, "the plan is written beside the blocks"
    assert codes.written_bytes < 0.8 * whole.written_bytes
    for each in (whole, codes):
        assert min(each.write_s, each.read_back_s, each.copy_s) > 0
        assert each.of_copy == pytest.approx(each.copy_s / each.write_s)
        if each.peak_bytes is not None and each.idle_bytes is not None:
            assert each.idle_bytes <= each.peak_bytes < each.idle_bytes + 500e6
    assert not list(tmp_path.iterdir())


def test_a_bank_has_about_the_bytes_that_were_asked_for() -> None:
    for size in (10**9, 2 * 10**9, 9 * 10**9):
        assert 0.8 * size < 2 * shape_of(size).parameters < 1.2 * size
    assert json.dumps(ExportSpeed("bank", 1, 1, 2.0, 1.0, 1.0, 3, True, None, None).json()), "what is not known is null"


def test_no_room_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the disk has [\d,]+: measure fewer"):
        measure_exports(10**16, ("bank",), tmp_path, Job("bench"))
