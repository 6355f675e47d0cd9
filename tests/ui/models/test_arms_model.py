"""A's tokens under every arm as a table: what is there while the arms answer and once A's answer was weighed; as text and as CSV."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QAbstractItemModelTester

from memstudio.anchor.values import Token
from memstudio.session.arm_wish import NO_MEMORY, SHIPPED, THIS, ArmWish
from memstudio.session.arms import Standing, Weighed
from memstudio.ui.models.arms_model import ArmsModel, ForcedRole, GapRole, PartsRole
from memstudio.ui.models.arms_sheet import ArmsSheet
from memstudio.ui.models.csv_file import write_csv
from memstudio.ui.models.roles import ExactRole

ROLE = Qt.ItemDataRole


def stand(*wishes: ArmWish) -> tuple[Standing, ...]:
    return tuple(Standing(wish, 1, (), number) for number, wish in enumerate(wishes))


def token(at: int, text: str, logprob: float) -> Token:
    return Token(at, sum(map(ord, text)), text, logprob, 1, 0.0)


@pytest.fixture
def model(qapp: object) -> ArmsModel:
    """A says “79 it is”, B “79 we are”, C “47”."""
    made = ArmsModel()
    QAbstractItemModelTester(made, QAbstractItemModelTester.FailureReportingMode.Fatal)
    made.begin(stand(THIS, SHIPPED, NO_MEMORY))
    for at, said in enumerate(
        (((" 79", -0.5), (" 79", -1.5), (" 47", -0.1)), ((" it", -1.0), (" we", -0.2)), ((" is", -0.3), (" are", -0.4)))
    ):
        for arm, (text, logprob) in enumerate(said):
            made.add(arm, token(at, text, logprob))
    return made


def shown(model: ArmsModel) -> list[list[object]]:
    return [[model.index(row, at).data() for at in range(model.columnCount())] for row in range(model.rowCount())]


def weighed(model: ArmsModel, *rows: list[float]) -> None:
    model.weigh(Weighed(0, tuple(each.text for each in model.answers[0]), np.array(rows, np.float32)))


def test_while_they_answer_only_what_they_share_is_measured(model: ArmsModel) -> None:
    assert shown(model) == [["−0.50", "−1.00", "−0.30"], ["−1.00", "–", "–"], ["–", "–", "–"]]
    assert [model.headerData(at, Qt.Orientation.Horizontal) for at in range(3)] == ["79", "it", "is"]
    assert [model.headerData(at, Qt.Orientation.Vertical) for at in range(3)] == ["A  log p", "B  Δ log p", "C  Δ log p"]
    assert [model.parts_at(arm) for arm in range(3)] == [None, 1, 0]


def test_once_weighed_every_token_has_a_figure_under_every_arm(model: ArmsModel) -> None:
    weighed(model, [-0.5, -1.0, -0.3], [-1.5, -4.0, -0.3], [-6.5, -1.0, -0.25])
    assert shown(model)[1:] == [["−1.00", "−3.00", "0"], ["−6.00", "0", "+0.05"]]
    assert model.bound == pytest.approx(6.0)
    assert [model.index(1, at).data(PartsRole) for at in range(3)] == [False, True, False]
    assert [model.index(1, at).data(ForcedRole) for at in range(3)] == [False, False, True]
    assert model.index(0, 0).data(GapRole) is None
    assert model.index(2, 0).data(GapRole) == pytest.approx(-6.0)


def test_differences_below_a_nat_do_not_reach_the_end_of_the_scale(model: ArmsModel) -> None:
    weighed(model, [-0.5, -1.0, -0.3], [-0.5, -1.0001, -0.3], [-0.5, -1.0, -0.3])
    assert model.bound == 1.0


def test_an_infinite_difference_keeps_the_scale_finite(model: ArmsModel) -> None:
    weighed(model, [-0.5, -1.0, -0.3], [-math.inf, -1.0, -0.3], [-2.5, -1.0, -0.3])
    assert model.bound == pytest.approx(2.0)


def test_the_card_of_a_token_says_what_every_arm_gives_it_and_which_part_there(model: ArmsModel) -> None:
    weighed(model, [-0.5, -1.0, -0.3], [-1.5, -4.0, -0.3], [-6.5, -1.0, -0.25])
    tip = model.index(0, 1).data(ROLE.ToolTipRole)
    assert "token 1 of A: “it”" in tip
    assert "B as shipped: log p −4.000, p 0.018, Δ −3.000; parts here with “we”" in tip
    assert "C no memory: log p −1.000" in tip
    assert "parts here" not in tip.split("C no memory")[1]


def test_an_answer_that_ends_first_parts_where_it_ends_once_all_have_ended(qapp: object) -> None:
    model = ArmsModel()
    model.begin(stand(THIS, SHIPPED))
    model.add(0, token(0, " 79", -0.5))
    model.add(1, token(0, " 79", -0.5))
    model.add(0, token(1, " it", -0.5))
    assert model.parts_at(1) is None
    model.end()
    assert model.parts_at(1) == 1


def test_the_table_is_written_with_all_figures_and_no_formula(model: ArmsModel, tmp_path: Path) -> None:
    weighed(model, [-0.5, -1.0, -0.3], [-1.5, -4.0, -0.3], [-6.5, -1.0, -0.25])
    sheet = model.sheet()
    assert write_csv(tmp_path / "arms.csv", sheet.header(), sheet.lines()) == 3
    rows = list(csv.reader((tmp_path / "arms.csv").read_text(encoding="utf-8").splitlines()))
    assert rows[0][:4] == ["token", "text", "log p: this revision", "log p: as shipped"]
    assert rows[0][-1] == "Δ log p: no memory − this revision"
    assert rows[2] == ["1", " it", "-1", "-4", "-1", "-3", "0"]
    assert model.sheet().text().splitlines()[1].split("\t")[1] == " 79"
    odd = ArmsSheet(("a", "b"), (("=1+1", (None, -1.0)),))
    write_csv(tmp_path / "formula.csv", odd.header(), odd.lines())
    assert list(csv.reader((tmp_path / "formula.csv").read_text(encoding="utf-8").splitlines()))[1] == ["0", "'=1+1", "", "-1", ""]
    assert model.index(2, 0).data(ExactRole) == pytest.approx(-6.0)


def test_ten_thousand_cells_are_filled_without_looking_back(qapp: object) -> None:
    model = ArmsModel()
    model.begin(stand(*(ArmWish(revision=at) for at in range(5))))
    for at in range(2000):
        for arm in range(5):
            model.add(arm, token(at, " a", -0.5 - arm / 8))
    assert model.bound == 1.0
    assert model.index(4, 1999).data() == "−0.50"
