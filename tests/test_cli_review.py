"""The commands of the review as a data manager runs them, up to the tree that they change."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from reviewmaker import T2, of, rows, small_trial, write_edited
from stackmaker import axial, write_series
from typer.main import get_command
from typer.testing import CliRunner

from trialbids.exporter.cli import app, run_export
from trialbids.exporter.engine import Serial
from trialbids.exporter.errors import UsageError
from trialbids.exporter.trial import Trial


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return small_trial(tmp_path)


def run(*arguments: str | Path) -> str:
    """Run a command in this process; gives what it printed."""
    done = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def configuration(trial: Trial) -> Path:
    return trial.work.parent / "trial.yaml"


def images(trial: Trial) -> set[str]:
    return {str(p.relative_to(trial.output)) for p in trial.output.glob("sub-*/ses-*/*/*.nii.gz")}


def test_edits_read_back_are_in_the_tree_after_the_next_export(trial: Trial) -> None:
    assert run_export(trial, Serial(), json=True) == 0
    table, before = rows(trial), images(trial)
    (first, second), mysteries = of(table, "t2 sag"), of(table, "mystery")
    files = {row["stack_id"]: row["bids_path"] for row in table}
    changes = {(first, "sequence"): "PDw", (second, "decision"): "exclude", (mysteries[0], "sequence"): "T1w"}
    edited = write_edited(trial.work.parent / "edited.csv", table, changes)
    said = json.loads(
        run("plan", configuration(trial), "--apply", edited, "--by", "Anna Muster", "--engine", "serial", "--json")
    )
    assert {k: said["review"][k] for k in ("taken", "withdrawn", "in_force")} == {
        "taken": 3, "withdrawn": 0, "in_force": 3,
    }  # fmt: skip
    assert images(trial) == before
    assert run_export(trial, Serial(), json=True) == 0
    now = {row["stack_id"]: row for row in rows(trial)}
    assert images(trial) == {row["bids_path"] for row in now.values() if row["final_decision"] == "keep"}
    assert images(trial) - before == {files[first].replace("T2w", "PDw"), now[mysteries[0]]["bids_path"]}
    assert before - images(trial) == {files[first], files[second]}
    sidecar = json.loads((trial.output / now[first]["bids_path"].replace(".nii.gz", ".json")).read_bytes())
    assert sidecar["Harmonised"]["sequence"] == "PDw" and sidecar["Harmonised"]["confidence"] == 1
    assert "edit" in sidecar["Harmonised"]["evidence"]
    released = b"".join(p.read_bytes() for p in trial.output.rglob("*") if p.is_file() and p.suffix != ".gz")
    assert b"Anna" not in released and b"Muster" not in released


def test_a_learned_rule_file_is_offered_never_overwritten_unasked_and_explained(trial: Trial) -> None:
    run("plan", configuration(trial), "--engine", "serial")
    mysteries = of(rows(trial), "mystery")
    edited = write_edited(trial.work.parent / "edited.csv", rows(trial), {(s, "sequence"): "T1w" for s in mysteries})
    said = run("plan", configuration(trial), "--apply", edited, "--learn", "--engine", "serial")
    assert "by them alone: 3 of 3 edits come out, 0 other stacks change" in said
    assert "rules: [rules-learned.yaml]" in said
    rules = trial.work.parent / "rules-learned.yaml"
    assert rules.is_file()
    with pytest.raises(UsageError, match="is there already; give another with --to, or --force"):
        run("plan", configuration(trial), "--learn", "--engine", "serial")
    run("plan", configuration(trial), "--learn", "--force", "--engine", "serial")
    with pytest.raises(UsageError, match=r"is the trial's configuration"):
        run("plan", configuration(trial), "--learn", "--force", "--to", configuration(trial))
    configuration(trial).write_text(configuration(trial).read_text() + "rules: [rules-learned.yaml]\n")
    said = run("explain", configuration(trial), mysteries[0])
    assert "edited: sequence: unknown became T1w, by" in said
    assert "learned from 3 edits of the plan [description = mystery]" in said
    assert "T1w" not in said.split("what would change the answer")[1]


def test_a_sheet_set_back_withdraws_and_one_that_disagrees_is_told_what_to_do(trial: Trial) -> None:
    said = run("plan", configuration(trial), "--engine", "serial")
    assert all(words in said for words in ("What would become of the sources", "re-packed", "dropped"))
    table, folder = rows(trial), trial.work.parent
    stack = of(table, "t2 sag")[0]
    sheet = write_edited(folder / "a.csv", table, {(stack, "sequence"): "PDw"})
    assert "edits: 1 taken, 0 withdrawn, 1 in force" in run("plan", configuration(trial), "--apply", sheet)
    other = write_edited(folder / "other.csv", table, {})
    said = run("plan", configuration(trial), "--apply", other)
    line = [row["stack_id"] for row in table].index(stack) + 2
    assert f"the edited plan, line {line}: column sequence: says T2w, but the edit to PDw by " in said
    assert "write the tool's own answer into a new copy of plan.tsv" in said
    write_edited(sheet, table, {})
    said = run("plan", configuration(trial), "--apply", sheet)
    assert "edits: 0 taken, 1 withdrawn, 0 in force" in said and "the edited plan, line" not in said


def test_an_old_copy_is_told_of_every_cell_that_nothing_comes_of(trial: Trial) -> None:
    run("plan", configuration(trial), "--engine", "serial")
    table, folder = rows(trial), trial.work.parent
    text = configuration(trial).read_text()
    (folder / "own.yaml").write_text("- {id: own, reason: ours, when: {description: mystery}, votes: {plane: cor}}\n")
    configuration(trial).write_text(f"{text}rules: [own.yaml]\n")
    run("plan", configuration(trial), "--engine", "serial")
    mystery = of(table, "mystery")
    assert {row["plane"] for row in rows(trial) if row["stack_id"] in mystery} == {"cor"}
    (stack,) = of(table, "t2 sag")[:1]
    sheet = write_edited(folder / "a.csv", table, {(stack, "sequence"): "PDw"})
    said = run("plan", configuration(trial), "--apply", sheet)
    old = next(row["plane"] for row in table if row["stack_id"] == mystery[0])
    line = [row["stack_id"] for row in table].index(mystery[0]) + 2
    assert "edits: 1 taken" in said
    assert f"the edited plan, line {line}: column plane: says {old}, as an older plan did, and cor stands" in said
    assert "column sequence" not in said and "column decision" not in said


def test_learned_rules_are_written_over_nothing_else_and_never_into_the_tree(trial: Trial, tmp_path: Path) -> None:
    run("plan", configuration(trial), "--engine", "serial")
    trial.output.mkdir()
    (tmp_path / "mine.yaml").write_text("- {id: own}\n")
    (tmp_path / "link.yaml").symlink_to(trial.work / "secret.key")
    key = (trial.work / "secret.key").read_bytes()
    for place, what in (
        (trial.output / "rules.yaml", "released tree"),
        (tmp_path / "x" / ".." / trial.output.name / "rules.yaml", "released tree"),
        (trial.work / "secret.key", "private work folder"),
        (trial.work / "new.yaml", "private work folder"),
        (tmp_path / "link.yaml", "private work folder"),
        (tmp_path / "mine.yaml", "was not written by --learn"),
        (tmp_path, "is a folder"),
        (tmp_path / "none" / "rules.yaml", "is no folder"),
        (tmp_path / "mine.yaml" / "rules.yaml", "is no folder"),
        (tmp_path / ("n" * 300), "cannot be used"),
    ):
        with pytest.raises(UsageError, match=what):
            run("plan", configuration(trial), "--learn", "--force", "--to", place)
    assert (trial.work / "secret.key").read_bytes() == key
    assert (tmp_path / "mine.yaml").read_text() == "- {id: own}\n"


def test_stacks_with_text_in_the_pixels_that_a_person_keeps_are_counted(tmp_path: Path) -> None:
    trial = small_trial(tmp_path)
    own = {"PatientID": "P2", "PatientName": "P2", "StudyInstanceUID": "2.25.277", "SeriesInstanceUID": "2.25.99"}
    series = axial(3)
    write_series(
        tmp_path / "incoming" / "P2-9", series, **own, **T2, SeriesDescription="t2 burnt", BurnedInAnnotation="YES"
    )
    assert "burned into the pixels" not in run("plan", configuration(trial), "--engine", "serial")
    (stack,) = of(rows(trial), "t2 burnt")
    edited = write_edited(tmp_path / "a.csv", rows(trial), {(stack, "decision"): "keep"})
    for more in (["--apply", edited], []):
        said = run("plan", configuration(trial), "--engine", "serial", *more)
        assert f"1 stack(s) kept by edit though the header says that text is burned into the pixels: {stack}" in said
    said = json.loads(run("plan", configuration(trial), "--engine", "serial", "--json"))
    assert said["review"]["kept_with_burned_in_text"] == [stack]


def test_edits_that_the_learned_rules_do_not_give_are_named(trial: Trial) -> None:
    run("plan", configuration(trial), "--engine", "serial")
    one, *_ = of(rows(trial), "mystery")
    edited = write_edited(trial.work.parent / "edited.csv", rows(trial), {(one, "sequence"): "T1w"})
    said = run("plan", configuration(trial), "--apply", edited, "--learn", "--engine", "serial")
    assert f"does not come out: stack {one}: sequence = T1w; the rules say unknown" in said


def test_the_options_of_the_review_are_refused_where_they_make_no_sense(trial: Trial) -> None:
    with pytest.raises(UsageError, match="--to and --force belong to --learn"):
        run("plan", configuration(trial), "--force")
    with pytest.raises(UsageError, match="give the edited plan with --apply"):
        run("plan", configuration(trial), "--by", "Anna")
    with pytest.raises(UsageError, match="holds a control character"):
        run("plan", configuration(trial), "--apply", configuration(trial), "--by", "An\0na")
    with pytest.raises(UsageError, match="given with --to"):
        run("plan", "--learn", configuration(trial), "mine.yaml")
    with pytest.raises(UsageError, match="holds no plan yet"):
        run("explain", configuration(trial), "abc")


def test_explain_prints_json_for_machines(trial: Trial) -> None:
    run("plan", configuration(trial), "--engine", "serial")
    stack = of(rows(trial), "t2 sag")[0]
    (found,) = json.loads(run("explain", configuration(trial), stack, "--attribute", "plane", "--json"))
    assert found["plan"]["stack_id"] == stack
    assert {c["attribute"] for c in found["explanation"]["changes"]} == {"plane"}


def test_the_page_names_commands_and_options_that_there_are() -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "howto-review-the-plan.md").read_text(encoding="utf-8")
    commands = [shlex.split(line) for line in page.splitlines() if line.startswith("trialbids ")]
    assert {words[1] for words in commands} == {"plan", "explain"}
    known = {p for c in get_command(app).commands.values() for o in c.params for p in o.opts}  # pyright: ignore[reportAttributeAccessIssue]
    named = set(re.findall(r"(?<![\w-])--[a-z]+", page))
    assert named and named <= known
