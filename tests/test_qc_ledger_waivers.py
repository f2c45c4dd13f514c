"""Waivers and damaged tables: one sentence each that says what was expected, and nothing is lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from test_qc_ledger import cycle, gap

from trialbids.exporter.errors import UsageError
from trialbids.exporter.qc.ledger.public import public_rows
from trialbids.exporter.qc.ledger.record import check_ledger
from trialbids.exporter.qc.ledger.status import Asked, status_of
from trialbids.exporter.qc.ledger.waive import Wish, waive
from trialbids.exporter.qc.ledger.waivers import waived_ids
from trialbids.exporter.tables import read_tsv

TODAY = date(2026, 3, 1)
FIRST, SECOND = gap("s1"), gap("s2")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A work folder after a cycle with two issues."""
    cycle(tmp_path, FIRST, SECOND)
    return tmp_path


def refused(work: Path, **wish: object) -> str:
    """The sentence with which a wish is refused; nothing was written."""
    before = {path: path.read_bytes() for path in work.iterdir()}
    given = {"ids": (FIRST.id,), "by": "AB", "reason": "known", **wish}
    with pytest.raises(UsageError) as error:
        waive(work, Wish(**given), TODAY)  # pyright: ignore[reportArgumentType]
    assert {path: path.read_bytes() for path in work.iterdir()} == before
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ({"ids": (FIRST.id, FIRST.id)}, f"{FIRST.id}: is given twice; give every issue once"),
        ({"by": "Anna Berg"}, "--by 'Anna Berg': is no code of a person; expected a code of letters, digits"),
        ({"by": ""}, "--by '': is no code"),
        ({"reason": "  "}, "--reason: is empty; say in one line why"),
        ({"reason": "one\ntwo"}, "--reason: expected one line of 500 characters at most"),
        ({"reason": "x" * 501}, "--reason: expected one line"),
        ({"until": "2026-02-28"}, "--until 2026-02-28: this day is past"),
        ({"until": "31.12.2026"}, "--until 31.12.2026: expected a day such as 2026-01-31"),
        ({"until": "20261231"}, "--until 20261231: expected a day such as 2026-01-31"),
        ({"ids": (SECOND.id, "G04-0000000000")}, "G04-0000000000: is no issue of "),
        ({"revoke": True}, f"{FIRST.id}: has no waiver that could be revoked"),
    ],
)
def test_a_wish_that_says_too_little_is_refused_whole(work: Path, wish: dict[str, object], expected: str) -> None:
    assert refused(work, **wish).startswith(expected)


def test_a_slip_in_an_id_gets_a_hint(work: Path) -> None:
    slip = FIRST.id[:-1] + ("0" if FIRST.id[-1] != "0" else "1")
    assert refused(work, ids=(slip,)).endswith(f"did you mean {FIRST.id}?")


def test_what_is_resolved_cannot_be_waived(work: Path) -> None:
    cycle(work, FIRST, day=1)
    assert refused(work, ids=(SECOND.id,)) == f"{SECOND.id}: is resolved, so there is nothing to waive"


def test_the_last_day_is_today(work: Path) -> None:
    waive(work, Wish((FIRST.id,), "AB", "known", TODAY.isoformat()), TODAY)
    assert set(waived_ids(work, TODAY)) == {FIRST.id}


def test_a_second_waiver_takes_the_place_of_the_first_and_both_stay_in_the_history(work: Path) -> None:
    assert waive(work, Wish((FIRST.id,), "AB", "first", "2026-04-01"), TODAY).updated == ()
    done = waive(work, Wish((FIRST.id, SECOND.id), "CD", "second"), TODAY)
    assert done.updated == (FIRST.id,)
    assert [(line["by"], line["reason"]) for line in read_tsv(work / "waivers.tsv")] == [
        *(("AB", "first"), ("CD", "second"), ("CD", "second")),
    ]
    assert [(r["waived_by"], r["waived_until"]) for r in read_tsv(work / "issues.tsv")] == [("CD", ""), ("CD", "")]


def test_the_history_keeps_what_a_person_added_to_it(work: Path) -> None:
    waive(work, Wish((FIRST.id,), "AB", "known"), TODAY)
    path = work / "waivers.tsv"
    head, line, _ = path.read_text().split("\n")
    own = f"\ufeffmeeting\t{head}\r\n12 May\t{line}\r\n"  # a column more, saved by a spreadsheet
    path.write_text(own, encoding="utf-8", newline="")
    waive(work, Wish((SECOND.id,), "AB", "known as well"), TODAY)
    assert path.read_bytes().startswith(own.encode())
    assert set(waived_ids(work, TODAY)) == {FIRST.id, SECOND.id}


def damage(work: Path, name: str, old: str, new: str) -> str:
    """The sentence about a table in which something was replaced; the table stays as it is."""
    waive(work, Wish((SECOND.id,), "AB", "known", "2026-05-01"), TODAY)
    path = work / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    before = {p: p.read_bytes() for p in work.iterdir()}
    for use in (lambda: check_ledger(work), lambda: cycle(work, FIRST)):
        with pytest.raises(UsageError) as error:
            use()
    assert {p: p.read_bytes() for p in work.iterdir()} == before
    sentence = str(error.value)
    assert sentence.startswith(f"{path}: ") and sentence.endswith("; put back a copy of it") and "\n" not in sentence
    return sentence.removeprefix(f"{path}: ").removesuffix("; put back a copy of it")


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("issues.tsv", "\tstate\t", "\tState\t", "line 1: has no column state; expected issue_id, check, level"),
        ("issues.tsv", "\topen\t", "\tdone\t", "line 2: state is 'done'; expected one of open, waived, resolved"),
        ("issues.tsv", "\topen\t", "\topen\t\t", "line 2: is not whole: expected 25 cells parted by tabs and found 26"),
        ("issues.tsv", "\terror\t", "\tgrave\t", "line 2: severity is 'grave'; expected one of error, warning, info"),
        ("issues.tsv", "2026-03-01", "01.03.2026", "line 2: first_seen is '01.03.2026'; expected a day such as"),
        ("issues.tsv", FIRST.id, FIRST.id.upper(), "line 2: issue_id is"),
        ("issues.tsv", FIRST.id, SECOND.id, f"line 3: {SECOND.id} stands twice"),
        ("issues.tsv", "\tG04\t", "\tG05\t", "line 2: check is 'G05'; expected that of the issue, G04"),
        ("issues.tsv", "\tmessage\t", "\tcheck\t", "line 1: has no column message"),
        ("issues.tsv", "\tnote\n", "\tcheck\n", "line 1: the column check stands twice"),
        ("waivers.tsv", "\twaived\n", "\twai", "line 2: state is 'wai'; expected one of waived, revoked"),
        ("waivers.tsv", "\tknown\t", "\t", "line 2: is not whole: expected 8 cells parted by tabs and found 7"),
        ("waivers.tsv", "\tdigest\t", "\t\t", "line 1: has no column digest"),
        ("waivers.tsv", "2026-05-01", "soon", "line 2: until is 'soon'; expected a day such as 2026-01-31"),
        ("cycles.tsv", "\n1\t", "\none\t", "line 2: cycle is 'one'; expected a whole number"),
        (
            "cycles.tsv",
            "\n1\t",
            "\n" + "9" * 5000 + "\t",
            f"line 2: cycle is '{'9' * 40}…'; expected a whole number of 9",
        ),
        ("cycles.tsv", "2026-03-01T", "yesterday ", "line 2: when is 'yesterday 09:30:00'; expected a day and an hour"),
        ("cycles.tsv", "header plan", "header Jane", "line 2: steps is 'header Jane'; expected some of header, plan"),
        (
            "cycles.tsv",
            "plan\t2\t",
            "plan\t7\t",
            "line 2: open is '7'; expected 2, the sum of open_error, open_warning",
        ),
        ("cycles-by-check.tsv", "\tsite\t", "\tplace\t", "line 1: has no column site"),
        ("issues.tsv", "\tstack\t", "\tJane\t", "line 2: level is 'Jane'; expected one of instance, series, stack"),
        ("issues.tsv", "\theader\t", "\tnever\t", "line 2: step is 'never'; expected one of header, plan, pixel"),
        ("waivers.tsv", "\tG04\t", "\tG05\t", "line 2: check is 'G05'; expected that of the issue, G04"),
        (
            "waivers.tsv",
            "2026-05-01",
            "2026-02-01",
            "line 2: until is '2026-02-01'; expected 2026-03-01, the day on which",
        ),
        ("waivers.tsv", "2026-03-01", "2026-02-31", "line 2: made is '2026-02-31'; expected a day such as"),
        ("waivers.tsv", "\tknown\t", "\t\t", "line 2: reason is empty; expected a sentence that says why"),
        ("waivers.tsv", "\tAB\t", "\tAnna Berg\t", "line 2: by is 'Anna Berg'; expected a code of letters"),
        ("waivers.tsv", "\twaived\n", "\trevoked\n", "line 2: state is 'revoked'; expected waived, as no earlier line"),
    ],
)
def test_a_damaged_table_is_told_by_its_line(work: Path, name: str, old: str, new: str, expected: str) -> None:
    assert damage(work, name, old, new).startswith(expected)


def test_bytes_that_are_no_text_are_told(work: Path) -> None:
    (work / "waivers.tsv").write_bytes(b"issue_id\t\xff\n")
    with pytest.raises(UsageError, match="is not UTF-8 text"):
        waived_ids(work, TODAY)


def cell(work: Path, name: str, line: int, **cells: str) -> None:
    """Change cells of a table, as a spreadsheet does."""
    path = work / name
    lines = path.read_text().split("\n")
    row = dict(zip(lines[0].split("\t"), lines[line - 1].split("\t"), strict=True))
    assert set(cells) <= set(row)
    lines[line - 1] = "\t".join((row | cells).values())
    path.write_text("\n".join(lines))


def unfit(work: Path) -> str:
    """The sentence with which issues and cycles that do not fit each other stop whoever reads them."""
    told = set()
    for use in (
        lambda: check_ledger(work),
        lambda: status_of(work, Asked(), TODAY),
        lambda: waive(work, Wish((FIRST.id,), "AB", "known"), TODAY),
    ):
        with pytest.raises(UsageError) as error:
            use()
        told.add(str(error.value).removeprefix(f"{work}/"))
    (sentence,) = told
    return sentence


def test_cycles_that_do_not_fit_the_issues_are_told_with_their_line(work: Path) -> None:
    cell(work, "cycles.tsv", 2, open="2", open_error="1", open_warning="1")
    assert unfit(work) == (
        "cycles.tsv: line 2: cycle 1 counts 1 open or waived issues of severity error, where issues.tsv holds 2; "
        "put back a copy of it"
    )


def test_an_issue_that_nobody_counted_is_told(work: Path) -> None:
    cell(work, "cycles.tsv", 2, open="1", open_error="1")
    assert unfit(work).startswith("cycles.tsv: line 2: cycle 1 counts 1 open or waived issues of severity error")


def test_an_issue_of_a_cycle_that_never_was_is_told(work: Path) -> None:
    cell(work, "issues.tsv", 2, cycle_last="99")
    assert "names cycle 99; expected 2 at most, one more than cycles.tsv has" in unfit(work)


def test_cycles_that_were_taken_away_are_missed(work: Path) -> None:
    cycle(work, FIRST, SECOND, day=1)
    (work / "cycles.tsv").unlink()
    assert unfit(work).startswith(
        "cycles.tsv: holds no cycle, where issues.tsv names 2; put back a copy of it, or take"
    )


def test_counts_by_check_that_are_not_those_of_the_cycle_are_told(work: Path) -> None:
    cycle(work, FIRST, SECOND, day=1)
    (work / "cycles-by-check.tsv").unlink()
    with pytest.raises(UsageError, match=r"counts 0 open issues in cycle 1; expected 2, as cycles\.tsv says"):
        status_of(work, Asked(cycle=1), TODAY)


def test_a_waiver_of_no_issue_and_one_for_another_reason_are_remarked_upon(work: Path) -> None:
    waive(work, Wish((FIRST.id,), "AB", "known"), TODAY)
    path = work / "waivers.tsv"
    line = path.read_text().split("\n")[1]
    stranger = line.replace(FIRST.id, "G04-0000000000")
    path.write_text(path.read_text() + line.replace("known", "something else") + "\n" + stranger + "\n")
    expected = (
        f"{path}: line 3: {FIRST.id} is waived in line 2 for another reason; this line holds",
        f"{path}: line 4: G04-0000000000 is no issue of issues.tsv, so this line does nothing",
    )
    assert status_of(work, Asked(), TODAY).remarks == expected
    done = cycle(work, FIRST, SECOND, day=1)
    assert done.remarks == expected and done.cycle.total("waived") == 1


def test_a_clock_that_was_put_back_does_not_lock_the_ledger(work: Path) -> None:
    wish = Wish((FIRST.id,), "AB", "known")
    waive(work, wish, TODAY)
    yesterday = TODAY - timedelta(days=1)
    waive(work, replace(wish, revoke=True), yesterday)
    waive(work, wish, yesterday)
    check_ledger(work)
    assert [row["made"] for row in read_tsv(work / "waivers.tsv")] == ["2026-03-01"] * 3
    assert waived_ids(work, yesterday) == {FIRST.id: FIRST.digest}
    with pytest.raises(UsageError, match="--until 2026-02-28: is before 2026-03-01, the day of the last waiver"):
        waive(work, replace(wish, until="2026-02-28"), yesterday)


def test_an_issue_of_a_check_that_is_gone_stays_as_it_is_and_is_remarked_upon(work: Path) -> None:
    path, gone = work / "issues.tsv", FIRST.id.replace("G04", "G99")
    path.write_text(path.read_text().replace(f"{FIRST.id}\tG04", f"{gone}\tG99"))
    check_ledger(work)
    recorded = cycle(work, SECOND, day=1)
    there = {row.issue_id: row.state for row in recorded.rows}
    assert there == {gone: "open", SECOND.id: "open"}
    assert any("1 issues are of checks that this version does not have (G99)" in said for said in recorded.remarks)
    assert [row.issue_id for row in status_of(work, Asked(checks=("G99",)), TODAY).issues] == [gone]
    left = public_rows(recorded.rows, {}, (), lambda kind, value: kind)
    assert [row["check"] for row in left] == ["G04"]
