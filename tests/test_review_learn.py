"""Site rules from edits: they say what the edits said of the edited stacks, and nothing new of any other."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from reviewmaker import of, plan, rows, small_trial, write_edited
from stackmaker import axial, write_series

from trialbids.exporter.deidentify.key import load_or_make_key
from trialbids.exporter.pipeline import learn_from
from trialbids.exporter.review.learn import Learned
from trialbids.exporter.trial import Trial, load_trial


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    made = small_trial(tmp_path)
    plan(made)
    return made


def learn(trial: Trial, changes: dict[tuple[str, str], str]) -> Learned:
    folder = trial.work.parent
    made = plan(trial, write_edited(folder / "edited.csv", rows(trial), changes))
    return learn_from(made, trial, folder / "learned.yaml", load_or_make_key(trial.work))


def learned(trial: Trial) -> list[dict]:
    return yaml.safe_load((trial.work.parent / "learned.yaml").read_text())


def test_one_rule_stands_for_all_edits_of_one_description(trial: Trial) -> None:
    mysteries = of(rows(trial), "mystery")
    found = learn(trial, {(s, "sequence"): "T1w" for s in mysteries})
    (rule,) = learned(trial)
    assert rule["when"] == {"description": "mystery"} and rule["votes"] == {"sequence": "T1w"}
    assert rule["reason"] == "learned from 3 edits of the plan"
    assert (found.n_rules, found.reproduced, found.wanted, found.others, found.left) == (1, 3, 3, (), ())


def test_the_rules_alone_give_the_edited_plan(trial: Trial) -> None:
    folder, mysteries = trial.work.parent, of(rows(trial), "mystery")
    learn(trial, {(s, "sequence"): "T1w" for s in mysteries} | {(s, "plane"): "sag" for s in of(rows(trial), "t2 sag")})
    edited = {row["stack_id"]: row for row in rows(trial)}
    (folder / "trial.yaml").write_text((folder / "trial.yaml").read_text() + "rules: [learned.yaml]\n")
    again = load_trial(folder / "trial.yaml")
    assert learn_from(plan(again), again, folder / "second.yaml", load_or_make_key(trial.work)).n_rules == 0
    for name in ("edits.tsv", "edits.count"):
        (trial.work / name).unlink()
    plan(load_trial(folder / "trial.yaml"))
    for row in rows(trial):
        assert row["edited"] == ""
        for name in ("sequence", "plane", "decision", "bids_path"):
            assert row[name] == edited[row["stack_id"]][name]


def test_a_rule_is_narrowed_until_it_holds_for_nothing_that_nobody_edited(trial: Trial, tmp_path: Path) -> None:
    other = {"PatientID": "P3", "PatientName": "P3", "StudyInstanceUID": "2.25.377", "SeriesInstanceUID": "2.25.31"}
    dark = {"RepetitionTime": None, "EchoTime": None, "ScanningSequence": "", "SeriesDescription": "mystery"}
    write_series(tmp_path / "incoming" / "P3", axial(3), Manufacturer="GE", **other, **dark)
    mysteries = of(rows(trial), "mystery")
    plan(trial)
    found = learn(trial, {(s, "sequence"): "T1w" for s in mysteries})
    (rule,) = learned(trial)
    assert rule["when"] == {"description": "mystery", "vendor": "siemens"}
    assert (found.reproduced, found.wanted, found.others) == (3, 3, ())


def test_what_cannot_be_told_apart_becomes_no_rule_and_is_said(trial: Trial) -> None:
    twins = of(rows(trial), "mystery")
    found = learn(trial, {(twins[0], "sequence"): "T1w"})
    assert found.n_rules == 0 and not (trial.work.parent / "learned.yaml").exists()
    assert "1 × sequence = T1w, described as 'mystery': nothing in the header tells them from" in found.left[0]


def test_decisions_and_numbers_become_no_rule_and_are_said(trial: Trial) -> None:
    (stack, _), mysteries = of(rows(trial), "t2 sag"), of(rows(trial), "mystery")
    changes = {(stack, "decision"): "exclude", (stack, "echo_index"): "2", (stack, "derived"): "mip"}
    found = learn(trial, changes | {(s, "sequence"): "FLAIR" for s in mysteries})
    assert [s.split(":")[0] for s in found.left[:2]] == ["1 × decision", "1 × echo_index"]
    assert (found.reproduced, found.wanted) == (3 + ("derived" in str(learned(trial))), 4)


def test_a_rule_holds_against_another_rule_of_the_site(trial: Trial) -> None:
    folder = trial.work.parent
    (folder / "own.yaml").write_text(
        "- {id: own, reason: ours, when: {vendor: siemens}, votes: {sequence: T2w}, weight: 150}\n"
    )
    (folder / "trial.yaml").write_text((folder / "trial.yaml").read_text() + "rules: [own.yaml]\n")
    again = load_trial(folder / "trial.yaml")
    plan(again)
    found = learn(again, {(s, "sequence"): "FLAIR" for s in of(rows(again), "mystery")})
    assert (found.reproduced, found.wanted) == (3, 3)
    assert learned(again)[0]["weight"] > 150


def test_a_rule_that_cannot_win_is_not_written_and_its_edits_are_named(trial: Trial) -> None:
    folder = trial.work.parent
    (folder / "own.yaml").write_text(
        "- {id: own, reason: ours, when: {said: t2}, votes: {sequence: T2w}, weight: 100000}\n"
    )
    (folder / "trial.yaml").write_text((folder / "trial.yaml").read_text() + "rules: [own.yaml]\n")
    again = load_trial(folder / "trial.yaml")
    plan(again)
    sagittal, mysteries = of(rows(again), "t2 sag"), of(rows(again), "mystery")
    flair = {(s, "sequence"): "FLAIR" for s in sagittal}
    found = learn(again, flair | {(s, "sequence"): "T1w" for s in mysteries})
    assert [rule["votes"] for rule in learned(again)] == [{"sequence": "T1w"}]
    assert (found.n_rules, found.reproduced, found.wanted) == (1, 3, 5)
    assert {(m.stack_id, m.attribute, m.value, m.given) for m in found.missed} == {
        (s, "sequence", "FLAIR", "T2w") for s in sagittal
    }
    (sentence,) = found.left
    assert sentence.startswith("2 × sequence = FLAIR: a rule for ") and "would be outvoted" in sentence
    (folder / "learned.yaml").unlink()
    found = learn(again, {(s, "sequence"): "unknown" for s in mysteries})
    assert (found.n_rules, found.reproduced, found.wanted) == (0, 0, 2)
    assert not (folder / "learned.yaml").exists()


def test_the_file_says_how_it_is_overwritten(trial: Trial) -> None:
    learn(trial, {(s, "sequence"): "T1w" for s in of(rows(trial), "mystery")})
    text = (trial.work.parent / "learned.yaml").read_text()
    assert "refuses to overwrite it, unless --force is given" in text


def test_an_edit_that_contradicts_a_rule_of_the_site_is_left_and_both_are_named(trial: Trial) -> None:
    folder = trial.work.parent
    (folder / "own.yaml").write_text(
        "- {id: own, reason: ours, when: {description: mystery}, votes: {sequence: T2w}}\n"
    )
    (folder / "trial.yaml").write_text((folder / "trial.yaml").read_text() + "rules: [own.yaml]\n")
    again = load_trial(folder / "trial.yaml")
    plan(again)
    found = learn(again, {(s, "sequence"): "FLAIR" for s in of(rows(again), "mystery")})
    assert found.n_rules == 0
    assert "3 × sequence = FLAIR: " in found.left[0] and "own.yaml" in found.left[0]


def test_the_ids_of_rules_leave_with_images_and_give_nothing_away(trial: Trial) -> None:
    learn(trial, {(s, "sequence"): "T1w" for s in of(rows(trial), "mystery")})
    text = (trial.work.parent / "learned.yaml").read_text()
    (rule,) = learned(trial)
    assert rule["id"].startswith("site-") and len(rule["id"]) == 13
    assert "Anna" not in text and "2026" not in text
