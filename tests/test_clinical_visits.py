"""The trial's schedule: rows find their session by name and window or by day, and nothing is guessed."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialbids.exporter.clinical.join import ClinicalRows, join_clinical
from trialbids.exporter.clinical.schedule import Schedule
from trialbids.exporter.errors import UsageError
from trialbids.exporter.plan.visits import Visit
from trialbids.exporter.trial import Clinical, VisitWindow, load_trial

START = date(2020, 1, 10)
PLAN = {"V1": VisitWindow(day=0, window=14), "V2": VisitWindow(day=180, window=14)}


def visit(session: str, day: int, subject: str = "AAA", identity: str = "P1") -> Visit:
    at = f"{START + timedelta(days=day):%Y%m%d}"
    return Visit(subject, session, "S1", f"n\0{identity}", at, at, day)


def join(folder: Path, text: str, *visits: Visit, baseline: str | None = None, **config: Any) -> ClinicalRows:
    table = folder / "clinical.csv"
    table.write_text(text, encoding="utf-8")
    columns = config.pop("columns", {"score": "number"})
    values = {"table": table, "subject": "id", "into": "sessions", "columns": columns, **config}
    return join_clinical([Clinical.model_validate(values)], visits, schedule=PLAN, baseline=baseline)


def test_a_visit_is_the_session_in_its_window(tmp_path: Path) -> None:
    rows = join(tmp_path, "id,v,score\nP1,V1,1\nP1,v2,2\n", visit("01", 0), visit("02", 190), visit="v")
    assert rows.sessions == {("AAA", "01"): {"score": "1"}, ("AAA", "02"): {"score": "2"}}
    assert not rows.unmatched


def test_a_session_outside_of_all_windows_is_listed_on_both_sides(tmp_path: Path) -> None:
    rows = join(tmp_path, "id,v,score\nP1,V1,1\nP1,V2,2\n", visit("01", 0), visit("02", 195), visit="v")
    assert rows.sessions == {("AAA", "01"): {"score": "1"}}
    assert "line 3: no images of this visit: no session lies in its window (day 180 ± 14)" in rows.unmatched[0]
    assert rows.unmatched[1] == "sub-AAA ses-02: no row in clinical.csv"


def test_of_two_sessions_in_one_window_none_is_taken_unless_one_has_the_visits_name(tmp_path: Path) -> None:
    text = "id,v,score\nP1,V2,2\n"
    rows = join(tmp_path, text, visit("01", 0), visit("02", 175), visit("03", 185), visit="v")
    assert not rows.sessions and "2 sessions lie in its window" in rows.unmatched[0]
    named = join(tmp_path, text, visit("01", 0), visit("02", 175), visit("V2", 185), visit="v")
    assert named.sessions == {("AAA", "V2"): {"score": "2"}}


def test_a_name_that_is_not_in_the_schedule_is_no_number(tmp_path: Path) -> None:
    rows = join(tmp_path, "id,v,score\nP1,1,1\nP1,V9,1\nP1,ses-02,3\n", visit("01", 0), visit("02", 180), visit="v")
    assert rows.sessions == {("AAA", "02"): {"score": "3"}}
    why = "its visit is no visit of the schedule (V1, V2) and no session's label"
    assert rows.unmatched[:2] == (f"clinical.csv line 2: {why}", f"clinical.csv line 3: {why}")


def test_criteria_ask_a_visit_for_its_own_value(tmp_path: Path) -> None:
    text = "id,v,score\nP1,V1,40\nP1,V2,\n"
    rows = join(tmp_path, text, visit("01", 0), visit("02", 180), visit="v")
    assert rows.by_visit == {"score"} and rows.visit_values["AAA", "02"] == {"score": None}
    assert rows.values["AAA"] == {"score": 40.0}, "all visits that have a value agree"
    rows = join(tmp_path, "id,score\nP1,40\n", visit("01", 0), visit("02", 180))
    assert not rows.by_visit, "a table without visits speaks of the participant"


def test_days_count_from_the_baseline_that_the_trial_names(tmp_path: Path) -> None:
    columns = {"score": "number", "randomised": {"type": "date", "release": False}}
    text = "id,v,score,randomised\nP1,V2,2,2019-12-01\n"
    sessions = (visit("01", 0), visit("02", 150))
    rows = join(tmp_path, text, *sessions, visit="v", baseline="randomised", columns=columns)
    assert rows.sessions == {("AAA", "02"): {"score": "2"}}, "190 days after the baseline, 150 after the first session"
    assert rows.visit_values["AAA", "02"]["randomised"] == -40.0 and "randomised" not in rows.described
    text = "id,v,score,randomised\nP1,V1,1,2019-12-01\nP1,V2,2,2019-12-05\n"
    rows = join(tmp_path, text, *sessions, visit="v", baseline="randomised", columns=columns)
    assert not rows.sessions and "has several days" in rows.refused[0]


def test_a_row_with_a_day_goes_to_the_nearest_session_within_the_window(tmp_path: Path) -> None:
    text = "id,drawn,score\nP1,2020-01-13,1\nP1,2020-03-01,2\n"
    rows = join(tmp_path, text, visit("01", 0), visit("02", 20), date="drawn", window=7)
    assert rows.sessions == {("AAA", "01"): {"score": "1"}}
    assert "line 3: no images of this visit: no session lies within 7 days" in rows.unmatched[0]


def test_a_day_equally_near_to_two_sessions_and_two_rows_equally_near_are_listed(tmp_path: Path) -> None:
    rows = join(tmp_path, "id,drawn,score\nP1,2020-01-12,1\n", visit("01", 0), visit("02", 4), date="drawn", window=7)
    assert not rows.sessions and "two sessions lie equally near" in rows.unmatched[0]
    text = "id,drawn,score\nP1,2020-01-12,1\nP1,2020-01-08,2\n"
    rows = join(tmp_path, text, visit("01", 0), date="drawn", window=7)
    assert not rows.sessions and sum("with equal right" in s for s in rows.unmatched) == 2


def test_the_nearer_of_two_rows_is_taken_and_the_other_listed(tmp_path: Path) -> None:
    text = "id,drawn,score\nP1,2020-01-14,1\nP1,2020-01-11,2\n"
    rows = join(tmp_path, text, visit("01", 0), date="drawn", window=7)
    assert rows.sessions == {("AAA", "01"): {"score": "2"}}
    assert rows.unmatched == ("clinical.csv line 2: another row lies nearer to sub-AAA ses-01",)


def test_without_a_window_of_the_table_a_day_has_that_of_the_visit_due(tmp_path: Path) -> None:
    text = "id,drawn,score\nP1,2020-01-20,1\nP1,2020-04-01,2\n"
    rows = join(tmp_path, text, visit("01", 0), visit("02", 80), date="drawn")
    assert rows.sessions == {("AAA", "01"): {"score": "1"}}
    assert "lies in no window of the schedule" in rows.unmatched[0]


def test_two_rows_of_one_visit_are_a_mistake_of_the_table(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="line 3: a second row for the same subject and visit, after line 2"):
        join(tmp_path, "id,v,score\nP1,V1,1\nP1,V1,2\n", visit("01", 0), visit="v")


@given(
    days=st.lists(st.integers(0, 400), min_size=1, max_size=6, unique=True),
    due=st.integers(0, 400),
    width=st.integers(0, 60),
)
def test_a_name_matches_just_where_one_session_lies_in_the_window(days: list[int], due: int, width: int) -> None:
    sessions = [visit(f"{n:02}", day) for n, day in enumerate(sorted(days), start=1)]
    match = Schedule({"V": VisitWindow(day=due, window=width)}).by_name("V", sessions)
    inside = [s for s in sessions if s.day is not None and due - width <= s.day <= due + width]
    assert list(match.visits) == (inside if len(inside) == 1 else [])
    assert bool(match.reason) == (len(inside) != 1)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("clinical: {table: a.csv, subject: id, date: d, columns: {x: number}}\n", 3, "give window"),
        ("visits: {V1: {day: 0, windw: 3}}\n", 3, "unknown key; known here: day, optional, window"),
        ("baseline: seen\nvisits: {V1: {day: 0}}\n", 3, "no column of type date"),
        (
            "clinical:\n- {table: a.csv, subject: id, columns: {x: number}}\n"
            "- {table: a.csv, subject: id, columns: {x: number}}\n",
            3,
            "two tables have a column x",
        ),
        (
            "clinical:\n- table: a.csv\n  subject: id\n  columns:\n    x: {type: number, unitt: mm}\n",
            7,
            "clinical.0.columns.x.unitt: unknown key; known here: allow_text, as",
        ),
        ("clinical:\n- table: none.csv\n  subject: id\n  columns: {x: number}\n", 4, "clinical.0.table: there is no"),
        ("clinical: {table: a.csv, subject: id, columns: {x: text}}\n", 3, "free text does not leave"),
    ],
)
def test_a_wrong_line_of_the_configuration_is_named(tmp_path: Path, text: str, line: int, words: str) -> None:
    (tmp_path / "a.csv").write_text("id,x\n")
    path = tmp_path / "trial.yaml"
    path.write_text("sources: [d]\noutput: b\n" + text)
    with pytest.raises(UsageError) as error:
        load_trial(path)
    assert words in str(error.value)
    if not words.startswith(("give", "two", "no column")):
        assert f"line {line}:" in str(error.value)
