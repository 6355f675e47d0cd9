"""The strip and the token cursor on made tokens: what is painted, what the keys do, what the card says."""

import math
from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from memstudio.anchor.values import Lane, Token
from memstudio.ui.panels.token_card import card_html, factor_words, said_of
from memstudio.ui.panels.token_foot import TokenFoot, summary
from memstudio.ui.panels.token_strip import bound_of, share_of, strip_colours
from memstudio.ui.panels.token_view import TokenView
from memstudio.ui.scales import contrast
from memstudio.ui.theme import Theme, ThemeChoice
from tests.ui.fabricated import tokens


def measured(token: Token, gain: float, *, agrees: bool = True) -> Token:
    """A token whose log-probability is `gain` nats lower without memory, and lower still by one under the generic blocks."""
    top = ((" other", -0.2), (token.text, -2.0))
    lanes = (Lane("generic", token.logprob - gain - 1.0, top, agrees), Lane("none", token.logprob - gain, top, agrees))
    return replace(token, top=((token.text, token.logprob),), beside=lanes)


PLAIN = tokens(" gold", " is", " 79", "\n", ".")
ANSWER = (measured(PLAIN[0], 4.0, agrees=False), measured(PLAIN[1], -1.5), measured(PLAIN[2], 0.0), measured(PLAIN[3], 0.001), PLAIN[4])


@pytest.fixture
def view(qtbot: QtBot, theme: Theme) -> TokenView:
    made = TokenView(theme)
    qtbot.addWidget(made)
    made.resize(420, 200)
    made.show()
    made.show_answer("Say", ANSWER)
    made.show_bound(bound_of(ANSWER))
    return made


def colour_at(view: TokenView, place: int, down: float) -> QColor:
    """What is painted in the middle of a token, `down` pixels below the line that its bar stands on."""
    box = view.box(place)
    assert box is not None
    return view.viewport().grab().toImage().pixelColor(QPoint(round(box.center().x()), round(box.bottom() + 8 + down)))


def test_the_scale_holds_every_token_and_what_was_not_measured_has_no_place_on_it() -> None:
    assert bound_of(ANSWER) == 5.0
    assert bound_of(PLAIN) == 1.0
    assert bound_of([measured(PLAIN[0], 1e6)]) == 100.0
    assert [share_of(token, 5.0) for token in ANSWER] == [pytest.approx(0.8), pytest.approx(-0.3), 0.0, pytest.approx(0.0002), None]
    assert share_of(measured(PLAIN[0], math.inf), 5.0) == 1.0


def test_a_bar_goes_up_where_the_memory_helped_and_down_where_it_hurt(view: TokenView) -> None:
    up = colour_at(view, 0, -3)
    assert up.red() > up.blue() + 60  # orange
    assert colour_at(view, 0, 3) == colour_at(view, 2, -3) == colour_at(view, 1, -3) != up
    down = colour_at(view, 1, 1)
    assert down.blue() > down.red() + 60
    hatched = {colour_at(view, 4, down).name() for down in (-3, -2, -1, 0, 1, 2, 3)}
    assert hatched & {QColor(view._theme.tone.unmeasured).name()}


def test_what_the_memory_did_nothing_to_is_not_shaded(view: TokenView) -> None:
    def ground(place: int) -> QColor:
        box = view.box(place)
        assert box is not None
        return view.viewport().grab().toImage().pixelColor(QPoint(round(box.left()), round(box.top() + 2)))

    assert ground(2) == ground(4) != ground(0) != ground(1)


@pytest.mark.parametrize("choice", ["light", "dark"])
def test_text_can_be_read_on_every_shade(theme: Theme, choice: ThemeChoice) -> None:
    theme.choose(choice)
    ink = QColor(theme.tone.text)
    text = (ink.redF(), ink.greenF(), ink.blueF())
    worst = min(contrast(text, tuple(float(part) / 255 for part in colour)) for colour in strip_colours(theme.tone.dark))  # type: ignore[arg-type]
    theme.choose("light")
    assert worst >= 4.5


def test_arrows_go_from_token_to_token_enter_chooses_escape_leaves(view: TokenView, qtbot: QtBot) -> None:
    asked: list[object] = []
    view.token_chosen.connect(asked.append)
    for key, place in ((Qt.Key.Key_Right, 0), (Qt.Key.Key_Right, 1), (Qt.Key.Key_Left, 0), (Qt.Key.Key_Left, 0)):
        QTest.keyClick(view, key)
        assert view.cursor_at == place
    assert "token 0 “gold”" in view.accessibleDescription()
    QTest.keyClick(view, Qt.Key.Key_Return)
    assert asked == [0]
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert (view.cursor_at, asked) == (None, [0, None])
    QTest.keyClick(view, Qt.Key.Key_Left)
    assert view.cursor_at == len(ANSWER) - 1


def test_a_click_chooses_the_token_under_it_and_the_prompt_none_of_them(view: TokenView) -> None:
    asked: list[object] = []
    view.token_chosen.connect(asked.append)
    box = view.box(2)
    assert box is not None
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, box.center().toPoint())
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, QPoint(8, round(box.center().y())))
    assert asked == [2, None]


def test_a_character_of_several_tokens_is_passed_over_by_the_cursor(view: TokenView) -> None:
    view.show_answer("Say", (PLAIN[0], replace(PLAIN[1], text=""), PLAIN[2]))
    for _ in range(2):
        QTest.keyClick(view, Qt.Key.Key_Right)
    assert view.cursor_at == 2
    assert view.box(1) is None


def test_a_change_of_theme_keeps_cursor_and_frame(view: TokenView, theme: Theme) -> None:
    view.point(1)
    view.choose(2)
    theme.choose("dark")
    assert (view.cursor_at, view.chosen) == (1, 2)
    assert not view.grab().isNull()
    theme.choose("light")


def test_the_card_has_three_columns_and_says_what_was_not_measured() -> None:
    card = card_html(ANSWER[0], "fetched")
    for said in ("Fetched", "Generic", "None", "log p −0.50", "log p −5.50", "log p −4.50", "−4.00 from this run", "other"):
        assert said in card
    assert "Memory made this token 55 times likelier (+4.00 nats)" in card
    assert "Without it another token is the likeliest" in card
    bare = card_html(PLAIN[0], "fetched")
    assert bare.count("not measured") == 2
    assert "Memory made" not in bare
    assert "&lt;b&gt;" in card_html(replace(PLAIN[0], text="<b>"), "fetched")


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (math.log(2), "2.00 times likelier"),
        (-math.log(1234), "1,234 times less likely"),
        (0.001, "no likelier and no less likely"),
        (25.0, "e^25.0 times likelier"),
        (math.nan, "not measured"),
    ],
)
def test_a_gain_is_said_as_a_factor(gain: float, words: str) -> None:
    assert factor_words(gain) == words


def test_the_summary_names_the_tokens_that_the_memory_decided(qtbot: QtBot, theme: Theme) -> None:
    assert summary((), "fetched") == ""
    assert summary(ANSWER, "fetched") == "The memory decided 1 token of 4 measured: “gold” at 0."
    assert summary(ANSWER[1:3], "fetched") == "The memory decided none of 2 tokens: the likeliest is the same without it."
    assert "not measured" in summary(PLAIN, "fetched")
    assert "no memory" in summary(PLAIN, "none")
    assert said_of(ANSWER[1], "fetched").startswith("Memory made token 1 “is” 4.48 times less likely")
    foot = TokenFoot(theme)
    qtbot.addWidget(foot)
    foot.say("")
    assert foot.isHidden()
