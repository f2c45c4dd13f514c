"""An edited plan is read back whatever the spreadsheet made of the file: only what a person changed is an edit."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reviewmaker import of, plan, rows, small_trial

from trialbids.exporter.errors import UsageError
from trialbids.exporter.pipeline import Plan
from trialbids.exporter.plan.row import plan_columns
from trialbids.exporter.review.read import Current, Signature, new_edits
from trialbids.exporter.review.sheet import read_sheet
from trialbids.exporter.review.values import canonical, editable, same
from trialbids.mappings.record import format_cell
from trialbids.mappings.vocabulary import vocabulary

ANNA = Signature("Anna Muster", "2026-01-02T03:04:05")
Table = list[dict[str, str]]


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Table]:
    trial = small_trial(tmp_path_factory.mktemp("small"))
    made = plan(trial)
    return made, rows(trial)


def edits_in(path: Path, made: Plan, table: Sequence[dict[str, str]]) -> dict[tuple[str, str], str]:
    current = Current(made.own, made.visits, (), ())
    return {(e.stack_id, e.attribute): e.new for e in new_edits(read_sheet(path), current, [table], ANNA)}


def wrong(path: Path, planned: tuple[Plan, Table]) -> str:
    with pytest.raises(UsageError) as error:
        edits_in(path, *planned)
    return str(error.value)


@st.composite
def dialects(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "delimiter": draw(st.sampled_from(";,\t")),
        "encoding": draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"])),
        "lineterminator": draw(st.sampled_from(["\n", "\r\n", "\r"])),
        "quoting": draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
        "empty": draw(st.sampled_from(["", "n/a", "NA", " "])),
        "numbers": draw(st.sampled_from(["as they are", "no leading zeros", "decimal comma"])),
        "upper": draw(st.booleans()),
        "blank_lines": draw(st.booleans()),
        "sep_line": draw(st.booleans()),
    }


def as_program(cell: str, dialect: dict[str, Any]) -> str:
    """The cell as a spreadsheet saves it."""
    if cell == "":
        return dialect["empty"]
    if dialect["numbers"] == "no leading zeros" and cell.isdigit():
        return str(int(cell)) if len(cell) < 12 else f"{float(cell):.5E}"
    if dialect["numbers"] == "decimal comma" and cell.replace(".", "", 1).isdigit():
        return cell.replace(".", ",")
    return cell


def save(path: Path, table: Sequence[dict[str, str]], columns: Sequence[str], dialect: dict[str, Any]) -> None:
    text = io.StringIO()
    if dialect["sep_line"]:
        text.write(f"sep={dialect['delimiter']}{dialect['lineterminator']}")
    own = {name: dialect[name] for name in ("delimiter", "lineterminator", "quoting")}
    writer = csv.writer(text, **own)
    writer.writerow([c.upper() if dialect["upper"] else c for c in columns])
    for row in table:
        writer.writerow([as_program(row[c], dialect) for c in columns])
        if dialect["blank_lines"]:
            writer.writerow([""] * len(columns))
    path.write_bytes(text.getvalue().encode(dialect["encoding"]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(dialect=dialects(), data=st.data())
def test_only_the_edited_cells_are_edits_in_every_dialect(
    planned: tuple[Plan, Table], tmp_path: Path, dialect: dict[str, Any], data: st.DataObject
) -> None:
    made, table = planned
    wanted: dict[tuple[str, str], str] = {}
    edited = [dict(row) for row in table]
    for row in edited:
        if data.draw(st.booleans()):
            value = data.draw(st.sampled_from([s for s in ("T1w", "PDw", "FLAIR", "bSSFP") if s != row["sequence"]]))
            row["sequence"] = wanted[row["stack_id"], "sequence"] = value
        if data.draw(st.booleans()):
            row["decision"] = "exclude"
            wanted[row["stack_id"], "decision"] = "exclude"
    kept = {s for s, _ in wanted}
    left = [row for row in edited if row["stack_id"] in kept or data.draw(st.booleans())]
    extra = [c for c in plan_columns() if c not in ("stack_id", "sequence", "decision") and data.draw(st.booleans())]
    columns = data.draw(st.permutations(["stack_id", "sequence", "decision", *extra]))
    save(tmp_path / "edited.csv", data.draw(st.permutations(left)), columns, dialect)
    assert edits_in(tmp_path / "edited.csv", made, table) == wanted


def test_an_id_that_a_spreadsheet_takes_for_a_number_is_still_known(
    planned: tuple[Plan, Table], tmp_path: Path
) -> None:
    made, table = planned
    first = table[0]["stack_id"]
    for stack_id, shown in (
        ("004512345678", "4512345678"),
        ("123456789012", "1.23457E+11"),
        ("1234567890e1", "1.23457E+10"),
    ):
        base = [{**table[0], "stack_id": stack_id}, *table[1:]]
        (tmp_path / "edited.csv").write_text(f"stack_id;decision\n{shown};exclude\n")
        assert first not in {row["stack_id"] for row in base}
        assert edits_in(tmp_path / "edited.csv", made, base) == {(stack_id, "decision"): "exclude"}


@given(record=st.sampled_from([a for a in vocabulary().values() if a.kind == "word"]), data=st.data())
def test_a_legal_word_is_read_in_any_case_and_nothing_else_is(record: Any, data: st.DataObject) -> None:
    word = data.draw(st.sampled_from([v for v in record.values if v != "multi"]))
    assert canonical(record.name, f" {word} ") == word
    assert canonical(record.name, word.upper()) == word
    with pytest.raises(ValueError, match=r"it takes .*" + word):
        canonical(record.name, word + "x")


@given(st.lists(st.integers(0, 3000).map(float) | st.floats(0, 3000).map(lambda v: round(v, 1)), max_size=5))
def test_a_list_of_numbers_is_written_as_the_plan_writes_it(values: list[float]) -> None:
    cell = format_cell(tuple(values))
    assert canonical("bvalues", cell) == cell
    assert canonical("bvalues", cell.replace(" ", "; ")) == cell
    assert same(cell, cell.replace(" ", "  "))


def test_a_list_that_can_be_read_in_two_ways_is_not_guessed() -> None:
    with pytest.raises(ValueError, match="two ways"):
        canonical("bvalues", "50,800")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "no column stack_id"),
        (b"sequence;decision\nT1w;keep\n", "no column stack_id"),
        (b"stack_id;subject\nabc;S1\n", "no column that can be edited; those are decision, sequence"),
        (b"stack_id;sequence;sequence\n", "the column sequence stands twice"),
        (b"PK\x03\x04zip", "is a workbook; save it as CSV UTF-8"),
        (b'stack_id;sequence\n"abc;T1w\n', "a quote is not closed"),
        (b"stack_id;sequence\na;T1w;x\n", "line 2: more cells"),
        (b"\x00\x01\x02", "this is no text"),
    ],
)
def test_what_is_no_edited_plan_is_refused_with_a_sentence(
    planned: tuple[Plan, Table], tmp_path: Path, content: bytes, what: str
) -> None:
    path = tmp_path / "edited.csv"
    path.write_bytes(content)
    sentence = wrong(path, planned)
    assert str(path) in sentence and what in sentence


def test_every_fault_of_a_sheet_is_named_with_its_line(planned: tuple[Plan, Table], tmp_path: Path) -> None:
    _, table = planned
    (first, second), mystery = of(table, "t2 sag"), of(table, "mystery")[0]
    path = tmp_path / "edited.csv"
    path.write_text(
        "stack_id;sequence;decision;subject\n"
        f"{first};T2;keep;\n"
        f"{second};;keep;somebody\n"
        "nobody;T1w;keep;\n"
        f"{mystery};unknown;keep;\n"
    )
    sentences = wrong(path, planned).splitlines()
    assert [s.removeprefix(f"{path}: ").split(":")[0] for s in sentences[:-1]] == [
        "line 2", "line 3", "line 3", "line 4", "line 5",
    ]  # fmt: skip
    assert "column sequence: 'T2' is not one of its values; it takes T1w, T2w" in sentences[0]
    assert "column sequence: the cell is empty" in sentences[1]
    assert "cannot be edited; what can be is decision, sequence" in sentences[2]
    assert "there is no stack 'nobody'" in sentences[3]
    assert "this stack cannot be kept: the header does not say" in sentences[4]
    assert sentences[-1] == "No edit was taken."


def test_two_rows_of_one_stack_that_disagree_are_named_by_both_lines(
    planned: tuple[Plan, Table], tmp_path: Path
) -> None:
    made, table = planned
    stack = table[0]["stack_id"]
    path = tmp_path / "edited.csv"
    path.write_text(f"stack_id,sequence\n{stack},PDw\n\n{stack},T1w\n")
    assert "'PDw' on line 2 and 'T1w' on line 4" in wrong(path, planned)
    path.write_text(f"stack_id,sequence\n{stack},PDw\n{stack},pdw\n")
    assert edits_in(path, made, table) == {(stack, "sequence"): "PDw"}


@pytest.mark.parametrize("column", [c for c in plan_columns() if c not in editable() and c != "stack_id"])
def test_what_cannot_be_edited_is_refused_if_it_was(planned: tuple[Plan, Table], tmp_path: Path, column: str) -> None:
    _, table = planned
    path = tmp_path / "edited.csv"
    path.write_text(f"stack_id,sequence,{column}\n{table[0]['stack_id']},T2w,changed\n")
    assert f"line 2: column {column}: " in wrong(path, planned)


def test_a_formula_that_the_spreadsheet_saw_in_a_description_is_no_edit(
    planned: tuple[Plan, Table], tmp_path: Path
) -> None:
    made, table = planned
    base = [{**table[0], "description": "+C tra"}, *table[1:]]
    path = tmp_path / "edited.csv"
    path.write_text(f"stack_id,sequence,description\n{table[0]['stack_id']},T2w,#NAME?\n")
    assert edits_in(path, made, base) == {}


@pytest.mark.parametrize(
    ("name", "least", "most"), [("echo_index", 1, 9_999), ("phase_time_s", 0, 86_400), ("bvalues", 0, 99_999)]
)
def test_numbers_outside_their_range_are_refused_with_the_range(name: str, least: int, most: int) -> None:
    for legal in (least, most):
        assert canonical(name, str(legal)) == str(legal)
    for cell in (str(most + 1), "9" * 300, "1e200", "9" * 400, "-1", "inf"):
        with pytest.raises(ValueError, match=f"{least} to {most:,}") as error:
            canonical(name, cell)
        assert len(str(error.value)) < 120


@pytest.mark.parametrize("separator", ["ab", "\t;,", "|", '"', "x"])
def test_a_line_that_names_no_separator_is_refused(planned: tuple[Plan, Table], tmp_path: Path, separator: str) -> None:
    path = tmp_path / "edited.csv"
    path.write_text(f"sep={separator}\nstack_id;sequence\n{planned[1][0]['stack_id']};PDw\n")
    assert "line 1: " in (said := wrong(path, planned)) and "names no comma, semicolon or tab" in said
