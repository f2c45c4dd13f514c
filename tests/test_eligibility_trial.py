"""Criteria as they stand in trial.yaml: what is refused, with its line."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from trialbids.exporter.errors import UsageError
from trialbids.exporter.initialise import BODY
from trialbids.exporter.select.decide import RULES
from trialbids.exporter.trial import Trial, load_trial
from trialbids.exporter.trial.eligibility import Criterion

HEAD = "sources: [incoming]\noutput: bids\nwork: work\ncriteria:\n"


def load(folder: Path, *criteria: str) -> Trial:
    """The trial with these criteria, each on a line of its own: the first is on line 5."""
    path = folder / "trial.yaml"
    path.write_text(HEAD + "".join(f"  - {{{text}}}\n" for text in criteria), encoding="utf-8")
    return load_trial(path)


def test_criteria_are_read_in_their_order_and_know_their_lines(tmp_path: Path) -> None:
    trial = load(
        tmp_path,
        "id: adult, level: subject, include: age >= 18, sentence: Adults",
        "id: whole, level: stack, exclude: \"found('G04')\", sentence: No slice is missing, unknown: include",
        "id: sharp, level: session, include: verdict == 'pass', after: conversion, sentence: Without a warning",
    )
    assert [(c.id, c.level, c.asks, c.after, c.unknown) for c in trial.criteria] == [
        ("adult", "subject", "include", "plan", "quarantine"),
        ("whole", "stack", "exclude", "plan", "include"),
        ("sharp", "session", "include", "conversion", "quarantine"),
    ]
    assert [c.reason for c in trial.criteria] == ["criterion-adult", "criterion-whole", "criterion-sharp"]
    assert "trial.yaml: line 6" in trial.criteria[1].place
    assert pickle.loads(pickle.dumps(trial.criteria[1])).place == trial.criteria[1].place


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id: Adult, level: subject, include: age > 1, sentence: a", "line 5: criteria.0.id"),
        ("id: a, level: person, include: age > 1, sentence: a", "line 5: criteria.0.level"),
        ("id: a, level: subject, sentence: a", "give either include or exclude"),
        ("id: a, level: subject, include: age > 1, exclude: age < 1, sentence: a", "give either include or exclude"),
        ("id: a, level: subject, include: age >, sentence: a", "line 5: criteria.0.include: criterion a: 'age >'"),
        ("id: a, level: subject, include: __import__('os'), sentence: a", "line 5: criteria.0.include"),
        ('id: a, level: subject, include: age > 1, sentence: "two\\nlines"', "control character"),
        ("id: a, level: subject, include: age > 1, sentence: ' '", "line 5: criteria.0.sentence"),
        ("id: a, level: subject, include: age > 1, sentence: " + "x" * 201, "line 5: criteria.0.sentence"),
        ("id: a, level: subject, include: age > 1, sentence: a, after: conversion", "goes with level session or stack"),
        ("id: a, level: series, include: age > 1, sentence: a, after: conversion", "goes with level session or stack"),
        ("id: a, level: subject, include: age > 1, sentence: a, unkown: include", "unknown key; known here: after"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        load(tmp_path, text)
    assert said in str(refused.value)
    assert "trial.yaml: line 5" in str(refused.value)


def test_an_id_stands_once(tmp_path: Path) -> None:
    one = "id: adult, level: subject, include: age >= 18, sentence: Adults"
    with pytest.raises(UsageError, match="the id adult stands twice"):
        load(tmp_path, one, one)


def test_the_template_of_a_trial_shows_criteria_and_visits_that_can_be_read() -> None:
    lines = [line.removeprefix("# ") for line in BODY.format(subject="PatientID", subject_note="", site="").split("\n")]
    start = next(n for n, line in enumerate(lines) if line == "criteria:")
    shown = yaml.safe_load("\n".join(lines[start : start + 3]))["criteria"]
    assert [Criterion(**each).id for each in shown] == ["adult", "complete"]
    assert {"visits", "baseline"} <= {line.partition(":")[0] for line in lines}


def test_a_sentence_that_leaves_with_the_flow_speaks_of_no_configuration() -> None:
    assert [rule.message for rule in RULES if "`" in rule.message] == []


def test_what_a_proof_reads_does_not_load_the_harmoniser() -> None:
    code = "import sys, trialbids.exporter.deidentify.documents; print('trialbids.exporter.harmonise' in sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
