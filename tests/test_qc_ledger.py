"""The ledger of issues: what becomes of an issue from cycle to cycle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trialbids.exporter.qc.check import Evidence, Finding
from trialbids.exporter.qc.ledger.atlas import Atlas
from trialbids.exporter.qc.ledger.cycles import cycle_of, read_cycles, read_standings
from trialbids.exporter.qc.ledger.issue import Issue, Where, notice
from trialbids.exporter.qc.ledger.merge import Run, merged
from trialbids.exporter.qc.ledger.public import public_rows
from trialbids.exporter.qc.ledger.record import Recorded, record_cycle
from trialbids.exporter.qc.ledger.row import PUBLIC_COLUMNS, STATES, Row, read_issues
from trialbids.exporter.qc.ledger.waive import Wish, waive
from trialbids.exporter.qc.ledger.waivers import Waiver, waived_ids
from trialbids.exporter.tables import read_tsv

DAY = datetime(2026, 3, 1, 9, 30)
BEFORE_PIXELS = ("header", "plan")
ALL_STEPS = ("header", "plan", "pixel", "session", "release")


def gap(stack: str = "s1", n: int = 1, check: str = "G04", severity: str = "error") -> Finding:
    """Missing slices of a stack."""
    evidence = Evidence(f"{n} slices are missing", "7", (("missing", n),))
    return Finding(check, severity, evidence.message, evidence, "stack", stack, (stack,))


ATLAS = Atlas({f"s{n}": Where(f"1.2.{n}", f"P{n}", "01", "AB"[n % 2]) for n in range(9)}, {})


def cycle(
    work: Path, *findings: Finding, day: int = 0, steps: tuple[str, ...] = BEFORE_PIXELS, unseen: Sequence[str] = ()
) -> Recorded:
    """One run that found just this."""
    hidden = frozenset((label, "01") for label in unseen)
    return record_cycle(work, ATLAS.issues(findings), Run(DAY + timedelta(days=day), "1.0", steps, hidden))


def states(work: Path) -> dict[str, str]:
    """The state of every issue, by its id, as anybody reads it from the table."""
    return {row["issue_id"]: row["state"] for row in read_tsv(work / "issues.tsv")}


def public(table: str) -> list[list[str]]:
    """The columns that other programs rely on."""
    return [line.split("\t")[: len(PUBLIC_COLUMNS)] for line in table.splitlines()]


def excuse(work: Path, finding: Finding, day: int = 0, **wish: str | bool) -> None:
    waive(work, Wish((finding.id,), "AB", **{"reason": "known", **wish}), (DAY + timedelta(days=day)).date())  # pyright: ignore[reportArgumentType]


def test_a_fault_that_is_repaired_resolves_its_issue_and_one_that_returns_opens_it_again(tmp_path: Path) -> None:
    first = cycle(tmp_path, gap())
    assert (states(tmp_path), first.cycle.total("new")) == ({gap().id: "open"}, 1)
    repaired = cycle(tmp_path, day=1)
    assert (states(tmp_path), repaired.cycle.total("resolved_now")) == ({gap().id: "resolved"}, 1)
    again = cycle(tmp_path, gap(), day=2)
    assert (states(tmp_path), again.cycle.total("reopened"), again.cycle.total("new")) == ({gap().id: "open"}, 1, 0)
    (row,) = read_tsv(tmp_path / "issues.tsv")
    assert (row["first_seen"], row["last_seen"]) == ("2026-03-01", "2026-03-03")
    assert row["note"] == "found again after it was resolved"


def test_a_second_run_over_the_same_gives_the_same_issues_and_is_a_cycle_in_which_nothing_changed(
    tmp_path: Path,
) -> None:
    findings = [gap(), gap("s2"), gap("s3", check="P05", severity="warning")]
    cycle(tmp_path, *findings, steps=ALL_STEPS)
    before = (tmp_path / "issues.tsv").read_text(encoding="utf-8")
    second = cycle(tmp_path, *reversed(findings), steps=ALL_STEPS)
    after = (tmp_path / "issues.tsv").read_text(encoding="utf-8")
    assert public(after) == public(before)
    assert second.cycle.number == 2 and second.cycle.is_quiet
    assert [c.is_quiet for c in read_cycles(tmp_path)] == [False, True]


def test_the_public_columns_come_first_and_hold_what_they_always_held(tmp_path: Path) -> None:
    cycle(tmp_path, gap())
    (row,) = read_tsv(tmp_path / "issues.tsv")
    assert tuple(row)[:10] == PUBLIC_COLUMNS
    assert [row[name] for name in PUBLIC_COLUMNS] == [
        *(gap().id, "G04", "stack", "error", "1.2.1", "s1", "open", "2026-03-01", "2026-03-01", "1 slices are missing"),
    ]
    assert (row["subject"], row["session"], row["site"], row["values"]) == ("P1", "01", "B", "missing=1")


def test_a_run_of_headers_leaves_the_issues_of_pixels_as_they_are(tmp_path: Path) -> None:
    spike = gap(check="P05", severity="warning")
    cycle(tmp_path, gap(), spike, steps=ALL_STEPS)
    cycle(tmp_path, day=1)
    assert states(tmp_path) == {gap().id: "resolved", spike.id: "open"}
    cycle(tmp_path, day=2, steps=ALL_STEPS)
    assert states(tmp_path)[spike.id] == "resolved"


def test_who_could_not_be_seen_is_not_taken_for_repaired(tmp_path: Path) -> None:
    person = Finding("C06", "warning", "dates", Evidence("dates"), "subject", "P1", ("s1",))
    nameless = Issue(notice("F01", "instance", "error", "damaged"), "header")
    cycle(tmp_path, gap(), gap("s2"), person)
    record_cycle(tmp_path, [nameless, *ATLAS.issues([gap(), gap("s2"), person])], Run(DAY, "1.0", BEFORE_PIXELS))
    cycle(tmp_path, day=1, unseen=["P1"])
    assert states(tmp_path) == {gap().id: "open", gap("s2").id: "resolved", person.id: "open", nameless.id: "open"}


def test_a_check_that_could_not_be_run_has_repaired_nothing(tmp_path: Path) -> None:
    cycle(tmp_path, gap(), gap("s2"))
    failed = Finding("Q99", "warning", "G04 could not be run", Evidence("", "G04"), "stack", "s1", ("s1",))
    cycle(tmp_path, failed, day=1)
    assert states(tmp_path) == {gap().id: "open", gap("s2").id: "resolved", failed.id: "open"}
    cycle(tmp_path, day=2)
    assert set(states(tmp_path).values()) == {"resolved"}


def test_a_failed_check_of_pixels_is_no_matter_of_headers(tmp_path: Path) -> None:
    failed = Finding("Q99", "warning", "P05 could not be run", Evidence("", "P05"), "stack", "s1", ("s1",))
    cycle(tmp_path, failed, steps=ALL_STEPS)
    cycle(tmp_path, day=1)
    assert states(tmp_path) == {failed.id: "open"}


def test_of_two_findings_with_one_name_the_graver_stands(tmp_path: Path) -> None:
    slight, grave = gap(check="G02", severity="warning"), gap(check="G02", severity="error")
    cycle(tmp_path, slight, grave)
    assert [row["severity"] for row in read_tsv(tmp_path / "issues.tsv")] == ["error"]


class TestWaivers:
    """What a person has excused."""

    def test_a_waived_issue_is_waived_as_long_as_the_same_is_found(self, tmp_path: Path) -> None:
        cycle(tmp_path, gap())
        excuse(tmp_path, gap())
        assert states(tmp_path) == {gap().id: "waived"}
        assert waived_ids(tmp_path, DAY.date()) == {gap().id: gap().digest}
        done = cycle(tmp_path, gap(), day=1)
        assert (states(tmp_path), done.cycle.total("waived_now")) == ({gap().id: "waived"}, 1)
        assert cycle(tmp_path, gap(), day=2).cycle.is_quiet

    def test_it_is_open_again_where_what_is_found_changes(self, tmp_path: Path) -> None:
        cycle(tmp_path, gap(n=1))
        excuse(tmp_path, gap(n=1))
        cycle(tmp_path, gap(n=1), day=1)
        worse = cycle(tmp_path, gap(n=5), day=2)
        assert (states(tmp_path), worse.cycle.total("reopened")) == ({gap().id: "open"}, 1)
        assert read_tsv(tmp_path / "issues.tsv")[0]["note"] == "what is found now is not what was waived"
        excuse(tmp_path, gap(n=5), day=2)
        assert states(tmp_path) == {gap().id: "waived"}

    def test_it_is_open_again_when_its_waiver_has_ended_also_where_nobody_looked(self, tmp_path: Path) -> None:
        spike = gap(check="P05")
        cycle(tmp_path, spike, steps=ALL_STEPS)
        excuse(tmp_path, spike, until="2026-03-05")
        cycle(tmp_path, day=4)
        assert states(tmp_path) == {spike.id: "waived"}
        assert spike.id in waived_ids(tmp_path, date(2026, 3, 5))
        cycle(tmp_path, day=5)
        assert states(tmp_path) == {spike.id: "open"}
        assert waived_ids(tmp_path, date(2026, 3, 6)) == {}
        assert "ended on 2026-03-05" in read_tsv(tmp_path / "issues.tsv")[0]["note"]

    def test_a_waiver_that_is_revoked_opens_the_issue(self, tmp_path: Path) -> None:
        cycle(tmp_path, gap())
        excuse(tmp_path, gap())
        excuse(tmp_path, gap(), revoke=True)
        assert (states(tmp_path), waived_ids(tmp_path, DAY.date())) == ({gap().id: "open"}, {})
        assert [line["state"] for line in read_tsv(tmp_path / "waivers.tsv")] == ["waived", "revoked"]

    def test_a_waived_issue_that_is_repaired_is_resolved_and_waived_if_just_that_returns(self, tmp_path: Path) -> None:
        cycle(tmp_path, gap())
        excuse(tmp_path, gap())
        cycle(tmp_path, day=1)
        assert states(tmp_path) == {gap().id: "resolved"}
        cycle(tmp_path, gap(), day=2)
        assert states(tmp_path) == {gap().id: "waived"}
        cycle(tmp_path, gap(n=9), day=3)
        assert states(tmp_path) == {gap().id: "open"}

    def test_a_word_in_a_cell_is_no_waiver(self, tmp_path: Path) -> None:
        cycle(tmp_path, gap())
        path = tmp_path / "issues.tsv"
        path.write_text(path.read_text().replace("\topen\t", "\twaived\t"))
        cycle(tmp_path, gap(), day=1)
        assert states(tmp_path) == {gap().id: "open"}
        assert "trialbids qc waive" in read_tsv(path)[0]["note"]


class TestFiles:
    """What lies in the work folder."""

    def test_cycles_are_counted_by_severity_check_and_site(self, tmp_path: Path) -> None:
        cycle(tmp_path, gap("s1"), gap("s2"), gap("s3", severity="warning", check="G05"))
        cycle(tmp_path, gap("s1"), day=3)
        first, second = read_tsv(tmp_path / "cycles.tsv")
        names = ("cycle", "when", "version", "steps", "open", "open_error", "open_warning", "new", "resolved_now_error")
        assert [first[n] for n in names] == ["1", "2026-03-01T09:30:00", "1.0", "header plan", "3", "2", "1", "3", "0"]
        assert [second[n] for n in names[4:]] == ["1", "1", "0", "0", "1"]
        found = {(s.cycle, s.check, s.site): (s.open, s.resolved) for s in read_standings(tmp_path)}
        assert found[1, "G04", "A"] == (1, 0) and found[2, "G04", "A"] == (0, 1) and found[2, "G04", "B"] == (1, 0)

    def test_a_run_that_was_killed_before_the_end_is_counted_once(self, tmp_path: Path) -> None:
        cycle(tmp_path, gap())
        cycles = (tmp_path / "cycles.tsv").read_bytes()
        cycle(tmp_path, gap(), gap("s2"), day=1)
        (tmp_path / "cycles.tsv").write_bytes(cycles)
        done = cycle(tmp_path, gap(), gap("s2"), day=1)
        assert (done.cycle.number, done.cycle.total("new")) == (2, 1)
        assert [c.number for c in read_cycles(tmp_path)] == [1, 2]
        assert sorted({s.cycle for s in read_standings(tmp_path)}) == [1, 2]

    def test_a_table_of_an_older_version_is_taken_on(self, tmp_path: Path) -> None:
        cells = [gap().id, "G04", "stack", "error", "1.2.1", "s1", "open", "2026-01-01", "2026-01-02", "gap"]
        (tmp_path / "issues.tsv").write_text("\t".join(PUBLIC_COLUMNS) + "\n" + "\t".join(cells) + "\n")
        cycle(tmp_path, gap())
        (row,) = read_tsv(tmp_path / "issues.tsv")
        assert (row["state"], row["first_seen"], row["last_seen"]) == ("open", "2026-01-01", "2026-03-01")
        assert row["digest"] == gap().digest
        cycle(tmp_path, day=1)
        assert set(states(tmp_path).values()) == {"resolved"}

    def test_nobody_else_may_read_them(self, tmp_path: Path) -> None:
        cycle(tmp_path, gap())
        excuse(tmp_path, gap())
        assert {p.stat().st_mode & 0o777 for p in tmp_path.glob("*.tsv")} == {0o600}

    def test_the_places_of_a_finding_are_named_and_many_are_counted(self, tmp_path: Path) -> None:
        places = tuple((f"a{n}.zip", "in.dcm", 0) for n in range(25))
        cycle(tmp_path, replace(gap(), evidence=Evidence("gap", instances=places)))
        (row,) = read_tsv(tmp_path / "issues.tsv")
        assert row["instances"].startswith("a0.zip/in.dcm; a1.zip/in.dcm; ") and row["instances"].endswith("and 5 more")


def test_a_finding_on_several_stacks_has_what_they_share(tmp_path: Path) -> None:
    finding = Finding("T01", "error", "unequal", Evidence("unequal"), "acquisition", "a", ("s1", "s3"))
    issue = ATLAS.issue(finding)
    assert (issue.stack_id, issue.where.series_uid, issue.where.subject, issue.where.site) == ("", "", "", "B")
    cycle(tmp_path, finding)
    assert read_tsv(tmp_path / "issues.tsv")[0]["stacks"] == "s1 s3"


class TestRelease:
    """What leaves."""

    def rows(self, work: Path) -> list[dict[str, str]]:
        cycle(work, gap(), gap("s2"))
        excuse(work, gap())
        known = read_issues(work).values()
        return public_rows(known, {"s1": "sub-P1/ses-01/anat/x.nii.gz"}, {("P1", "01")}, lambda k, v: f"{k}{len(v)}")

    def test_nothing_private_leaves(self, tmp_path: Path) -> None:
        waived, hidden = sorted(self.rows(tmp_path), key=lambda row: row["state"], reverse=True)
        text = repr([waived, hidden])
        for private in ("1.2.1", "1.2.2", "s2", "P2", gap().id, gap("s2").id, "known", "'AB'"):
            assert private not in text
        assert (waived["participant_id"], waived["image"]) == ("sub-P1", "sub-P1/ses-01/anat/x.nii.gz")
        assert (waived["state"], waived["waived_by"]) == ("waived", "waiver2")
        assert (hidden["participant_id"], hidden["session_id"], hidden["image"]) == ("n/a", "n/a", "n/a")


found_at_random = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 3), st.sampled_from(["G04", "P05"])), max_size=6
).map(lambda found: [gap(f"s{s}", n, check) for s, n, check in found])
history = st.lists(st.tuples(found_at_random, st.booleans()), min_size=1, max_size=6)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(history)
def test_laws_of_every_history(runs: list[tuple[list[Finding], bool]]) -> None:
    """Issues never vanish; stocks and changes add up; the order in which findings come changes nothing."""
    rows: dict[str, Row] = {}
    waivers: dict[str, Waiver] = {}
    for number, (findings, is_export) in enumerate(runs, start=1):
        run = Run(DAY + timedelta(days=number), "1.0", ALL_STEPS if is_export else BEFORE_PIXELS)
        issues = list(ATLAS.issues(findings))
        after = merged(rows, issues, run, waivers, number)
        assert merged(rows, reversed(issues), run, waivers, number) == after
        again = merged(after, issues, run, waivers, number + 1)
        assert {n: (r.state, r.digest) for n, r in again.items()} == {n: (r.state, r.digest) for n, r in after.items()}
        assert set(after) >= set(rows) and {i.id for i in issues} <= set(after)
        assert all(after[i.id].state != "resolved" for i in issues)
        now = cycle_of(number, run, after.values())
        assert sum(now.total(state) for state in STATES) == len(after)
        assert now.total("new") == len(after) - len(rows)
        assert now.total("reopened") == came_to("open", rows, after) - sum(
            after[n].state == "open" for n in after.keys() - rows.keys()
        )
        assert now.total("resolved_now") == came_to("resolved", rows, after)
        assert now.total("waived_now") == came_to("waived", rows, after)
        rows = after
        for name, row in list(rows.items())[:1]:
            waivers[name] = Waiver(name, row.check, "AB", "known", "", "2026-03-01", row.digest)


def came_to(state: str, before: dict[str, Row], after: dict[str, Row]) -> int:
    """How many issues are in this state that were in another, or not there."""
    return sum(row.state == state and (n not in before or before[n].state != state) for n, row in after.items())


@pytest.mark.parametrize("text", ["", "2026-01-31"])
def test_a_waiver_without_an_end_never_ends(text: str) -> None:
    waiver = Waiver("G04-0123456789", "G04", "AB", "known", text, "2026-01-01", "d")
    assert bool(waiver.refusal("d", date(2126, 1, 1))) == bool(text)
