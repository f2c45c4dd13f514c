"""Criteria end to end: planned, drawn, exported, released, searched; the second step and what it leaves behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from stackmaker import axial, write_series
from typer.testing import CliRunner

from trialbids.exporter.cli import app
from trialbids.exporter.deidentify.flowlooks import is_sentence
from trialbids.exporter.deidentify.inspect import inspect_file
from trialbids.exporter.deidentify.search import Searcher
from trialbids.exporter.deidentify.shapes import Rules
from trialbids.exporter.engine import Serial
from trialbids.exporter.errors import UsageError
from trialbids.exporter.pipeline import Plan, plan_trial, scan_trial
from trialbids.exporter.places import workplace
from trialbids.exporter.progress import Silent
from trialbids.exporter.release.export import Exported, export_plan
from trialbids.exporter.release.flows import (
    FLOW_FILES,
    SENTENCES,
    flow_of,
    planned,
    steps_of,
    write_exclusions,
    write_flow,
)
from trialbids.exporter.review.edits import EDITS_FILE, Edit, write_edits
from trialbids.exporter.select import decide
from trialbids.exporter.stacks import reasons as stacked
from trialbids.exporter.tables import read_tsv
from trialbids.exporter.trial import Trial, load_trial

T1 = {"RepetitionTime": 500.0, "EchoTime": 10.0, "EchoTrainLength": 3, "ScanningSequence": "SE"}
T2 = {"RepetitionTime": 4500.0, "EchoTime": 101.0, "EchoTrainLength": 15, "ScanningSequence": "SE"}
NOBODY = Searcher({}, {}, ())


def incoming(folder: Path) -> None:
    """Three people: Ada with T2 and T1 at 3 T, Bo with T2 alone at 1.5 T, Cy with both and a T1 with a gap."""
    for number, (name, kinds, tesla) in enumerate((("Ada", "21", 3.0), ("Bo", "2", 1.494), ("Cy", "21", 3.0))):
        for kind in kinds:
            places = [p for n, p in enumerate(axial(8)) if not (name == "Cy" and kind == "1" and n == 4)]
            who = {"PatientID": f"PX-{number}4711", "PatientName": f"Quendelberg^{name}", "StudyDate": "20200104"}
            uids = {"StudyInstanceUID": f"1.2.9.{number}", "SeriesInstanceUID": f"1.2.9.{number}.{kind}"}
            text = {"SeriesDescription": f"t{kind}_tse_tra", "MagneticFieldStrength": tesla}
            header = who | uids | text | (T1 if kind == "1" else T2)
            write_series(folder / "incoming" / f"{name}-{kind}", places, **header)


def trial_with(folder: Path, *criteria: str, more: str = "") -> Trial:
    """The trial of :func:`incoming`, with a table of ages in which Bo is missing and Dee has no images."""
    if not (folder / "incoming").exists():
        incoming(folder)
    (folder / "clinical.csv").write_text("id,age,arm\nPX-04711,40,A\nPX-24711,17,B\nPX-94711,50,B\n", encoding="utf-8")
    lines = [
        "sources: [incoming]\noutput: bids\nwork: work\nsite: {value: S01}\nfaces: allow",
        "clinical: {table: clinical.csv, subject: id, columns: {age: number, arm: [A, B, C]}}",
        *([more] if more else []),
        *(["criteria:"] if criteria else []),
        *(f"  - {{{text}}}" for text in criteria),
    ]
    (folder / "trial.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return load_trial(folder / "trial.yaml")


def plan(trial: Trial) -> Plan:
    with Serial() as engine, workplace(trial) as pseudonyms:
        return plan_trial(trial, scan_trial(trial, engine, Silent()), pseudonyms, Silent())


def export(trial: Trial) -> Exported:
    with Serial() as engine, workplace(trial) as pseudonyms:
        made = plan_trial(trial, scan_trial(trial, engine, Silent()), pseudonyms, Silent())
        return export_plan(made, trial, pseudonyms, engine, Silent())


def what(made: Plan) -> dict[str, str]:
    """By folder of the source, the decision and its reason."""
    return {
        p.harmonised.stack.first.path.split("/")[-2]: f"{p.row.decision} {p.row.reason}".strip() for p in made.planned
    }


def test_criteria_decide_after_the_tool_and_change_no_other_name(tmp_path: Path) -> None:
    before = {p.row.stack_id: p.row.bids_path for p in plan(trial_with(tmp_path)).planned}
    trial = trial_with(
        tmp_path,
        "id: adult, level: subject, include: age >= 18, sentence: Adults",
        "id: both, level: session, include: has(T2w) and has(T1w), sentence: Both kinds",
        "id: gap, level: stack, exclude: \"found('G04')\", sentence: No gap",
    )
    made = plan(trial)
    assert what(made) == {
        "Ada-1": "keep",
        "Ada-2": "keep",
        "Bo-2": "quarantine criterion-adult",
        "Cy-1": "quarantine G04",
        "Cy-2": "exclude criterion-adult",
    }
    for p in made.planned:
        assert p.row.bids_path == (before[p.row.stack_id] if p.row.decision == "keep" else "")
    write_exclusions(trial.work, planned(made))
    rows = {row["series"][-3:]: (row["decision"], row["missing"]) for row in read_tsv(trial.work / "exclusions.tsv")}
    assert rows == {"1.2": ("quarantine", "age"), "2.2": ("exclude", ""), "2.1": ("quarantine", "")}
    reasons = {row["series"][-3:]: row for row in read_tsv(trial.work / "exclusions.tsv")}
    assert reasons["1.2"]["other_reasons"] == "criterion-both"
    assert reasons["2.1"]["other_reasons"] == "criterion-adult criterion-both criterion-gap"
    assert reasons["2.2"]["sentence"] == "Adults"


def test_the_flow_is_drawn_before_anything_is_exported(tmp_path: Path) -> None:
    trial = trial_with(tmp_path, "id: strong, level: session, include: field_strength >= 3, sentence: Three tesla")
    flow = flow_of(planned(plan(trial)), trial)
    assert flow.without_images == 1
    assert [line.total.remaining.subjects for line in flow.lines][-3:] == [3, 2, 2]
    paths = write_flow(trial.work, flow, "a trial")
    assert [path.name for path in paths] == list(FLOW_FILES)
    first = [path.read_bytes() for path in paths]
    paths[1].unlink()
    assert [path.read_bytes() for path in write_flow(trial.work, flow, "a trial")] == first
    assert not trial.output.exists()


def test_the_command_draws_the_flow_and_counts_it_for_machines(tmp_path: Path) -> None:
    trial_with(tmp_path, "id: strong, level: session, include: field_strength >= 3, sentence: Three tesla")
    shown = CliRunner().invoke(app, ["flow", str(tmp_path / "trial.yaml"), "--engine", "serial"])
    assert shown.exit_code == 0
    assert "Three tesla" in shown.output
    assert "exclusions.tsv" in shown.output
    assert "clinical rows and visits without a partner: 2\n  clinical.csv line 4: no images of this" in shown.output
    listed = read_tsv(tmp_path / "work" / "plan-issues.tsv")
    assert [row["check"] for row in listed] == ["C09", "C09"]
    assert listed[1]["message"].endswith(": no row in clinical.csv")
    told = CliRunner().invoke(app, ["flow", str(tmp_path / "trial.yaml"), "--engine", "serial", "--json"])
    content = json.loads(told.output)
    assert content["schema"] == "trialbids-flow/1"
    assert list(content["problems"].values()) == [2, 0, 0]
    assert content["steps"][-1]["remaining"] == {"subjects": 2, "sessions": 2, "series": 3, "stacks": 3}
    assert [s["removed"]["stacks"] for s in content["steps"] if s["id"] == "failed-headers"] == [1], "Cy's gap"
    assert len(content["files"]) == 5


def test_no_edit_overrules_a_criterion(tmp_path: Path) -> None:
    trial = trial_with(tmp_path, "id: strong, level: session, include: field_strength >= 3, sentence: Three tesla")
    weak = next(p.row.stack_id for p in plan(trial).planned if p.row.reason == "criterion-strong")
    write_edits(trial.work / EDITS_FILE, [Edit(weak, "decision", "exclude", "keep", "Anna", "2026-01-02T03:04:05")])
    made = plan(trial)
    assert [p.row.decision for p in made.planned if p.row.stack_id == weak] == ["exclude"]
    assert [refused.why for refused in made.reviewed.refused] == [
        "criterion strong takes it out, which no edit overrules"
    ]
    assert made.reviewed.applied == 0


def test_an_unknown_name_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    trial = trial_with(tmp_path, "id: adult, level: subject, include: agge >= 18, sentence: Adults")
    with pytest.raises(UsageError, match=r"trial.yaml: line 8: criterion adult: .*did you mean age"):
        plan(trial)
    assert not (trial.work / "plan.tsv").exists()
    with pytest.raises(UsageError, match="snr belongs to one image"):
        plan(trial_with(tmp_path, "id: a, level: session, include: snr > 1, after: conversion, sentence: a"))


@pytest.mark.parametrize("field", ["sentence", "id"])
def test_a_criterion_that_names_somebody_does_not_leave(tmp_path: Path, field: str) -> None:
    named = {"id": "someone", "sentence": "All"} | {field: "quendelberg" if field == "id" else "Not Ms Quendelberg"}
    text = f"id: {named['id']}, level: subject, exclude: arm == 'B', sentence: {named['sentence']}"
    with pytest.raises(UsageError, match=f"its {field} holds a known identifier") as refused:
        export(trial_with(tmp_path, text))
    assert "uendelberg" not in str(refused.value)
    assert not list((tmp_path / "bids").glob("curation/*"))


@pytest.mark.parametrize("command", ["plan", "flow"])
def test_a_criterion_that_names_somebody_stops_the_plan_before_anything_is_written(
    tmp_path: Path, command: str
) -> None:
    trial = trial_with(tmp_path, "id: one, level: subject, exclude: arm == 'B', sentence: Not patient PX-14711")
    done = CliRunner().invoke(app, [command, str(tmp_path / "trial.yaml"), "--engine", "serial"])
    assert isinstance(done.exception, UsageError)
    assert "its sentence holds a known identifier" in str(done.exception)
    assert not [path.name for path in trial.work.iterdir() if path.name.startswith(("flow", "plan", "exclusions"))]


def test_an_image_that_a_criterion_took_out_is_explained(tmp_path: Path) -> None:
    trial = trial_with(tmp_path, "id: adult, level: subject, include: age >= 18, sentence: Adults only")
    assert CliRunner().invoke(app, ["plan", str(tmp_path / "trial.yaml"), "--engine", "serial"]).exit_code == 0
    rows = [r for r in read_tsv(trial.work / "plan.tsv") if r["reason"] == "criterion-adult"]
    untold = next(r["stack_id"] for r in rows if r["decision"] == "quarantine")
    shown = CliRunner().invoke(app, ["explain", str(tmp_path / "trial.yaml"), untold]).output.splitlines()
    assert shown[2:4] == [
        "  decision: quarantine (criterion-adult: Adults only)",
        "  the criterion could not be told: not known is age",
    ]


def test_the_mistakes_of_a_criterion_are_told_by_the_plan(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="arm is never 'a'"):
        plan(trial_with(tmp_path, "id: a, level: subject, include: arm == 'a', sentence: a"))
    with pytest.raises(UsageError, match="snr is known after the conversion alone; add `after: conversion`"):
        plan(trial_with(tmp_path, "id: a, level: stack, include: snr > 3, sentence: a"))
    made = plan(trial_with(tmp_path, "id: a, level: subject, exclude: site == 's01', sentence: a"))
    assert "no site is called; they are S01" in made.visits.notices[-1].message


def test_a_criterion_on_metrics_is_planned_without_opencv(tmp_path: Path) -> None:
    trial_with(tmp_path, "id: a, level: stack, include: snr > 3, after: conversion, sentence: a")
    code = (
        "import sys; from trialbids.exporter.cli import app\n"
        f"app(['plan', {str(tmp_path / 'trial.yaml')!r}, '--engine', 'serial'], standalone_mode=False)\n"
        "print(sorted({'cv2', 'nibabel', 'scipy', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


SECOND = (
    "id: signal, level: stack, include: mean > 0 and has(T2w) or arm == 'A', after: conversion, sentence: T2 or arm A",
    "id: both, level: session, include: has(T2w) and has(T1w), after: conversion, sentence: Both kinds came out",
)


def test_the_second_step_is_counted_apart_and_nothing_of_it_is_released(tmp_path: Path) -> None:
    trial = trial_with(tmp_path, *SECOND)
    done = export(trial)
    assert done.run.leaks == {}
    released = {row.final_decision: 0 for row in done.rows}
    for row in done.rows:
        released[row.final_decision] += 1
    assert released == {"keep": 2, "exclude": 2, "quarantine": 1}
    assert len(list(trial.output.glob("sub-*"))) == 1
    lines = {line.step.id: line.total for line in done.flow.lines}
    assert lines["planned"].remaining.stacks == 4
    assert lines["failed-headers"].removed.stacks == 1
    assert lines["criterion-both"].removed.subjects == 2
    assert lines["released"].remaining.stacks == 2
    first = {row["first_reason"] for row in read_tsv(trial.work / "exclusions.tsv")}
    assert first == {"criterion-both", "G04"}
    for name in FLOW_FILES:
        assert (trial.output / "curation" / name).read_bytes()
    again = export(trial)
    assert (again.run.sessions_written, again.run.sessions_withdrawn) == (0, 0)
    assert again.rows == done.rows


def test_a_changed_criterion_or_value_makes_anew_what_it_concerns_and_no_more(tmp_path: Path) -> None:
    first = export(
        trial_with(tmp_path, "id: arm, level: stack, include: arm == 'A', after: conversion, sentence: Arm A")
    )
    said = {(row.final_decision, row.reason, row.qc_verdict) for row in first.rows}
    assert {("keep", "", "pass"), ("quarantine", "criterion-arm", "pass"), ("exclude", "criterion-arm", "pass")} <= said
    assert first.flow.lines[-3].total.untold.subjects == 1  # Bo, who is not in the table
    done = export(
        trial_with(tmp_path, "id: arm, level: stack, include: arm != 'C', after: conversion, sentence: Arm A")
    )
    assert done.run.sessions_written == 3
    table = tmp_path / "clinical.csv"
    trial = load_trial(tmp_path / "trial.yaml")
    table.write_text(table.read_text(encoding="utf-8").replace("17,B", "17,A"), encoding="utf-8")
    assert export(trial).run.sessions_written == 1


def test_a_suppressed_site_stands_nowhere_in_the_released_flow(tmp_path: Path) -> None:
    trial = trial_with(tmp_path, more="suppress: [site]")
    export(trial)
    for name in FLOW_FILES[:3]:
        assert b"S01" not in (trial.output / "curation" / name).read_bytes()
        assert b"S01" in (trial.work / name).read_bytes()


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The curation folder of a small export with one criterion."""
    folder = tmp_path_factory.mktemp("flow")
    export(trial_with(folder, "id: young, level: subject, exclude: age < 30, sentence: Nobody below 30 years"))
    return folder / "bids"


RULES = Rules(criteria={"criterion-young": "Nobody below 30 years"})


def leaks(tree: Path, name: str, data: bytes | None = None) -> set[str]:
    path = tree / "curation" / name
    before = path.read_bytes()
    path.write_bytes(before if data is None else data)
    try:
        return {leak.kind for leak in inspect_file(tree, f"curation/{name}", NOBODY, RULES)}
    finally:
        path.write_bytes(before)


@pytest.mark.parametrize("name", FLOW_FILES)
def test_a_flow_as_it_was_written_holds_nothing_strange(tree: Path, name: str) -> None:
    assert leaks(tree, name) == set()
    assert leaks(tree, name, b"\xff\xfe nothing of the kind") != set()


def test_whatever_is_added_to_a_flow_is_found(tree: Path) -> None:
    content = json.loads((tree / "curation" / "flow.json").read_bytes())
    content["steps"][0]["sentence"] = "Jonathan was here"
    assert leaks(tree, "flow.json", json.dumps(content).encode()) == {"unknown-text"}
    table = (tree / "curation" / "flow.tsv").read_bytes()
    assert leaks(tree, "flow.tsv", table.replace(b"Nobody below", b"Jonathan below")) == {"odd-value"}
    svg = (tree / "curation" / "flow.svg").read_bytes()
    assert leaks(tree, "flow.svg", svg.replace(b">Planned<", b">Jonathan<")) == {"unknown-text"}
    assert leaks(tree, "flow.svg", svg.replace(b"</svg>", b"<!-- Jonathan -->\n</svg>")) == {"unknown-text"}
    png = (tree / "curation" / "flow.png").read_bytes()
    assert leaks(tree, "flow.png", png + b"more") == {"unreadable"}
    chunk = b"\x00\x00\x00\x08tEXtJonathan\x00\x00\x00\x00"
    assert leaks(tree, "flow.png", png[:33] + chunk + png[33:]) == {"odd-header"}


def test_every_sentence_about_a_reason_may_stand_in_the_released_flow() -> None:
    sentences = [*SENTENCES.values(), *(rule.message for rule in decide.RULES), *stacked.SENTENCES.values()]
    sentences += [step.sentence for step in steps_of((), is_exported=True)]
    assert [sentence for sentence in sentences if not is_sentence(sentence, {})] == []
    assert not is_sentence("Jonathan was here", {})
