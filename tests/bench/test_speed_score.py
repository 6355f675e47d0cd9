"""The peer of the figure of scores: a prompt by itself answers as in the batch."""

from pathlib import Path

import pytest

from memstudio.bench.speed.score import one_alone
from memstudio.jobs import Job
from memstudio.session import open_session
from memstudio.session.scoring import How, answered, prompts_for
from tests.standin import use_tiny_encoder


def test_a_prompt_by_itself_answers_as_among_all(tiny_bank: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_tiny_encoder(monkeypatch)
    with open_session(tiny_bank, device="cpu") as session:
        prompts = prompts_for(session, session.facts(), Job("score"))
        assert len({prompt.route for prompt in prompts}) > 3
        together = answered(session, prompts, How(), {}, Job("score"))
        assert [one_alone(session, prompt) for prompt in prompts] == together
