"""A person's decisions: applied at every later plan, withdrawn, never lost, and refused where they cannot be."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from reviewmaker import of, plan, rows, small_trial, write_edited

from trialbids.exporter.errors import UsageError
from trialbids.exporter.plan.history import MOST, remember, remembered
from trialbids.exporter.review.edits import Edit, in_force, read_edits, write_edits
from trialbids.exporter.tables import read_tsv
from trialbids.exporter.trial import Trial


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    """A small trial, planned once."""
    made = small_trial(tmp_path)
    plan(made)
    return made


def by_id(trial: Trial) -> dict[str, dict[str, str]]:
    return {row["stack_id"]: row for row in rows(trial)}


def apply(trial: Trial, changes: dict[tuple[str, str], str], by: str = "Anna Muster", name: str = "edited.csv") -> None:
    plan(trial, write_edited(trial.work.parent / name, rows(trial), changes), by)


def test_an_edited_sequence_is_kept_named_and_applied_again(trial: Trial) -> None:
    before, mystery = by_id(trial), of(rows(trial), "mystery")[0]
    apply(trial, {(mystery, "sequence"): "T1w"})
    plan(trial)
    row = by_id(trial)[mystery]
    assert (row["sequence"], row["decision"], row["reason"], row["confidence"]) == ("T1w", "keep", "", "1")
    assert row["edited"] == "sequence"
    assert row["bids_path"].endswith("_T1w.nii.gz")
    assert {s: r for s, r in by_id(trial).items() if s != mystery} == {s: r for s, r in before.items() if s != mystery}
    (edit,) = read_tsv(trial.work / "edits.tsv")
    assert (edit["by"], edit["date"], edit["old"], edit["new"]) == (
        "Anna Muster", "2026-01-02T03:04:05", "unknown", "T1w",
    )  # fmt: skip


def test_the_evidence_says_that_a_person_decided_and_not_who(trial: Trial) -> None:
    stack = of(rows(trial), "t2 sag")[0]
    apply(trial, {(stack, "sequence"): "PDw"})
    made = plan(trial)
    record = next(p.row.record for p in made.planned if p.row.stack_id == stack)
    assert "edit" in record.evidence
    assert not any("t2" in rule for rule in record.evidence)
    assert "Anna" not in str(record.to_json())


def test_a_changed_record_gets_a_new_name_and_the_others_keep_theirs(trial: Trial) -> None:
    before, (first, _) = by_id(trial), of(rows(trial), "t2 sag")
    other = of(rows(trial), "t2 tra")[0]
    assert before[other]["bids_path"].endswith("_run-02_T2w.nii.gz")
    apply(trial, {(first, "sequence"): "PDw"})
    assert by_id(trial)[first]["bids_path"] == before[first]["bids_path"].replace("T2w", "PDw")
    assert by_id(trial)[other]["bids_path"] == before[other]["bids_path"]
    apply(trial, {(first, "sequence"): "T2w"})
    assert by_id(trial) == before


def test_the_tools_own_answer_withdraws_an_edit(trial: Trial) -> None:
    before, stack = by_id(trial), of(rows(trial), "t2 sag")[0]
    apply(trial, {(stack, "sequence"): "PDw", (stack, "decision"): "quarantine"})
    assert (by_id(trial)[stack]["decision"], by_id(trial)[stack]["reason"]) == ("quarantine", "edit")
    apply(trial, {(stack, "sequence"): "T2w", (stack, "decision"): "keep"})
    assert by_id(trial) == before
    history = read_edits(trial.work / "edits.tsv")
    assert [e.withdrawn for e in history] == [False, False, True, True]
    assert in_force(history) == {}


def test_a_decision_against_what_follows_from_an_edited_record_stands(trial: Trial) -> None:
    mystery = of(rows(trial), "mystery")[0]
    apply(trial, {(mystery, "sequence"): "T1w"})
    apply(trial, {(mystery, "decision"): "quarantine"})
    row = by_id(trial)[mystery]
    assert (row["sequence"], row["decision"], row["reason"]) == ("T1w", "quarantine", "edit")


def test_a_copy_made_before_later_plans_still_says_only_what_was_changed_in_it(trial: Trial) -> None:
    old = rows(trial)
    (first, _), mystery = of(old, "t2 sag"), of(old, "mystery")[0]
    apply(trial, {(first, "sequence"): "PDw"}, by="Bert")
    plan(trial, write_edited(trial.work.parent / "late.csv", old, {(mystery, "sequence"): "T1w"}))
    now = by_id(trial)
    assert (now[first]["sequence"], now[mystery]["sequence"]) == ("PDw", "T1w")


def test_the_newest_of_a_persons_edits_wins_and_another_person_is_not_overruled_unseen(trial: Trial) -> None:
    old, mystery = rows(trial), of(rows(trial), "mystery")[0]
    for value in ("T1w", "PDw"):
        plan(trial, write_edited(trial.work.parent / "mine.csv", old, {(mystery, "sequence"): value}))
    assert by_id(trial)[mystery]["sequence"] == "PDw"
    theirs = write_edited(trial.work.parent / "theirs.csv", old, {(mystery, "sequence"): "FLAIR"})
    with pytest.raises(UsageError, match=r"line \d: column sequence: Anna Muster wrote 'PDw' here on 2026"):
        plan(trial, theirs, by="Bert")
    apply(trial, {(mystery, "sequence"): "FLAIR"}, by="Bert")
    assert by_id(trial)[mystery]["sequence"] == "FLAIR"


def test_the_very_sheet_with_the_cell_set_back_withdraws_its_edit(trial: Trial) -> None:
    copy, before = rows(trial), by_id(trial)
    (first, second), sheet = of(copy, "t2 sag"), trial.work.parent / "a.csv"
    plan(trial, write_edited(sheet, copy, {(first, "sequence"): "PDw", (second, "plane"): "cor"}))
    made = plan(trial, write_edited(sheet, copy, {(second, "plane"): "cor"}))
    assert [(e.stack_id, e.withdrawn) for e in made.taken] == [(first, True)] and made.contradicted == ()
    made = plan(trial, sheet)
    assert made.taken == () and by_id(trial)[second]["plane"] == "cor"
    made = plan(trial, write_edited(sheet, copy, {(first, "sequence"): "PDw"}))
    assert {(e.stack_id, e.new, e.withdrawn) for e in made.taken} == {(first, "PDw", False), (second, "ax", True)}
    plan(trial, write_edited(sheet, copy, {}))
    assert by_id(trial) == before


def test_an_older_sheet_undoes_no_later_edit_and_each_cell_against_one_is_named(trial: Trial) -> None:
    copy, folder = rows(trial), trial.work.parent
    (first, second), mystery = of(copy, "t2 sag"), of(copy, "mystery")[0]
    old = write_edited(folder / "a.csv", copy, {(first, "sequence"): "PDw"})
    plan(trial, old)
    apply(trial, {(first, "sequence"): "FLAIR", (second, "sequence"): "PDw"}, name="b.csv")
    made = plan(trial, write_edited(old, copy, {(first, "sequence"): "PDw", (mystery, "sequence"): "T1w"}))
    assert [(e.stack_id, e.new) for e in made.taken] == [(mystery, "T1w")]
    assert {s: by_id(trial)[s]["sequence"] for s in (first, second)} == {first: "FLAIR", second: "PDw"}
    lines = {s: n for n, s in enumerate((row["stack_id"] for row in copy), start=2)}
    assert {(c.line, c.cell, c.edit.attribute, c.edit.new) for c in made.contradicted} == {
        (lines[first], "PDw", "sequence", "FLAIR"),
        (lines[second], "T2w", "sequence", "PDw"),
    }
    assert plan(trial, write_edited(folder / "fresh.csv", rows(trial), {})).contradicted == ()


def test_a_sheet_of_another_person_at_the_same_place_withdraws_nothing(trial: Trial) -> None:
    copy, sheet = rows(trial), trial.work.parent / "a.csv"
    first, mystery = of(copy, "t2 sag")[0], of(copy, "mystery")[0]
    plan(trial, write_edited(sheet, copy, {(first, "sequence"): "PDw"}))
    made = plan(trial, write_edited(sheet, copy, {(mystery, "sequence"): "T1w"}), by="Bert")
    assert [(e.stack_id, e.new) for e in made.taken] == [(mystery, "T1w")]
    assert [(c.cell, c.edit.new, c.edit.by) for c in made.contradicted] == [("T2w", "PDw", "Anna Muster")]


def test_a_list_of_edits_of_before_is_still_read(tmp_path: Path) -> None:
    path = tmp_path / "edits.tsv"
    path.write_text("date\tby\taction\tstack_id\tattribute\told\tnew\n2026\tA\tedit\tabc\tsequence\tT1w\tT2w\n")
    assert read_edits(path) == (Edit("abc", "sequence", "T1w", "T2w", "A", "2026"),)


def test_a_plan_edited_where_it_lies_can_be_given_back_and_is_never_overwritten(trial: Trial) -> None:
    mystery, path = of(rows(trial), "mystery")[0], trial.work / "plan.tsv"
    table = rows(trial)
    write_edited(path, table, {(mystery, "sequence"): "T1w"})
    made = plan(trial)
    assert by_id(trial)[mystery]["sequence"] == "unknown"
    assert made.rescued == trial.work / "plan.edited-1.tsv"
    made = plan(trial, made.rescued)
    assert by_id(trial)[mystery]["sequence"] == "T1w" and made.rescued is None
    write_edited(path, rows(trial), {(mystery, "sequence"): "PDw"})
    made = plan(trial, path)
    assert by_id(trial)[mystery]["sequence"] == "PDw" and made.rescued is None


def test_nothing_is_applied_where_one_thing_is_wrong(trial: Trial) -> None:
    (first, second), before = of(rows(trial), "t2 sag"), by_id(trial)
    names = (trial.work / "names.tsv").read_bytes()
    with pytest.raises(UsageError, match="No edit was taken"):
        apply(trial, {(first, "sequence"): "PDw", (second, "sequence"): "T3w"})
    assert not (trial.work / "edits.tsv").exists()
    assert (trial.work / "names.tsv").read_bytes() == names
    plan(trial)
    assert by_id(trial) == before


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"decision": "keep"}, "cannot be kept: the header does not say"),
        ({"decision": "keep", "sequence": "other"}, "cannot be kept: understood, but outside"),
        ({"decision": "keep", "sequence": "MEGRE"}, "cannot be kept: one of a set of echoes"),
        ({"sequence": "DWI"}, "DWI needs a b-value for every volume"),
        ({"sequence": "CT"}, "this one is MR"),
        ({"sequence": "DCE"}, "give phase_index too"),
        ({"sequence": "T1w", "bvalues": "800"}, "b-values belong to DWI and trace only"),
        ({"sequence": "trace", "bvalues": "50 800"}, "give one b-value for each"),
    ],
)
def test_an_impossible_record_is_refused_with_the_line(trial: Trial, changes: dict[str, str], what: str) -> None:
    table = rows(trial)
    stack = of(table, "mystery")[0]
    line = [row["stack_id"] for row in table].index(stack) + 2
    with pytest.raises(UsageError) as error:
        apply(trial, {(stack, name): value for name, value in changes.items()})
    assert f"edited.csv: line {line}: " in str(error.value) and what in str(error.value)


def test_edits_of_a_stack_that_is_gone_wait_for_its_return(trial: Trial, tmp_path: Path) -> None:
    table = rows(trial)
    mystery = next(row["stack_id"] for row in table if row["series_uid"] == "2.25.22")
    copy = write_edited(tmp_path / "edited.csv", table, {(mystery, "sequence"): "T1w"})
    shutil.move(tmp_path / "incoming" / "P2-2", tmp_path / "away")
    made = plan(trial, copy)
    assert mystery not in by_id(trial)
    assert [(e.stack_id, e.new) for e in made.reviewed.gone] == [(mystery, "T1w")]
    shutil.move(tmp_path / "away", tmp_path / "incoming" / "P2-2")
    assert plan(trial).reviewed.gone == ()
    assert by_id(trial)[mystery]["sequence"] == "T1w"


def test_an_edit_that_has_become_impossible_is_listed_and_the_tools_answer_stands(trial: Trial) -> None:
    before, mystery = by_id(trial), of(rows(trial), "mystery")[0]
    write_edits(trial.work / "edits.tsv", [Edit(mystery, "decision", "quarantine", "keep", "Anna", "2026-01-02")])
    made = plan(trial)
    assert [r.edit.attribute for r in made.reviewed.refused] == ["decision"]
    assert by_id(trial)[mystery] == before[mystery]


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("2026\tA\tedit\tabc\tsequence\tT1w\tT9w", "line 2: column sequence: 'T9w' is not one of its values"),
        ("2026\tA\tedit\tabc\tsubject\tA\tB", "line 2: column subject: this cannot be edited"),
        ("2026\tA\tundo\tabc\tsequence\tT1w\tT2w", "line 2: action is 'undo'; it is one of edit, withdraw"),
        ("2026\tA", "is damaged"),
    ],
)
def test_a_damaged_list_of_edits_is_refused(tmp_path: Path, row: str, what: str) -> None:
    path = tmp_path / "edits.tsv"
    path.write_text("date\tby\taction\tstack_id\tattribute\told\tnew\n" + row + "\n")
    with pytest.raises(UsageError, match=what):
        read_edits(path)


def test_the_oldest_plans_are_forgotten_and_a_damaged_one_is_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "plans"
    for number in range(MOST + 5):
        remember(folder, f"stack_id\tsequence\nabc\t{number}\n".encode())
    remember(folder, b"stack_id\tsequence\nabc\t24\n")
    plans = list(remembered(folder))
    assert [plan[0]["sequence"] for plan in plans] == [str(n) for n in range(MOST + 4, 4, -1)]
    sorted(folder.iterdir())[-1].write_bytes(b"no gzip")
    assert len(list(remembered(folder))) == MOST - 1


def test_a_short_sheet_is_compared_with_the_newest_plan(trial: Trial) -> None:
    stack, mystery = of(rows(trial), "t2 sag")[0], of(rows(trial), "mystery")[0]
    before, short = by_id(trial), trial.work.parent / "short.csv"
    apply(trial, {(stack, "sequence"): "PDw"})
    apply(trial, {(mystery, "sequence"): "T1w"})
    short.write_text(f"stack_id,sequence\n{stack},T2w\n")
    made = plan(trial, short)
    assert [(e.stack_id, e.new, e.withdrawn) for e in made.taken] == [(stack, "T2w", True)]
    assert by_id(trial)[stack] == before[stack]
    short.write_text(f"stack_id,decision\n{mystery},quarantine\n")
    made = plan(trial, short)
    assert [(e.new, e.withdrawn) for e in made.taken] == [("quarantine", False)]
    assert by_id(trial)[mystery]["decision"] == "quarantine"


def test_a_short_sheet_is_compared_with_the_plan_that_stands_even_where_it_stood_before(trial: Trial) -> None:
    stack, short = of(rows(trial), "t2 sag")[0], trial.work.parent / "short.csv"
    apply(trial, {(stack, "sequence"): "PDw"})
    apply(trial, {(stack, "sequence"): "T2w"})
    short.write_text(f"stack_id,sequence\n{stack},PDw\n")
    assert [(e.new, e.withdrawn) for e in plan(trial, short).taken] == [("PDw", False)]
    assert by_id(trial)[stack]["sequence"] == "PDw"


def test_a_few_rows_of_an_old_copy_are_known_by_what_nobody_edits(trial: Trial) -> None:
    old, (stack, _) = rows(trial), of(rows(trial), "t2 sag")
    apply(trial, {(stack, "sequence"): "PDw"}, by="Bert")
    row = [r for r in old if r["stack_id"] == stack]
    made = plan(trial, write_edited(trial.work.parent / "late.csv", row, {(stack, "plane"): "cor"}))
    assert [(e.attribute, e.new) for e in made.taken] == [("plane", "cor")]
    assert [(c.cell, c.edit.new) for c in made.contradicted] == [("T2w", "PDw")]


@pytest.mark.parametrize("left", ["", "date\tby\taction\tstack_id\tattribute\told\tnew\tsheet\n", None])
def test_edits_that_were_lost_stop_every_plan_until_a_person_says_so(trial: Trial, left: str | None) -> None:
    stack, path = of(rows(trial), "t2 sag")[0], trial.work / "edits.tsv"
    apply(trial, {(stack, "sequence"): "PDw", (stack, "plane"): "cor"})
    if left is None:
        path.unlink()
    else:
        path.write_text(left)
    with pytest.raises(UsageError, match=r"2 edits and withdrawals were written here, and 0 are left; put back"):
        plan(trial)
    (trial.work / "edits.count").write_bytes(b"")
    with pytest.raises(UsageError, match=r"edits.count: is damaged"):
        plan(trial)
    (trial.work / "edits.count").unlink()
    assert plan(trial).reviewed.applied == 0
