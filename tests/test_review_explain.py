"""Why a stack is what it is: what fired, what was read, and what would change the answer, found by leaving it out."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from reviewmaker import of, plan, rows, small_trial

from trialbids.exporter.demo.generate import make_trial
from trialbids.exporter.errors import UsageError
from trialbids.exporter.harmonise import harmonise
from trialbids.exporter.harmonise.decide import abstentions
from trialbids.exporter.pipeline import instance_digest, trial_rules
from trialbids.exporter.review.explain import explain
from trialbids.exporter.review.facts import readers
from trialbids.exporter.review.find import find_stacks
from trialbids.exporter.review.report import Report, lines, report_on
from trialbids.exporter.trial import Trial, load_trial
from trialbids.mappings.facts import Facts
from trialbids.mappings.record import format_cell
from trialbids.mappings.rules import Rules, load_rules

RULES = [
    ("long", "the echo is late", {"te": {"min": 60}}, {"sequence": "T2w"}, 6.0),
    ("says", "the text says so", {"description": "t1"}, {"sequence": "T1w", "technique": "se"}, 3.0),
    ("flat", "it is flat", {"plane": "ax"}, {"sequence": "T2w"}, 0.5),
]
FACTS = Facts(modality="mr", te=(90.0,), description="t1", plane="ax")


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Rules:
    """Three rules alone, each of a theme of its own."""
    found = []
    for number, (name, reason, when, votes, weight) in enumerate(RULES):
        path = tmp_path_factory.mktemp("rules") / f"{number}.yaml"
        entry = {"id": name, "reason": reason, "when": when, "votes": votes, "weight": weight}
        path.write_text(f"- {entry!r}\n".replace("'", '"'))
        found += [replace(r, theme=name) for r in load_rules([path]).rules if r.id == name]
    return Rules(tuple(found), {})


def test_the_scores_the_winner_and_the_runner_up_stand_in_order(few: Rules) -> None:
    found = explain(FACTS, few)
    sequence = next(a for a in found.attributes if a.name == "sequence")
    assert sequence.answer == "T2w"
    assert [(s.value, s.score) for s in sequence.scores] == [("T2w", 6.5), ("T1w", 3.0)]
    assert sequence.lead == 3.5 and sequence.missing == ""
    assert [(e.rule, e.read, e.weight) for e in found.fired] == [
        ("long", (("te", "90.0"),), 6.0),
        ("says", (("description", "t1"),), 3.0),
        ("flat", (("plane", "ax"),), 0.5),
    ]


def test_what_would_change_the_answer_is_each_rule_and_each_field_that_does(few: Rules) -> None:
    found = explain(FACTS, few)
    assert {(c.kind, c.name, c.read, c.answer) for c in found.changes} == {
        ("rule", "long", "the echo is late", "T1w"),
        ("field", "te", "90", "T1w"),
    }
    both = explain(FACTS, few, ("sequence", "technique"))
    assert {(c.name, c.attribute, c.answer) for c in both.changes} >= {
        ("te", "sequence", "T1w"),
        ("description", "technique", "unknown"),
    }


def test_an_answer_that_is_not_given_says_who_leads_and_what_is_missing(few: Rules) -> None:
    tie = Rules(tuple(replace(r, weight=2.75) if r.id == "long" else r for r in few.rules if r.id != "flat"), {})
    sequence = next(a for a in explain(FACTS, tie).attributes if a.name == "sequence")
    assert sequence.answer == "unknown"
    assert [s.value for s in sequence.scores] == ["T1w", "T2w"]
    assert "T1w leads T2w by 0.25; it takes a lead of" in sequence.missing


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    made = small_trial(tmp_path_factory.mktemp("small"))
    plan(made)
    return made


def report(trial: Trial, name: str, *asked: str) -> tuple[Report, ...]:
    return report_on(trial.work, name, trial_rules(trial), asked or ("sequence",), instance_digest)


def test_the_explanation_is_of_the_decision_that_was_taken(trial: Trial) -> None:
    for row in rows(trial):
        (found,) = report(trial, row["stack_id"])
        assert found.explanation is not None
        answers = {a.name: a.answer for a in found.explanation.attributes}
        assert answers.get("sequence", "unknown") == row["sequence"]
        assert answers["plane"] == row["plane"]
        assert f"{found.explanation.confidence:.6g}" == row["confidence"]


def test_the_explanation_agrees_with_the_plan_in_every_attribute_of_every_stack(tmp_path: Path) -> None:
    demo = load_trial(make_trial(tmp_path / "demo", patients=2).configuration)
    plan(demo)
    rules = trial_rules(demo)
    left = {row["stack_id"]: row for row in rows(demo)}
    silence = {name: format_cell(value) for name, value in abstentions().items()}
    agents = set()
    while left:
        stacks = find_stacks(demo.work, next(iter(left)), instance_digest).stacks
        known = readers(stacks)
        for found in harmonise(stacks, rules):
            row = left.pop(found.stack.stack_id)
            assert {name: row[name] for name in found.record.to_row()} == found.record.to_row()
            if found.stack.is_image:
                stack, read = known[found.stack.stack_id]
                answers = silence | {a.name: a.answer for a in explain(read(stack), rules, ()).attributes}
                assert answers == {name: row[name] for name in silence}
                agents.add(answers["agent"])
    assert {"with", "without"} <= agents


def test_an_attribute_that_nothing_votes_on_is_said_to_have_no_vote(trial: Trial) -> None:
    (found,) = report(trial, of(rows(trial), "mystery")[0], "technique", "derived", "dim")
    said = list(lines(found))
    assert said[said.index("technique: unknown") + 1] == "  not answered: no rule voted on it"
    assert said[said.index("derived: (none)") + 1] == "  no rule voted on it; so it stands by default"
    assert "  technique: nothing alone gives another answer" in said


def test_a_rule_of_the_site_that_did_not_fire_is_shown_with_the_first_condition_that_fails(
    trial: Trial, tmp_path: Path
) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(
        "- {id: fires, reason: r, when: {vendor: siemens}, votes: {plane: ax}}\n"
        "- {id: late, reason: r, when: {modality: mr, te: {min: 50, max: 90}}, votes: {plane: cor}}\n"
        "- {id: other, reason: r, when: {any: [{description: t1}, {record.sequence: T1w}]}, votes: {plane: cor}}\n"
        "- {id: never, reason: r, when: {not: {modality: mr}}, votes: {plane: cor}}\n"
    )
    stack = of(rows(trial), "t2 sag")[0]
    (found,) = report_on(trial.work, stack, load_rules([path]), ["sequence"], instance_digest)
    assert found.explanation is not None
    assert [(s.rule, s.asked, s.read) for s in found.explanation.silent] == [
        ("late", '{"te": {"max": 90.0}}', "te = 101"),
        ("other", '{"any": [{"description": "t1"}, {"record.sequence": "T1w"}]}',
         "description = t2 sag, record.sequence = t2w"),
        ("never", '{"not": {"modality": "mr"}}', "modality = mr"),
    ]  # fmt: skip
    assert '  late (own.yaml, line 2): asks {"te": {"max": 90.0}} [te = 101]' in lines(found)
    (plain,) = report(trial, stack)
    assert plain.explanation is not None and plain.explanation.silent == ()


def test_what_changes_the_answer_is_named_by_its_dicom_keyword(trial: Trial) -> None:
    (found,) = report(trial, of(rows(trial), "t2 sag")[0], "sequence", "dim", "plane")
    assert found.explanation is not None
    told = {(c.name, c.attribute): c for c in found.explanation.changes}
    assert (told["MRAcquisitionType", "dim"].read, told["MRAcquisitionType", "dim"].answer) == ("2D", "unknown")
    assert told["ImageOrientationPatient", "plane"].answer != "ax"
    assert ("PatientID", "sequence") not in told


def test_stacks_are_found_by_id_path_file_name_and_series(trial: Trial) -> None:
    row = next(r for r in rows(trial) if r["bids_path"])
    name = row["bids_path"].rpartition("/")[2]
    for word in (row["stack_id"], row["bids_path"], name, name.removesuffix(".nii.gz") + ".json", row["series_uid"],
                 f"/somewhere/bids/{row['bids_path']}"):  # fmt: skip
        assert [r.row.stack_id for r in report(trial, word)] == [row["stack_id"]]
    with pytest.raises(UsageError, match=r"^nothing: is no stack_id, .*plan.tsv lists them$"):
        report(trial, "nothing")
    with pytest.raises(UsageError, match="no rule votes on that; they vote on sequence, plane"):
        report(trial, row["stack_id"], "bvalues")


def test_the_text_quotes_the_header_and_the_rules(trial: Trial) -> None:
    table = rows(trial)
    known = "\n".join(lines(report(trial, of(table, "t2 sag")[0])[0]))
    assert "decision: keep" in known and "sequence: T2w, confidence" in known and "te = 101" in known
    dark = "\n".join(lines(report(trial, of(table, "mystery")[0])[0]))
    assert "decision: quarantine (unknown-sequence: the header does not say" in dark
    assert "sequence: unknown" in dark and "not answered: " in dark
    assert {"te", "tr"} <= set(dark.partition("nothing tells: ")[2].partition("\n")[0].split(", "))


def test_nothing_is_written_and_no_source_is_opened(trial: Trial) -> None:
    def state(folder: Path) -> dict[str, tuple[str, int]]:
        files = [p for p in sorted(folder.rglob("*")) if p.is_file()]
        return {str(p): (hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime_ns) for p in files}

    before, stack = state(trial.work.parent), rows(trial)[0]["stack_id"]
    source, away = trial.sources[0], trial.work.parent / "away"
    source.rename(away)
    try:
        assert report(trial, stack)
    finally:
        away.rename(source)
    assert state(trial.work.parent) == before
