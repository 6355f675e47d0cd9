"""The heat map and the block card say what kind of evidence they show, and never show "not measured" as 0."""

import numpy as np
import pytest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from memstudio.bank.values import ClusterId
from memstudio.ui.measures import activity
from memstudio.ui.panels.block_panel import BlockPanel
from memstudio.ui.panels.heat_panel import OBSERVED, PROJECTED, HeatPanel, bound_of
from memstudio.ui.theme import Theme
from tests.ui.fabricated import LAYERS, ROUTE, card_view, study_view, trace

TWO = ROUTE.clusters[1]


@pytest.fixture
def heat(qtbot: QtBot, theme: Theme) -> HeatPanel:
    made = HeatPanel(theme)
    qtbot.addWidget(made)
    made.resize(640, 300)
    return made


@pytest.fixture
def block(qtbot: QtBot) -> BlockPanel:
    made = BlockPanel()
    qtbot.addWidget(made)
    made.select(TWO)
    return made


def words(block: BlockPanel) -> str:
    return "\n".join(part.text() for part in block.findChildren(QLabel) if part.isVisibleTo(block))


def test_one_colour_scale_holds_for_all_levels(heat: HeatPanel) -> None:
    made = trace()
    heat.show_trace(made)
    bounds = set()
    for place in range(3):
        heat.choose_level(place)
        assert heat.sheet is not None
        bounds.add(heat.sheet.bound)
    assert bounds == {bound_of(made.contribution)}
    assert heat.sheet.levels == (2,)
    assert heat.sheet.layers == LAYERS


def test_attribution_is_signed_and_norm_is_not(heat: HeatPanel) -> None:
    heat.show_trace(trace())
    heat.choose_kind(PROJECTED)
    assert heat.sheet is not None
    assert heat.sheet.signed
    heat.choose_kind(OBSERVED)
    assert heat.sheet is not None
    assert not heat.sheet.signed


def test_what_was_not_measured_is_hatched_grey_and_not_the_colour_of_zero(heat: HeatPanel) -> None:
    heat.show_trace(trace(measured=False))
    heat.choose_level(2)
    assert heat.sheet is not None
    assert np.isnan(heat.sheet.values).all()
    picture = heat.plot.grab().toImage()
    middle = [picture.pixelColor(x, picture.height() // 2) for x in range(picture.width() // 3, 2 * picture.width() // 3)]
    assert len({colour.name() for colour in middle}) > 1
    assert all(abs(colour.red() - colour.blue()) < 24 for colour in middle)
    assert heat.said(0, 1, 2).endswith("not measured")


def test_the_place_under_the_cursor_is_read_out_with_its_unit(heat: HeatPanel) -> None:
    made = trace()
    heat.show_trace(made)
    heat.choose_kind(OBSERVED)
    assert heat.said(1, 2, 3) == f"“d” · layer 7 · level 2: {made.norm[2, 1, 3]:.3f} × anchor"
    assert heat.plot.place_at(0.5, 0.5) == (0, 0, 0)
    assert heat.plot.place_at(3.2, 0.5) is None
    assert heat.plot.place_at(-1.0, 0.5) is None


def test_activity_leaves_out_what_was_not_measured(qtbot: QtBot) -> None:
    found = activity(trace(measured=False), (3, 9, 27))
    assert found.at(ClusterId(1, 0)) is not None
    assert found.measured == 1


def test_nothing_selected_and_nothing_traced_say_what_to_do(qtbot: QtBot, heat: HeatPanel) -> None:
    block = BlockPanel()
    qtbot.addWidget(block)
    assert "Click a cluster" in words(block)
    assert any("Run a prompt" in part.text() for part in heat.findChildren(QLabel))


def test_an_effect_is_in_nats_and_labelled_causal(block: BlockPanel) -> None:
    block.show_card(card_view())
    block.show_study(study_view(head=0))
    block.show_trace(trace())
    said = words(block)
    assert "+4.00 nats" in said
    assert "causal" in said
    assert "projected" in said
    assert "gold · Au" in said
    assert "nothing that stands out" in said


def test_a_block_that_the_prompt_did_not_fetch_has_no_effect_of_zero(block: BlockPanel) -> None:
    block.select(ClusterId(2, 0))
    block.show_trace(trace())
    assert "Not measured" in words(block)
    assert "nats" not in words(block)


def test_an_effect_of_an_older_revision_says_so(block: BlockPanel) -> None:
    block.show_study(study_view(head=1))
    block.show_trace(trace(revision=0))
    assert "the study has moved since" in words(block)


def test_the_card_lists_the_edits_of_its_block(block: BlockPanel) -> None:
    block.show_card(card_view())
    block.show_study(study_view(head=1))
    said = words(block)
    assert "Revision 1: as shipped → pruned" in said
    assert "pruned" in said


def test_a_card_of_another_block_is_dropped(block: BlockPanel) -> None:
    block.show_card(card_view(ClusterId(1, 0)))
    assert "noble metals" not in words(block)
