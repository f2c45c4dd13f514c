"""Whether a trial was scanned as agreed: faults put into examinations that keep the protocol, of three vendors."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from protocolmaker import PHASES, STEP_S, VENDORS, changed, plan, prostate

from trialbids.exporter.deidentify.curatedlooks import CURATED
from trialbids.exporter.inventory.instance import Instance
from trialbids.exporter.plan.build import Planned
from trialbids.exporter.qc.check import Finding
from trialbids.exporter.qc.protocol.check import check_protocol
from trialbids.exporter.qc.protocol.compliance import compliance
from trialbids.exporter.qc.protocol.fill import examinations
from trialbids.mappings.protocol import Limit, Range
from trialbids.mappings.protocolfile import load_protocol

PI_RADS, NONE = load_protocol("pi-rads-2.1"), load_protocol("none")
Examination = dict[str, list[Instance]]
Fault = Callable[[Examination], Examination]


def having(slot: str, **header: object) -> Fault:
    return lambda e: e | {slot: changed(e[slot], **header)}


def without(slot: str) -> Fault:
    return lambda e: {name: rows for name, rows in e.items() if name != slot}


def apart(slot: str, factor: float) -> Fault:
    def moved(i: Instance) -> Instance:
        return replace(i, ImagePositionPatient=tuple(factor * x for x in i.ImagePositionPatient))

    return lambda e: e | {slot: [moved(i) for i in e[slot]]}


def other_b(old: float, new: float) -> Fault:
    return lambda e: e | {"dwi": [replace(i, b_value=new if i.b_value == old else i.b_value) for i in e["dwi"]]}


def slower(factor: float) -> Fault:
    def at(i: Instance) -> str:
        seconds = int(1800 + factor * STEP_S * ((i.TemporalPositionIdentifier or 1) - 1))
        return f"09{seconds // 60:02d}{seconds % 60:02d}"

    return lambda e: e | {"dce": [replace(i, AcquisitionTime=at(i)) for i in e["dce"]]}


def shorter(phases: int) -> Fault:
    return lambda e: e | {"dce": [i for i in e["dce"] if (i.TemporalPositionIdentifier or 1) <= phases]}


def again(slot: str) -> Fault:
    def copied(i: Instance) -> Instance:
        return replace(
            i, SeriesInstanceUID=i.SeriesInstanceUID + "9", SOPInstanceUID=i.SOPInstanceUID + "9", SeriesNumber=90,
            path=i.path + ".again", AcquisitionTime="100000",
        )  # fmt: skip

    return lambda e: e | {"again": [copied(i) for i in e[slot]]}


FAULTS: dict[str, list[Fault]] = {
    "R01": [without("t2-ax"), without("t2-sag"), without("dwi"), without("adc"), without("dce")],
    "R02": [
        having("t2-ax", SliceThickness=3.3), having("dwi", EchoTime=96.0), having("dwi", RepetitionTime=2800.0),
        having("t2-ax", PixelSpacing=(0.45, 0.45)), having("dce", EchoTime=5.6), apart("t2-sag", 1.2),
        having("dwi", PixelSpacing=(2.0, 2.0)), having("dce", PixelSpacing=(2.4, 2.4)),
    ],
    "B04": [other_b(800, 600), other_b(1500, 1200), other_b(50, 0), other_b(50, 200), other_b(800, 1100)],
    "T04": [slower(1.4), slower(2), shorter(PHASES - 3)],
    "R05": [again("t2-ax"), again("adc"), again("dwi")],
    "R04": [
        having("t2-ax", SeriesDescription="t1 tse tra"), having("t2-sag", SeriesDescription="t2 tse cor"),
        having("t2-ax", EchoTime=12.0, RepetitionTime=600.0, EchoTrainLength=3),
        having("t2-sag", SeriesDescription="SAG T1"), having("t2-ax", SeriesDescription="DWI b800 tra"),
    ],
    "R06": [having("t2-ax", SoftwareVersions="another")],
}  # fmt: skip


def codes(findings: tuple[Finding, ...]) -> set[str]:
    return {f.check for f in findings}


@pytest.mark.parametrize("vendor", VENDORS)
def test_an_examination_that_keeps_the_protocol_has_no_finding(vendor: str) -> None:
    assert check_protocol(plan([prostate(1, vendor)]), PI_RADS) == ()


@pytest.mark.parametrize("code", FAULTS)
def test_a_fault_is_found_by_its_check(code: str) -> None:
    for n, fault in enumerate(FAULTS[code]):
        vendor = list(VENDORS)[n % len(VENDORS)]
        found = check_protocol(plan([fault(prostate(1, vendor))]), PI_RADS)
        assert code in codes(found), (n, vendor, [f.message for f in found])


def test_without_a_protocol_only_what_needs_none_is_checked() -> None:
    faults = [fault for several in FAULTS.values() for fault in several[:1]]
    found = check_protocol(plan([fault(prostate(n)) for n, fault in enumerate(faults)]), NONE)
    assert codes(found) <= {"R03", "R04", "R06"}


def test_a_rare_variant_is_one_that_hardly_any_scan_of_its_kind_has() -> None:
    usual = [prostate(n) for n in range(11)]
    usual[3] = having("t2-ax", EchoTime=78.0)(usual[3])
    found = [f for f in check_protocol(plan(usual), NONE) if f.check == "R03"]
    assert len(found) == 1 and "te 78 where 91% of 11 have 100" in found[0].message
    halves = [having("t2-ax", EchoTime=78.0 + 30 * (n % 2))(prostate(n)) for n in range(11)]
    assert check_protocol(plan(halves), NONE) == ()
    assert check_protocol(plan(usual[:7]), NONE) == ()


def test_new_software_is_found_for_the_subject_and_for_the_site() -> None:
    def at(patient: int, day: str, version: str) -> Examination:
        return prostate(patient, StudyDate=day, SoftwareVersions=version, StudyInstanceUID=f"2.25.{patient}{day}")

    same = [at(1, "20240101", "A"), at(1, "20240301", "A"), at(2, "20240201", "A")]
    assert check_protocol(plan(same), NONE) == ()
    found = check_protocol(plan([*same, at(1, "20240401", "B"), at(2, "20240501", "B"), at(3, "20240501", "B")]), NONE)
    messages = [f.message for f in found]
    assert codes(found) == {"R06"} and len(found) == 2
    assert all("this subject's session before" in message for message in messages)
    found = check_protocol(plan([*same, at(4, "20240401", "B")]), NONE)
    assert ["the site's session before" in f.message for f in found] == [True]


def test_of_several_candidates_the_one_that_keeps_the_protocol_is_picked() -> None:
    examination = again("t2-ax")(prostate(1))
    examination["t2-ax"] = changed(examination["t2-ax"], SliceThickness=5.0)
    planned = plan([examination])
    (made,) = examinations(planned, PI_RADS)
    picked = made.filled["t2-ax"]
    assert picked.picked.first.harmonised.stack.first.SeriesNumber == 90 and picked.by == "conforming"
    (found,) = [f for f in check_protocol(planned, PI_RADS) if f.check == "R05"]
    assert "number 2 of 2" in found.message and len(found.stacks) == 2


def test_b_values_that_lie_in_two_scans_complete_each_other() -> None:
    examination = prostate(1)
    high = [i for i in again("dwi")(examination)["again"] if i.b_value == 1500]
    examination["dwi"] = [i for i in examination["dwi"] if i.b_value != 1500]
    assert "B04" in codes(check_protocol(plan([examination]), PI_RADS))
    examination["high"] = changed(high, SeriesTime="100000", AcquisitionNumber=7)
    assert codes(check_protocol(plan([examination]), PI_RADS)) == set()


def test_a_tolerance_of_the_site_is_used() -> None:
    planned = plan([having("t2-ax", SliceThickness=3.3)(prostate(1))])
    assert "R02" in codes(check_protocol(planned, PI_RADS))
    assert "R02" not in codes(check_protocol(planned, PI_RADS, lambda site: {"R02": 0.2} if site == "S1" else {}))


def test_the_table_of_compliance_and_the_pick_keep_the_tolerance_of_the_site() -> None:
    def at(site: str) -> dict[str, float]:
        return {"R02": 0.2, "T04": 0.5} if site == "S1" else {}

    planned = plan([slower(1.4)(having("t2-ax", SliceThickness=3.3)(prostate(1)))])
    for code, row in (("R02", ("t2-ax", "thickness")), ("T04", ("dce", "temporal_resolution"))):
        assert code in codes(check_protocol(planned, PI_RADS)) and code not in codes(
            check_protocol(planned, PI_RADS, at)
        )
        strict, loose = (
            {(r.slot, r.parameter): r.n_within for r in compliance(planned, PI_RADS, *more)}[row]
            for more in ((), (at,))
        )
        assert (strict, loose) == (0, 1)
    examination = again("t2-ax")(prostate(1))
    examination["again"] = changed(examination["again"], SliceThickness=3.3)
    planned = plan([examination])
    numbers = [
        found.filled["t2-ax"].picked.first.harmonised.stack.first.SeriesNumber
        for found in (*examinations(planned, PI_RADS), *examinations(planned, PI_RADS, at))
    ]
    assert numbers == [2, 90]  # both keep the protocol within 20 %: the last is taken


def test_findings_are_the_same_from_run_to_run_and_hold_nothing_private() -> None:
    planned = plan([fault(prostate(n)) for n, fault in enumerate((without("dce"), having("dwi", EchoTime=99.0)))])
    found = check_protocol(planned, PI_RADS)
    assert found == check_protocol(planned, PI_RADS) and len(found) == 2
    assert [f.id for f in found] == [f.id for f in check_protocol(tuple(reversed(planned)), PI_RADS)]
    for finding in found:
        public = finding.message + finding.evidence.key + repr(finding.evidence.values)
        assert not any(word in public for word in ("Prisma", "4711", "2.25.", "P1", "/data"))


def is_public(column: str, cell: str) -> bool:
    return not cell or CURATED["curation/compliance.tsv"][column](cell)


def test_the_range_that_was_allowed_follows_the_tolerance_and_the_vendor() -> None:
    own = PI_RADS.model_copy(update={"slots": tuple(s for s in PI_RADS.slots if s.slot == "dwi")})
    (dwi,) = own.slots
    limit = Limit(unit="ms", max=90.0, vendors={"siemens": Range(max=60.0)})
    own = own.model_copy(update={"slots": (dwi.model_copy(update={"limits": {"te": limit}}),)})
    rows = {r.parameter: r for r in compliance(plan([prostate(1)]), own, lambda site: {"R02": 0.5})}
    assert (rows["te"].wanted, rows["te"].allowed, rows["te"].n_within) == ("at most 60", "at most 90", 1)


def test_where_vendors_differ_the_table_tells_the_range_of_each() -> None:
    own = PI_RADS.model_copy(update={"slots": tuple(s for s in PI_RADS.slots if s.slot == "dwi")})
    (dwi,) = own.slots
    limit = Limit(unit="ms", vendors={"siemens": Range(max=90.0), "ge": Range(max=100.0)})
    own = own.model_copy(update={"slots": (dwi.model_copy(update={"limits": {"te": limit}}),)})
    both = [having("dwi", EchoTime=98.0)(prostate(n, vendor)) for n, vendor in enumerate(("siemens", "ge"))]
    (te,) = (r for r in compliance(plan(both), own) if r.parameter == "te")
    assert (te.n, te.n_within) == (2, 1)
    assert (te.wanted, te.allowed) == ("at most 100 or at most 90", "at most 105 or at most 94.5")
    assert is_public("wanted", te.wanted) and is_public("allowed", te.allowed)
    assert not is_public("allowed", "at most 90 or Jane")


def test_the_table_of_compliance_counts_by_site() -> None:
    keeping = [prostate(n) for n in range(3)]
    keeping[0] = having("dwi", EchoTime=120.0)(keeping[0])
    keeping[1] = without("dwi")(keeping[1])
    rows = {(r.slot, r.parameter): r for r in compliance(plan(keeping), PI_RADS)}
    te = rows["dwi", "te"]
    assert (te.n, te.n_within, te.share, te.observed, te.wanted) == (2, 1, 0.5, "70 to 120", "at most 90")
    assert te.allowed == "at most 94.5"
    assert all(is_public("allowed", r.allowed) and is_public("wanted", r.wanted) for r in rows.values())
    assert (rows["dwi", "present"].n, rows["dwi", "present"].n_within) == (3, 2)
    assert {r.site for r in rows.values()} == {"S1"}


def test_five_thousand_stacks_take_seconds() -> None:
    made = plan([prostate(1)])
    many: list[Planned] = []
    for n in range(5000 // len(made) + 1):
        visit = replace(made[0].visit, subject=f"{n:04d}")
        many += [replace(p, visit=visit, row=replace(p.row, subject=visit.subject)) for p in made]
    start = time.process_time()
    check_protocol(many, PI_RADS)
    assert time.process_time() - start < 10
