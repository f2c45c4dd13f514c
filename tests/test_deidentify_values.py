"""The review of values: what stands in the table, how it is read back, and what may never be accepted."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialbids.exporter.deidentify.kept import Kept, read_kept
from trialbids.exporter.deidentify.marks import (
    LONGEST,
    Mark,
    Marks,
    hindrance,
    in_force,
    read_marks,
    value_id,
    write_marks,
)
from trialbids.exporter.deidentify.values import (
    COLUMNS,
    Line,
    Rules,
    Stopped,
    new_marks,
    review_lines,
    shown,
    write_review,
)
from trialbids.exporter.errors import UsageError
from trialbids.exporter.inventory.instance import Instance
from trialbids.exporter.stacks.stack import Stack
from trialbids.mappings.fields import allow_list

RULES = Rules(allow_list(), lambda text: "Meier" in text)
SIGNED = {"by": "R. Reader", "date": "2025-01-02T03:04:05"}
FIELDS = {f.keyword: f for f in allow_list().fields}


def write_sidecar(root: Path, subject: str, name: str, content: Mapping[str, Any]) -> None:
    folder = root / f"sub-{subject}" / "ses-01" / "anat"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"sub-{subject}_ses-01_{name}.json").write_text(json.dumps(content))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    write_sidecar(tmp_path, "A", "T1w", {"SequenceName": "*tse2d1_25", "EchoTime": 0.1, "ImageType": ["P", "ND"]})
    write_sidecar(tmp_path, "A", "T2w", {"SequenceName": "*tse2d1_25", "EchoTime": 0.2, "StudyInstanceUID": "2.25.1"})
    write_sidecar(tmp_path, "B", "T2w", {"SequenceName": "*fl3d1", "AcquisitionTime": "00:00:01.5", "TaskName": "rest"})
    write_sidecar(tmp_path, "B", "T2w_qc", {"SequenceName": "no sidecar"})
    return tmp_path


def kept_of(tree: Path) -> Kept:
    return read_kept(tree, allow_list())


def lines_of(tree: Path, *stopped: Stopped, marks: tuple[Mark, ...] = ()) -> tuple[Line, ...]:
    return review_lines(kept_of(tree), stopped, marks, RULES)


def test_each_distinct_value_has_one_line_with_images_and_subjects(tree: Path) -> None:
    lines = lines_of(tree, Stopped("SequenceName", "my seq", "A"), Stopped("SequenceName", "my seq", "A"))
    found = {(line.stands, line.field, line.value): (line.images, line.subjects) for line in lines}
    assert found == {
        ("stopped", "SequenceName", "my seq"): (2, 1),
        ("released", "SequenceName", "*tse2d1_25"): (2, 1),
        ("released", "SequenceName", "*fl3d1"): (1, 1),
        ("released", "ImageType", "P"): (1, 1),
        ("released", "ImageType", "ND"): (1, 1),
        ("released", "EchoTime", "0.1 to 0.2 (2 values)"): (2, 1),
    }  # no pseudonyms, no times, nothing that trialbids writes itself


def test_a_large_trial_makes_a_short_table(tmp_path: Path) -> None:
    for n in range(60):
        write_sidecar(
            tmp_path, f"P{n}", "T1w", {"EchoTime": n / 1000, "SeriesInstanceUID": f"2.25.{n}", "FlipAngle": n}
        )
    assert len(lines_of(tmp_path)) == 2


def test_what_was_lost_comes_first_and_what_is_marked_last(tree: Path) -> None:
    marked = Mark("SequenceName", "*fl3d1", "ok", **SIGNED)
    lines = lines_of(tree, Stopped("SequenceName", "my seq", "A"), Stopped("EchoTime", "123456", "A"), marks=(marked,))
    order = [(line.stands, line.field, line.value) for line in lines]
    assert order[0] == ("stopped", "SequenceName", "my seq")
    assert order[1] == ("released", "SequenceName", "*tse2d1_25")
    assert order[-2] == ("stopped", "EchoTime", "123456")  # nothing that a mark could change
    assert order[-1] == ("released", "SequenceName", "*fl3d1")


def test_the_table_is_private_and_no_cell_is_a_formula(tree: Path, tmp_path: Path) -> None:
    path = tmp_path / "review-values.tsv"
    write_review(
        path, lines_of(tree, Stopped("SequenceName", '=HYPERLINK("x")', "A"), Stopped("ScanOptions", "a\tb", "A"))
    )
    text = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "\t'=HYPERLINK" in text
    assert all(len(line.split("\t")) == len(COLUMNS) for line in text.splitlines())


def edited(path: Path, lines: tuple[Line, ...], marks: Mapping[str, str], separator: str = "\t", bom: str = "") -> Path:
    """The table as somebody leaves it who has marked some values."""
    rows = [separator.join(("mark", "value", "field", "id"))]
    rows += [
        separator.join((marks.get(line.value, ""), f'"{shown(line.value)}"', line.field, line.id)) for line in lines
    ]
    path.write_text(bom + "\r\n".join(rows) + "\r\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(("separator", "bom"), [("\t", ""), (";", "\ufeff"), (",", "\ufeff"), (",", "")])
def test_marks_are_read_as_a_spreadsheet_saves_them(tree: Path, tmp_path: Path, separator: str, bom: str) -> None:
    lines = lines_of(tree, Stopped("ReceiveCoilName", "Bärenspule; 4", "A"))
    sheet = edited(tmp_path / "e.csv", lines, {"Bärenspule; 4": " OK ", "*fl3d1": "No"}, separator, bom)
    assert set(new_marks(sheet, lines, (), RULES, **SIGNED)) == {
        Mark("ReceiveCoilName", "Bärenspule; 4", "ok", **SIGNED),
        Mark("SequenceName", "*fl3d1", "no", **SIGNED),
    }


@pytest.mark.parametrize("value", ['12" coil', '"quoted" coil', "=1+1", "a,b;c", "27\\LX\\DV26", "1.10", "NA"])
def test_the_written_table_itself_can_be_marked(tree: Path, tmp_path: Path, value: str) -> None:
    lines = lines_of(tree, Stopped("SoftwareVersions", value, "A"))
    path = tmp_path / "review-values.tsv"
    write_review(path, lines)
    row = value_id("SoftwareVersions", value)
    path.write_text(path.read_text().replace(f"{row}\t", f"{row}\tok"))
    assert new_marks(path, lines, (), RULES, **SIGNED) == (Mark("SoftwareVersions", value, "ok", **SIGNED),)


def test_what_is_marked_already_is_not_marked_again_and_the_other_word_takes_it_back(
    tree: Path, tmp_path: Path
) -> None:
    lines, old = lines_of(tree), (Mark("SequenceName", "*fl3d1", "no", "A. N. Other", "2024"),)
    assert new_marks(edited(tmp_path / "a.tsv", lines, {"*fl3d1": "no"}), lines, old, RULES, **SIGNED) == ()
    back = new_marks(edited(tmp_path / "b.tsv", lines, {"*fl3d1": "ok"}), lines, old, RULES, **SIGNED)
    assert [m.mark for m in back] == ["ok"]
    assert in_force((*old, *back), allow_list(), RULES.is_identifier) == Marks()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("seq\x07name", "control"),
        ("seq\u200bname", "control"),
        ("x" * (LONGEST + 1), "longer than 64"),
        ("coil Meier", "known identifier"),
    ],
)
def test_what_may_never_be_accepted_is_refused_with_a_sentence(
    tree: Path, tmp_path: Path, value: str, said: str
) -> None:
    lines = lines_of(tree, Stopped("SequenceName", value, "A"))
    sheet = edited(tmp_path / "e.tsv", lines, {value: "ok"})
    with pytest.raises(UsageError, match=rf"line 7: .*{said}.*\nNo mark was taken"):
        new_marks(sheet, lines, (), RULES, **SIGNED)


def test_numbers_and_fields_of_other_forms_are_not_marked(tree: Path, tmp_path: Path) -> None:
    lines = lines_of(tree, Stopped("StudyDescription", "knee of the mayor", "A"))
    for value, said in (
        ("0.1 to 0.2 (2 values)", "numbers are not marked"),
        ("knee of the mayor", "only values of text"),
    ):
        with pytest.raises(UsageError, match=said):
            new_marks(edited(tmp_path / "e.tsv", lines, {value: "ok"}), lines, (), RULES, **SIGNED)


def test_a_row_whose_value_was_changed_or_sorted_away_from_its_id_is_refused(tree: Path, tmp_path: Path) -> None:
    lines = lines_of(tree, Stopped("SequenceName", "1-2", "A"))
    sheet = tmp_path / "e.csv"
    sheet.write_text(f"id,mark,field,value\n{value_id('SequenceName', '1-2')},ok,SequenceName,02. Jan\n")
    with pytest.raises(UsageError, match="line 2: field and value are not those of this id"):
        new_marks(sheet, lines, (), RULES, **SIGNED)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,value\nv1,x\n", "no column mark"),
        ("mark,value\nok,x\n", "no column id"),
        ("id,mark\nv0000000000,ok\n", "line 2: no value has this id"),
        ("id,mark\n{fl},maybe\n", "line 2: the mark is 'maybe'"),
        ("id,mark\n{fl},ok\n{fl},no\n", "line 3: .* marked ok and no"),
    ],
)
def test_a_file_that_cannot_be_used_says_where_and_why(tree: Path, tmp_path: Path, text: str, said: str) -> None:
    sheet = tmp_path / "e.csv"
    sheet.write_text(text.replace("{fl}", value_id("SequenceName", "*fl3d1")))
    with pytest.raises(UsageError, match=said):
        new_marks(sheet, lines_of(tree), (), RULES, **SIGNED)


def test_a_missing_file_is_named(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such file"):
        new_marks(tmp_path / "none.tsv", lines_of(tree), (), RULES, **SIGNED)


def test_marks_decide_what_leaves(tree: Path) -> None:
    marks = in_force(
        (Mark("SequenceName", "my seq", "ok", **SIGNED), Mark("SequenceName", "*fl3d1", "no", **SIGNED)),
        allow_list(),
        RULES.is_identifier,
    )
    name = FIELDS["SequenceName"]
    assert marks.lets(name, "my seq")
    assert not marks.lets(name, "*fl3d1")
    assert marks.lets(name, "*tse2d1_25")
    assert not marks.lets(name, "my other seq")
    assert not marks.lets(FIELDS["ReceiveCoilName"], "my seq")


def test_an_accepted_value_that_becomes_a_known_identifier_is_held_again() -> None:
    marks = (Mark("SequenceName", "Muster", "ok", **SIGNED),)
    assert in_force(marks, allow_list(), lambda _: False).accepted == {("SequenceName", "Muster")}
    assert in_force(marks, allow_list(), lambda text: text == "Muster") == Marks()


def test_a_mark_on_a_field_that_the_trial_left_out_does_nothing() -> None:
    marks = (Mark("SequenceName", "my seq", "ok", **SIGNED), Mark("SequenceName", "*fl3d1", "no", **SIGNED))
    assert in_force(marks, allow_list().changed(drop=("SequenceName",)), lambda _: False) == Marks()


def test_only_stacks_with_a_marked_value_are_made_again() -> None:
    instance = Instance(path="", SequenceName="my seq", ImageType=("A", "B"))
    stack = Stack(stack_id="s", acquisition_id="a", instances=(instance,), volume=(0,), n_slices=1, n_volumes=1)
    assert Marks(frozenset({("SequenceName", "my seq")})).on(stack) == ("ok SequenceName my seq",)
    assert Marks(rejected=frozenset({("ImageType", "B")})).on(stack) == ("no ImageType B",)
    assert Marks(rejected=frozenset({("ImageType", "A_B")})).on(stack) == ("no ImageType A_B",)
    assert Marks(frozenset({("SequenceName", "another")})).on(stack) == ()


TEXT = st.text(st.characters(exclude_categories=()), max_size=80)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.sampled_from(sorted(FIELDS)), TEXT, st.sampled_from(["ok", "no"])), max_size=8))
def test_law_marks_come_back_as_they_were_kept(
    tmp_path_factory: pytest.TempPathFactory, said: list[tuple[str, str, str]]
) -> None:
    path = tmp_path_factory.mktemp("marks") / "marks.tsv"
    marks = tuple(Mark(*one, **SIGNED) for one in said)
    write_marks(path, marks)
    assert read_marks(path) == marks


@given(st.sampled_from(sorted(FIELDS)), TEXT)
def test_law_nothing_unprintable_long_or_identifying_is_ever_accepted(field: str, value: str) -> None:
    marks = in_force((Mark(field, value, "ok", **SIGNED),), allow_list(), RULES.is_identifier)
    for keyword, text in marks.accepted:
        assert FIELDS[keyword].action in ("pattern", "words")
        assert text.isprintable()
        assert len(text) <= LONGEST
        assert "Meier" not in text
    assert bool(marks.accepted) <= (hindrance(FIELDS[field], value, RULES.is_identifier) == "")


def test_a_damaged_list_of_marks_is_named(tmp_path: Path) -> None:
    path = tmp_path / "marks.tsv"
    path.write_text("field\tvalue\tmark\tby\tdate\nSequenceName\tx\tperhaps\tme\tnow\n")
    with pytest.raises(UsageError, match="line 2: the mark is 'perhaps'"):
        read_marks(path)
    path.write_text("field\tvalue\nSequenceName\tx\n")
    with pytest.raises(UsageError, match="damaged"):
        read_marks(path)


def test_a_broken_sidecar_is_named(tree: Path) -> None:
    (tree / "sub-A" / "ses-01" / "anat" / "sub-A_ses-01_T1w.json").write_text("{")
    with pytest.raises(UsageError, match=r"sub-A_ses-01_T1w\.json: this sidecar cannot be read"):
        kept_of(tree)
