"""Other people's harness runs on a bank unmodified: a task of lm-evaluation-harness on local data, no network, in a process of its own."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from memstudio import paths

TASK = """
task: capitals
dataset_path: json
dataset_kwargs: {data_files: {test: DATA}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{prompt}}"
doc_to_choice: "{{choices}}"
doc_to_target: "{{answer}}"
metric_list: [{metric: acc}]
"""
SAY = """
task: say
dataset_path: json
dataset_kwargs: {data_files: {test: DATA}}
test_split: test
output_type: generate_until
doc_to_text: "{{prompt}}"
doc_to_target: " {{choices[answer]}}"
generation_kwargs: {until: ["."], max_gen_toks: 12}
metric_list: [{metric: exact_match, ignore_case: true}]
"""
RUN = """
import json, sys
import torch
import memstudio
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

bank, folder = sys.argv[1:]
documents = [json.loads(line) for line in open(folder + "/data.jsonl")]
tasks = TaskManager(include_path=folder, include_defaults=False)
with memstudio.open(bank, device="cpu", readonly=True) as session:
    anchor = session.running.anchor

    def question(text):
        return next(each["prompt"] for each in documents if text.startswith(each["prompt"]))

    def evaluate(memory):
        model = session.as_transformers(memory=memory, key=question)
        harness = HFLM(pretrained=model, tokenizer=anchor.tokenizer, batch_size=7)
        found = simple_evaluate(harness, tasks=["capitals", "say"], task_manager=tasks, log_samples=True, bootstrap_iters=0)
        said = [(sample["resps"][0][0].strip(), sample["arguments"][0][0]) for sample in found["samples"]["say"]]
        return found["results"]["capitals"]["acc,none"], found["samples"]["capitals"], said

    def ours(context, continuation, memory):
        start, whole = len(anchor.encode(context)), anchor.encode(context + continuation)
        logs = session.logits(context + continuation, key=context, memory=memory).log_softmax(-1)
        return float(logs[range(start - 1, len(whole) - 1), whole[start:]].sum())

    report = {}
    for memory in ("fetched", "none"):
        accuracy, samples, said = evaluate(memory)
        pairs = [
            (float(response[0][0]), ours(*arguments, memory))
            for sample in samples
            for response, arguments in zip(sample["resps"], (tuple(each) for each in sample["arguments"]))
        ]
        answers = [(text, session.run(prompt, memory=memory).text.partition(".")[0].strip()) for text, prompt in said]
        report[memory] = {"accuracy": accuracy, "pairs": pairs, "answers": answers}
print(json.dumps(report))
"""


@pytest.mark.skipif(importlib.util.find_spec("lm_eval") is None, reason="lm_eval is not installed")
def test_a_harness_reads_and_continues_every_row_as_the_reference_path_does(tmp_path: Path) -> None:
    facts = [json.loads(line) for line in (paths.demo_bank() / "facts.jsonl").read_text().splitlines()]
    asked = [fact for fact in facts if fact["relation"] == "capital"][:16]
    answers = [fact["expected"] for fact in asked]
    with (tmp_path / "data.jsonl").open("w") as file:
        for at, fact in enumerate(asked):
            choices = list(dict.fromkeys([answers[at - 2], answers[at], answers[at - 1], answers[at - 5]]))
            line = {"prompt": fact["prompt"], "choices": choices, "answer": choices.index(fact["expected"])}
            file.write(json.dumps(line) + "\n")
    for name, task in (("capitals", TASK), ("say", SAY)):
        (tmp_path / f"{name}.yaml").write_text(task.replace("DATA", str(tmp_path / "data.jsonl")))
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_DATASETS_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", RUN, "demo", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
        env=os.environ | offline,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout.splitlines()[-1])
    for memory in ("fetched", "none"):
        pairs = report[memory]["pairs"]
        assert len(pairs) >= 60
        assert max(abs(theirs - own) for theirs, own in pairs) < 1e-4, memory
        assert len(report[memory]["answers"]) == len(asked)
        assert all(theirs == own for theirs, own in report[memory]["answers"]), report[memory]["answers"]
    assert report["fetched"]["accuracy"] == 1.0
    assert report["none"]["accuracy"] < 1.0
