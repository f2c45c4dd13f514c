"""What a trial sets as a tolerance: no number stops a check, and what one row lets pass is the next one's."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from pixelmaker import body, stack_of, volume_of
from protocolmaker import plan, prostate
from seriesmaker import records_of
from test_qc_dynamic import as_many_series
from test_qc_geometry import stack_at
from test_qc_sketch import ADC, TRACE, B, adc_map, phases, sketch, trace

from trialbids.exporter.plan.visits import Visit
from trialbids.exporter.qc.check import Finding, run_checks, tolerance_keys
from trialbids.exporter.qc.headers.geometry import check_stack
from trialbids.exporter.qc.headers.run import tables_of
from trialbids.exporter.qc.pixels.run import examine
from trialbids.exporter.qc.pixels.sessions import check_siblings
from trialbids.exporter.qc.pixels.siblings import Siblings
from trialbids.exporter.qc.protocol.check import check_protocol
from trialbids.exporter.qc.protocol.compliance import compliance
from trialbids.exporter.qc.tables import all_tables
from trialbids.exporter.qc.views import Person, Series, Session, acquisitions_of
from trialbids.mappings.protocolfile import load_protocol
from trialbids.mappings.record import Record

VISIT = Visit("A1", "01", "S1", "x", "20200101", "20200101", 0)
SKEWED = {"ImageOrientationPatient": (1.0, 0.005, 0.0, 0.0, 1.0, 0.0)}


def every(number: float) -> Mapping[str, float]:
    """The same tolerance for every row of every table."""
    return {key: number for table in all_tables() for key in tolerance_keys(table).values()}


def failed(findings: tuple[Finding, ...]) -> list[str]:
    return [f.message for f in findings if f.check == "Q99"]


def of_headers(tolerances: Mapping[str, float]) -> list[str]:
    """What could not be run over a whole examination, a dynamic scan of whole seconds, and one of one slice."""
    dynamic = as_many_series([2.0 * k for k in range(6)])
    rows = [i for part in (*prostate(1).values(), *dynamic) for i in part]
    stacks = tuple(records_of(rows))
    tables, said = tables_of(bodyparts=["prostate"]), []
    for uid in dict.fromkeys(i.SeriesInstanceUID for i in rows):
        own = tuple(h for h in stacks if h.stack.first.SeriesInstanceUID == uid)
        view = Series(uid, tuple(i for i in rows if i.SeriesInstanceUID == uid), own)
        said += failed(run_checks(tables.series, view, tolerances=tolerances))
    for h in stacks:
        said += failed(check_stack(h.stack, tolerances=tolerances))
    for acquisition in acquisitions_of(stacks):
        said += failed(run_checks(tables.acquisition, acquisition, tolerances=tolerances))
    session = Session(VISIT, stacks)
    said += failed(run_checks(tables.session, session, tolerances=tolerances))
    return said + failed(run_checks(tables.person, Person("A1", (session,)), tolerances=tolerances))


@pytest.mark.parametrize("number", [0.0, 1e-300, 1.0, 1e9])
def test_every_check_of_headers_takes_any_tolerance(number: float) -> None:
    assert of_headers(every(number)) == []
    for stack in (stack_at([0]), stack_at([0, 0, 0]), stack_at([0, 4, 9, 17], n_volumes=2), stack_at([0, 4], **SKEWED)):
        assert failed(check_stack(stack, tolerances=every(number))) == []


@pytest.mark.parametrize("number", [0.0, 1.0, 1e9])
def test_every_check_of_voxels_takes_any_tolerance(number: float) -> None:
    for voxels, record, bvalues in ((body(), Record(sequence="T2w"), ()), (trace(), TRACE, B), (adc_map(), ADC, ())):
        seen = examine(volume_of(voxels), stack_of(voxels, bvalues), record, every(number))
        assert failed(seen.findings) == []
    parts = [(sketch(trace(), TRACE, 91, B), TRACE), (sketch(adc_map(), ADC, 92), ADC), *phases(1.6, "Gadovist", 4)]
    siblings = Siblings({s.stack_id: s for s, _ in parts}, {s.stack_id: r for s, r in parts})
    assert failed(check_siblings(siblings, "session", every(number))) == []


@pytest.mark.parametrize("number", [0.0, 1.0, 1e9])
def test_every_check_of_the_protocol_takes_any_tolerance(number: float) -> None:
    planned = plan([prostate(n) for n in range(9)])
    wanted = load_protocol("pi-rads-2.1")
    assert failed(check_protocol(planned, wanted, lambda site: every(number))) == []
    assert compliance(planned, wanted, lambda site: every(number))


def test_a_tolerance_of_nothing_lets_nothing_pass() -> None:
    uneven = as_many_series([0.0, 20.0, 40.0, 60.5, 80.0, 100.0])
    stacks = records_of(*uneven)
    (acquisition,) = acquisitions_of(stacks)
    table = tables_of().acquisition
    assert "T03" not in {f.check for f in run_checks(table, acquisition)}
    assert "T03" in {f.check for f in run_checks(table, acquisition, tolerances={"T03": 0.0})}


def said(stack, **tolerances: float) -> list[tuple[str, str]]:
    limits = {key.replace("_", ":"): number for key, number in tolerances.items()}
    return [(f.check, f.severity) for f in check_stack(stack, tolerances=limits)]


def test_what_an_error_lets_pass_is_a_warning() -> None:
    stack = stack_at([0, 4, 8, 12], **SKEWED)
    assert said(stack) == [("G02", "error")]
    assert said(stack, G02_error=0.01) == [("G02", "warning")]
    assert said(stack, G02_error=0.01, G02_warning=0.01) == []
    assert said(stack, G02_warning=0.01) == [("G02", "error")]


def test_a_gap_that_misses_no_slice_by_the_trial_is_uneven_spacing() -> None:
    stack = stack_at([0, 3, 6, 12, 15, 18, 21])
    assert ("G04", "error") in said(stack) and ("G05", "warning") not in said(stack)
    assert said(stack, G04=2.5) == [("G05", "warning")]


def test_an_empty_slice_that_is_no_error_by_the_trial_is_a_warning() -> None:
    voxels = body()
    voxels[:, :, 6] = 500 + (voxels[:, :, 6] > 100)
    record = Record(sequence="T2w")

    def judged(**tolerances: float) -> list[tuple[str, str]]:
        limits = {key.replace("_", ":"): number for key, number in tolerances.items()}
        found = examine(volume_of(voxels), stack_of(voxels), record, limits).findings
        return [(f.check, f.severity) for f in found if f.check == "P01"]

    assert judged() == [("P01", "error")]
    assert judged(P01_error=0.0) == [("P01", "warning")]
