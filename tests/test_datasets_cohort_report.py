"""The report of a cohort: every sample is accounted for, and it fits a page."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from treemaker import TreeMaker

from trialbids.datasets import Database, Q
from trialbids.datasets.cohorts.report import Count, Multiplicity, Report

STEPS = st.lists(
    st.tuples(st.text("abc =(,)'", min_size=1, max_size=130).filter(str.strip), st.integers(0, 99_999)),
    min_size=1,
    max_size=30,
)


@given(STEPS, st.integers(0, 60))
def test_a_report_is_80_columns_wide_whatever_it_holds(steps: list[tuple[str, int]], sites: int) -> None:
    counts = tuple(Count(text, left, {f"S{n:02d}": left for n in range(sites)}) for text, left in steps)
    text = str(Report(counts, ()))
    assert max(map(len, text.splitlines())) <= 80
    for n in range(sites):
        assert f"\nS{n:02d} " in text


def test_a_report_reads_like_this() -> None:
    report = Report(
        (
            Count("sessions in the tree", 120, {"S01": 100, "S02": 20}),
            Count("where age >= 18 and site not in ('S07', 'S08') and has(T2w)", 90, {"S01": 75, "S02": 15}),
            Count("t2: Q('T2w')", 85, {"S01": 75, "S02": 10}),
        ),
        (),
        (Multiplicity("t2, samples by number of acquisitions", {1: 80, 2: 5}),),
        ("orads: no sample of 5 among the classes",),
    )
    assert str(report) == (
        "   after                                           left  lost\n"
        "0  sessions in the tree                             120\n"
        "1  where age >= 18 and site not in ('S07', 'S08')    90    30\n"
        "     and has(T2w)\n"
        "2  t2: Q('T2w')                                      85     5\n"
        "\n"
        "site    0   1   2\n"
        "S01   100  75  75\n"
        "S02    20  15  10\n"
        "\n"
        "how often\n"
        "  t2, samples by number of acquisitions: 80 × 1, 5 × 2\n"
        "\n"
        "to note\n"
        "  orads: no sample of 5 among the classes"
    )


def test_visits_and_repeated_scans_are_counted(tmp_path: Path) -> None:
    tree = TreeMaker(tmp_path / "bids")
    for session in ("01", "02"):
        tree.image("01", "T2w", {"sequence": "T2w"}, session=session)
    tree.image("02", "run-1_T2w", {"sequence": "T2w"}, acquisition_id="a01")
    tree.image("02", "run-2_T2w", {"sequence": "T2w"}, acquisition_id="a02")
    cohort = Database(tree.finish()).cohort(images={"t2": Q("T2w")}, duplicates="last")
    assert {each.of: dict(each.samples) for each in cohort.report().multiplicities} == {
        "participants by number of visits": {2: 1, 1: 1},
        "t2, samples by number of acquisitions": {1: 2, 2: 1},
    }
