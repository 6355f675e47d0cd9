"""A conversation in an anchor's chat template is told from plain text, and what the user said last is its key."""

from collections.abc import Mapping, Sequence

import pytest
from jinja2 import Environment

from memstudio.anchor.turns import Render, turns_of

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
WITH_SYSTEM = "<|im_start|>system\nYou help.<|im_end|>\n" + CHATML
LLAMA = (
    "<s>{% for m in messages %}<|start|>{{ m.role }}<|end|>\n\n{{ m.content }}<|eot|>{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant<|end|>\n\n{% endif %}"
)
INST = (
    "<s>{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]{% else %}{{ m.content }}</s>{% endif %}{% endfor %}"
)
PLAIN_WORDS = "{% for m in messages %}{{ m.role }} : {{ m.content }} ; {% endfor %}{% if add_generation_prompt %}Tell me :{% endif %}"
TEMPLATES = {"chatml": CHATML, "with a system turn": WITH_SYSTEM, "llama": LLAMA, "inst": INST, "words": PLAIN_WORDS}
TALK = ("What is gold?", "A metal.", "And its symbol,\nin short?")


def rendering(template: str) -> Render:
    made = Environment(trim_blocks=False).from_string(template)
    return lambda messages: made.render(messages=messages, add_generation_prompt=True)


def messages(*texts: str) -> Sequence[Mapping[str, str]]:
    return [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(texts)]


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_key_of_a_conversation_is_what_the_user_said_last(name: str) -> None:
    render = rendering(TEMPLATES[name])
    turns = turns_of(render)
    whole = render(messages(*TALK))
    assert turns.carried(whole)
    assert turns.last(whole) == TALK[2]
    assert turns.last(render(messages(TALK[0]))) == TALK[0]
    assert turns.whole(whole) == whole


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_conversation_without_what_the_template_adds_is_read_as_the_template_writes_it(name: str) -> None:
    render = rendering(TEMPLATES[name])
    turns = turns_of(render)
    whole = render(messages(*TALK))
    bare = whole.removeprefix(turns.lead).removesuffix(turns.after)
    assert bare.endswith(TALK[2])
    assert turns.last(bare) == TALK[2]
    assert turns.whole(bare) == whole


@pytest.mark.parametrize("name", TEMPLATES)
def test_plain_text_carries_no_turns_and_is_its_own_key(name: str) -> None:
    turns = turns_of(rendering(TEMPLATES[name]))
    for text in ("What is gold?", "The mark [INST] and <|im_start|>user\n in the middle", "Ask the user : he knows"):
        assert not turns.carried(text)
        assert turns.last(text) == text


def test_a_template_that_marks_no_turns_carries_none() -> None:
    turns = turns_of(rendering("{% for m in messages %}{{ m.content }}\n{% endfor %}"))
    assert not turns.carried("\nWhat is gold?")


def test_a_template_that_drops_a_turn_is_refused() -> None:
    with pytest.raises(ValueError, match="every turn once"):
        turns_of(rendering("{{ messages[-1].content }}"))
