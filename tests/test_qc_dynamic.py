"""Checks of dynamic acquisitions: each fault is found in phases of one series and in phases that are series."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seriesmaker import records_of, repeat, series

from trialbids.exporter.inventory.instance import Instance
from trialbids.exporter.qc.check import Finding, run_checks
from trialbids.exporter.qc.headers.dynamic import DYNAMIC
from trialbids.exporter.qc.views import acquisitions_of

VIBE: dict[str, Any] = {
    "ScanningSequence": ("GR",), "MRAcquisitionType": "3D", "RepetitionTime": 4.0, "EchoTime": 1.5, "FlipAngle": 12.0,
    "SeriesDescription": "t1 vibe dyn",
}  # fmt: skip
Phases = list[list[Instance]]
N = 6


def clock(seconds: float) -> str:
    total = 36000.0 + seconds
    return f"{int(total // 3600):02d}{int(total % 3600 // 60):02d}{total % 60:05.2f}"


def as_one_series(times: Sequence[float], **header: Any) -> Phases:
    """Phases as one series that counts temporal positions, with trigger times."""
    rows = repeat(
        series(7, 8, **VIBE | {"NumberOfTemporalPositions": len(times)} | header),
        len(times),
        TemporalPositionIdentifier=list(range(1, len(times) + 1)),
        TriggerTime=[1000.0 * t for t in times],
        AcquisitionTime=[clock(t) for t in times],
    )
    return [rows[8 * k : 8 * k + 8] for k in range(len(times))]


def as_many_series(times: Sequence[float], **header: Any) -> Phases:
    """Each phase as a series of its own, told apart by AcquisitionTime and AcquisitionNumber."""
    return [
        series(7 + k, 8, **VIBE | {"AcquisitionTime": clock(t), "AcquisitionNumber": k + 1} | header)
        for k, t in enumerate(times)
    ]


MAKERS = pytest.mark.parametrize("made", [as_one_series, as_many_series])
Made = Callable[..., Phases]
EVEN = [20.5 * k for k in range(N)]


def found(phases: Phases) -> list[Finding]:
    harmonised = records_of(*phases)
    findings: list[Finding] = []
    for acquisition in acquisitions_of(harmonised):
        findings += run_checks(DYNAMIC, acquisition, acquisition.id)
    return [f for f in findings if f.severity != "info"]


def codes(phases: Phases) -> list[str]:
    return [f.check for f in found(phases)]


@MAKERS
def test_even_phases_are_sound(made: Made):
    assert codes(made(EVEN)) == []


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([as_one_series, as_many_series]), st.integers(0, N - 1), st.sets(st.integers(0, 7), min_size=1))
def test_a_phase_that_lacks_slices_is_found_wherever_they_lay(made: Made, phase: int, lost: set[int]):
    phases = made(EVEN)
    kept = [i for k, i in enumerate(phases[phase]) if k not in lost or (len(lost) == 8 and k == 0)]
    (finding,) = [f for f in found([*phases[:phase], kept, *phases[phase + 1 :]]) if f.check == "T01"]
    assert finding.severity == "error" and len(finding.stacks) == N
    assert ("the last phase" in finding.message) is (phase == N - 1)


def test_a_volume_of_a_time_series_that_lacks_slices_is_an_error():
    bold = {"ScanningSequence": ("EP", "GR"), "RepetitionTime": 2000.0, "EchoTime": 30.0, "FlipAngle": 80.0}
    rows = repeat(series(3, 6, **bold), 5, AcquisitionTime=[clock(2.0 * k) for k in range(5)])
    assert codes([rows]) == []
    assert codes([rows[:-2]]) == ["T01"]


@MAKERS
@pytest.mark.parametrize("k", [1, 3, 5])
def test_a_time_met_twice_is_an_error(made: Made, k: int):
    times = list(EVEN)
    times[k] = times[k - 1]
    assert "T02" in codes(made(times))


@MAKERS
@pytest.mark.parametrize("k", [2, 4, 5])
def test_a_time_that_falls_is_an_error(made: Made, k: int):
    times = list(EVEN)
    times[k] = 3.0
    assert "T02" in codes(made(times))


def test_a_constant_clock_beside_a_running_one_is_no_fault():
    constant = [[replace(i, AcquisitionTime="100000") for i in phase] for phase in as_one_series(EVEN)]
    assert codes(constant) == []


def test_delays_within_a_breath_are_no_times_of_phases():
    delays = [310.0, 280.0, 310.0, 295.0, 300.0, 280.0]
    phases = as_one_series(EVEN)
    triggered = [[replace(i, TriggerTime=ms) for i in phase] for phase, ms in zip(phases, delays, strict=True)]
    assert "T02" not in codes(triggered)


@MAKERS
@pytest.mark.parametrize("k", [2, 3, 5])
@pytest.mark.parametrize("more", [-6.0, 6.0, 60.0])
def test_an_interval_that_varies_is_a_warning(made: Made, k: int, more: float):
    times = [t + (more if n >= k else 0.0) for n, t in enumerate(EVEN)]
    assert codes(made(times)) == ["T03"]


@MAKERS
def test_the_first_interval_and_that_of_the_injection_are_exempt(made: Made):
    late = [t + (40.0 if n >= 1 else 0.0) for n, t in enumerate(EVEN)]
    assert codes(made(late)) == []
    injected = made([t + (40.0 if n >= 2 else 0.0) for n, t in enumerate(EVEN)])
    named = [
        [replace(i, ContrastBolusAgent="Gadovist" if n >= 2 else "") for i in phase] for n, phase in enumerate(injected)
    ]
    assert codes(injected) == ["T03"] and codes(named) == []


def test_a_selection_of_the_series_of_a_dynamic_is_judged_by_what_lies_between():
    chosen = [0, 1, 2, 3, 10, 20, 30]
    phases = [
        [replace(i, SeriesNumber=7 + n, SeriesInstanceUID=f"1.{n}") for i in phase]
        for n, phase in zip(chosen, as_many_series([4.2 * n for n in chosen]), strict=True)
    ]
    assert codes(phases) == []


@MAKERS
def test_a_dynamic_whose_first_phase_is_not_here_has_no_baseline(made: Made):
    assert "T05" in codes(made(EVEN)[1:])


@MAKERS
def test_a_dynamic_that_began_after_the_injection_has_no_baseline(made: Made):
    assert "T05" in codes(made(EVEN, ContrastBolusStartTime=clock(-30.0)))
    assert "T05" not in codes(made(EVEN, ContrastBolusStartTime=clock(10.0)))


def test_temporal_positions_against_the_time_are_a_warning():
    phases = as_one_series(EVEN)
    turned = [[replace(i, TemporalPositionIdentifier=N - n) for i in phase] for n, phase in enumerate(phases)]
    assert "T08" in codes(turned)
    # One slice of two neighbouring phases exchanged.
    phases[2][4], phases[3][4] = (
        replace(phases[2][4], TemporalPositionIdentifier=4),
        replace(phases[3][4], TemporalPositionIdentifier=3),
    )
    assert "T08" in codes(phases)


def test_joined_series_are_told():
    harmonised = records_of(*as_many_series(EVEN))
    findings = [f for a in acquisitions_of(harmonised) for f in run_checks(DYNAMIC, a, a.id)]
    assert [(f.check, f.severity) for f in findings] == [("T09", "info")]
    assert findings[0].message == "6 phases lie in 6 series, which were joined"


def test_a_scan_of_fewer_slices_made_later_is_no_cut_phase():
    phases = as_many_series(EVEN)
    later = [replace(i, SeriesNumber=30, AcquisitionTime=clock(900.0), SeriesInstanceUID="1.30") for i in phases[0][:5]]
    assert codes([*phases, later]) == []


@MAKERS
@pytest.mark.parametrize("k", [1, 2, 4])
def test_a_clock_that_stands_still_is_an_error_from_wherever_it_does(made: Made, k: int):
    assert "T02" in codes(made([*EVEN[: k + 1], *[EVEN[k]] * (N - 1 - k)]))


@pytest.mark.parametrize("phases", [3, N])
def test_one_time_for_all_phases_after_the_agent_is_no_fault_where_another_clock_tells_them(phases: int):
    times = EVEN[:phases]
    made = as_one_series(times)
    after = [[replace(i, AcquisitionTime=clock(20.5 if n else 0.0)) for i in phase] for n, phase in enumerate(made)]
    assert codes(after) == []
    untold = [[replace(i, TriggerTime=None) for i in phase] for phase in after]
    assert codes(untold) == ["T02"]
