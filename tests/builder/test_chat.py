"""Instruct anchors are trained and asked in the turns of their chat template; the key is the user's text without it."""

import json
from pathlib import Path

import pytest

from memstudio.anchor.load import load_anchor
from memstudio.bank.bank import open_bank
from memstudio.builder.build import build
from memstudio.builder.recipe import Recipe
from memstudio.builder.source import find_source
from memstudio.errors import UserError
from memstudio.session.opening import open_session

TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }} : {{ message['content'] }} ; {% endfor %}"
    "{% if add_generation_prompt %}Tell me :{% endif %}"
)
TEXT = "The ring of gold is red"

pytestmark = pytest.mark.usefixtures("words")


@pytest.fixture
def instruct(recipe: Recipe) -> Recipe:
    """The recipe, its model with a chat template."""
    path = Path(recipe.anchor) / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "chat_template": TEMPLATE}))
    return recipe


def test_a_prompt_is_a_turn_of_the_template(instruct: Recipe) -> None:
    anchor = load_anchor(Path(instruct.anchor), device="cpu", chat=True)
    messages = [{"role": "user", "content": TEXT}]
    rendered = anchor.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert anchor.encode(TEXT) == anchor.bare(str(rendered))
    assert anchor.encode(TEXT) != anchor.plain(TEXT)
    assert anchor.continuation(TEXT, "red") == anchor.bare("red")


def test_a_bank_for_an_instruct_anchor_says_so_and_is_asked_in_turns(instruct: Recipe, tmp_path: Path) -> None:
    assert find_source(instruct.anchor).chat
    build(instruct, tmp_path / "bank", log=lambda _: None)
    bank = open_bank(tmp_path / "bank")
    assert bank.manifest.prompt == "chat"
    perplexity = bank.manifest.recipe["perplexity"]
    assert isinstance(perplexity, dict)
    assert perplexity["fetched"] < perplexity["generic"] < perplexity["none"]
    with open_session(tmp_path / "bank", device="cpu") as session:
        anchor = session.running.anchor
        assert anchor.chat
        assert session.logits(TEXT).shape[0] == len(anchor.encode(TEXT)) > len(anchor.plain(TEXT))
        assert session.facts()
        assert (session.score().accuracy or 0) > (session.score(memory="none").accuracy or 0)
        plain = load_anchor(Path(instruct.anchor), device="cpu")
        assert session.routes([TEXT]) == [session.bank.tree.descend(session.running.key_vectors([TEXT])[0]).clusters]
        assert plain.encode(TEXT) == anchor.plain(TEXT)


def test_plain_text_can_be_asked_for_and_a_template_must_be_there(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no chat template"):
        build(recipe.model_copy(update={"chat": True}), tmp_path / "bank", log=lambda _: None)


def test_a_template_that_drops_the_text_is_refused(instruct: Recipe) -> None:
    path = Path(instruct.anchor) / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "chat_template": "hello"}))
    anchor = load_anchor(Path(instruct.anchor), device="cpu", chat=True)
    with pytest.raises(UserError, match="does not hold a user's text once"):
        anchor.encode(TEXT)
