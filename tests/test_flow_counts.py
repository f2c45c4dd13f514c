"""The numbers of the flow: they add up at every step, level and site, on random trials, criteria and decisions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from eligibilitymaker import candidate, exclude, include
from hypothesis import given, settings
from hypothesis import strategies as st

from trialbids.exporter.select.eligibility import DECISIONS, UNTOLD, Candidate, Columns, judge
from trialbids.exporter.select.flow import (
    ALL_SITES,
    BEFORE,
    COLUMNS,
    CRITERION,
    NOT_NEEDED,
    PLANNED,
    RESENT,
    SET_ASIDE,
    UNITS,
    Counts,
    Flow,
    Item,
    Step,
    count_flow,
)  # fmt: skip
from trialbids.exporter.trial.eligibility import Criterion

TEXTS = {
    "subject": ("age >= 18", "has(T2w, sag)", "n_sessions >= 2", "site == 'S1'"),
    "session": ("has(DWI) or count(T2w) >= 2", "age < 60", "n_series >= 2", "modality == 'MR'"),
    "series": ("n_images >= 2", "not has(DWI)", "modality == 'MR'"),
    "stack": ("sequence == 'T2w'", "plane in ('sag', 'ax')", "modality == 'MR'"),
}


@st.composite
def stacks(draw: st.DrawFn) -> list[Candidate]:
    """Up to 20 stacks of three people seen at two sites; some joined from two series, some not kept by the tool."""
    found = {}
    for number in range(draw(st.integers(1, 20))):
        subject, session = draw(st.sampled_from(("P1", "P2", "P3"))), draw(st.sampled_from(("V1", "V2")))
        series = draw(st.sampled_from(("1", "2", "3", "1+2")))
        kind = draw(st.sampled_from(("T2w-sag", "T2w-ax", "DWI-ax")))
        name = f"{subject}/{session}/{series}/{kind}-{number}"
        modality = draw(st.sampled_from(("MR", "CT", None)))
        made = candidate(name, is_kept=draw(st.integers(0, 4)) > 0, modality=modality)
        found[name] = replace(made, site=draw(st.sampled_from(("S1", "S2"))))
    return list(found.values())


@st.composite
def criteria(draw: st.DrawFn) -> tuple[Criterion, ...]:
    chosen = []
    for number in range(draw(st.integers(0, 5))):
        level = draw(st.sampled_from(sorted(TEXTS)))
        make = draw(st.sampled_from((include, exclude)))
        unknown = draw(st.sampled_from(("quarantine", "include")))
        chosen.append(make(level, draw(st.sampled_from(TEXTS[level])), id=f"c{number}", unknown=unknown))
    return tuple(chosen)


AGES = Columns({"age": float}, {"P1": {"age": 40.0}, "P2": {"age": 12.0}})


def items_of(candidates: Sequence[Candidate], chosen: tuple[Criterion, ...]) -> list[Item]:
    """What becomes of every stack, and one series without a stack."""
    outcomes = judge(candidates, chosen, AGES)
    items = [Item("P1", "V1", "S1", ("resent",), step=RESENT.id, reason="series-resent")]
    for n, c in enumerate(candidates):
        first = next(
            ((q, said) for q, said in zip(chosen, outcomes[c.stack_id], strict=True) if said in DECISIONS), None
        )
        step, untold = "", False
        if not c.is_kept:
            step = (NOT_NEEDED if n % 2 else SET_ASIDE).id
        elif first is not None:
            step, untold = first[0].reason, first[1] == UNTOLD
        items.append(Item(c.subject, c.session, c.site, c.series, c.stack_id, step, step, untold))
    return items


def steps_of(chosen: tuple[Criterion, ...]) -> tuple[Step, ...]:
    return (*BEFORE, *(Step(c.reason, CRITERION, c.sentence, c.level, c.asks) for c in chosen), PLANNED)


def naive(items: Sequence[Item], gone: set[str], site: str) -> Counts:
    """What is left when all items of these steps are away, counted anew by sets."""
    left = [i for i in items if i.step not in gone and site in (i.site, ALL_SITES)]
    return Counts(
        len({i.subject for i in left}),
        len({(i.subject, i.session) for i in left}),
        len({(i.subject, i.session, uid) for i in left for uid in i.series}),
        len({i.stack for i in left if i.stack}),
    )


def tallies(flow: Flow) -> Iterator[tuple[str, list[tuple[Counts, Counts, Counts]]]]:
    for site in (ALL_SITES, *flow.lines[0].sites):
        lines = (line.total if site == ALL_SITES else line.sites[site] for line in flow.lines)
        yield site, [(t.remaining, t.removed, t.untold) for t in lines]


@settings(max_examples=80, deadline=None)
@given(stacks(), criteria())
def test_the_numbers_add_up_and_are_those_of_a_naive_count(
    candidates: list[Candidate], chosen: tuple[Criterion, ...]
) -> None:
    items, steps = items_of(candidates, chosen), steps_of(chosen)
    flow = count_flow(items, steps, {})
    for site, counts in tallies(flow):
        before = naive(items, set(), site)
        for number, (remaining, removed, untold) in enumerate(counts):
            assert remaining == naive(items, {step.id for step in steps[: number + 1]}, site)
            for unit in UNITS:
                assert getattr(before, unit) == getattr(remaining, unit) + getattr(removed, unit)
                assert getattr(untold, unit) <= getattr(removed, unit)
            before = remaining
    assert sum(line.total.removed.stacks for line in flow.lines) == sum(1 for i in items if i.stack and i.step)


@settings(max_examples=50, deadline=None)
@given(stacks(), criteria(), st.randoms())
def test_the_order_of_the_stacks_makes_no_difference(
    candidates: list[Candidate], chosen: tuple[Criterion, ...], shuffled: object
) -> None:
    mixed = sorted(candidates, key=lambda c: (shuffled.random(), c.stack_id))  # pyright: ignore[reportAttributeAccessIssue]
    assert judge(mixed, chosen, AGES) == judge(candidates, chosen, AGES)


def test_a_unit_leaves_with_its_last_stack_and_is_not_told_where_that_could_not_be_told() -> None:
    steps = (*BEFORE, Step("criterion-a", CRITERION, "a", "stack", "include"), PLANNED)
    items = [
        Item("P1", "V1", "S1", ("u1",), "s1", NOT_NEEDED.id, "not-needed"),
        Item("P1", "V1", "S1", ("u1",), "s2", "criterion-a", "criterion-a", untold=True),
        Item("P1", "V2", "S1", ("u2",), "s3", "criterion-a", "criterion-a"),
        Item("P2", "V1", "S2", ("u3",), "s4"),
    ]
    lines = {line.step.id: line for line in count_flow(items, steps, {"not-needed": "why"}).lines}
    assert lines["not-needed"].total.removed == Counts(0, 0, 0, 1)
    assert lines["not-needed"].reasons[0].sentence == "why"
    assert lines["criterion-a"].total.removed == Counts(1, 2, 2, 2)
    assert lines["criterion-a"].total.untold == Counts(1, 1, 1, 1)
    assert lines["planned"].sites["S1"].remaining == Counts()
    assert lines["planned"].sites["S2"].remaining == Counts(1, 1, 1, 1)


def test_a_person_at_two_sites_is_one_person() -> None:
    steps = (*BEFORE, Step("criterion-a", CRITERION, "a", "session", "include"), PLANNED)
    items = [
        Item("P1", "V1", "S1", ("u1",), "s1", "criterion-a", "criterion-a"),
        Item("P1", "V2", "S2", ("u2",), "s2"),
    ]
    first, *_, criterion, last = count_flow(items, steps, {}).lines
    assert first.total.remaining == Counts(1, 2, 2, 2)
    assert [first.sites[site].remaining.subjects for site in ("S1", "S2")] == [1, 1]
    assert criterion.total.removed == Counts(0, 1, 1, 1)
    assert criterion.sites["S1"].removed == Counts(1, 1, 1, 1)
    assert last.total.remaining == Counts(1, 1, 1, 1)


def test_a_flow_without_sites_names_none() -> None:
    flow = count_flow([Item("P1", "V1", "S7", ("u",), "s")], BEFORE, {}, without_images=3)
    assert "S7" in str(flow.to_json())
    bare = flow.without_sites()
    assert "S7" not in str(bare.to_json())
    assert {row["site"] for row in bare.to_rows()} == {ALL_SITES}
    assert bare.to_json()["clinical_without_images"] == 3
    assert set(next(flow.to_rows())) == set(COLUMNS)
