"""Times over midnight: one line of seconds for phases, scans and studies."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seriesmaker import repeat, series, stacks_of

from trialbids.exporter.inventory.instance import Instance
from trialbids.exporter.inventory.moment import DAY, moment, unwrapped
from trialbids.exporter.stacks.signature import Signature

GRE = {
    "ScanningSequence": ("GR",),
    "MRAcquisitionType": "3D",
    "RepetitionTime": 4.0,
    "EchoTime": 1.4,
    "FlipAngle": 10.0,
}
TIMES = ["235940", "235950", "000000", "000010", "000025"]
DATES = ["20200229"] * 2 + ["20200301"] * 3


def header(**values: object) -> Instance:
    return Instance(path="", **values)


@pytest.mark.parametrize(
    ("before", "after", "apart"),
    [
        (
            {"AcquisitionDate": "20191231", "AcquisitionTime": "235959"},
            {"AcquisitionDate": "20200101", "AcquisitionTime": "000001"},
            2.0,
        ),
        ({"AcquisitionDateTime": "20191231235959.5"}, {"AcquisitionDateTime": "20200101000000.5+0100"}, 1.0),
        (
            {"AcquisitionDateTime": "20191231235959.5-0500"},
            {"AcquisitionDate": "20200101", "AcquisitionTime": "000001"},
            1.5,
        ),
        (
            {"SeriesDate": "20200101", "SeriesTime": "235900", "AcquisitionTime": "235959"},
            {"SeriesDate": "20200101", "SeriesTime": "235900", "AcquisitionTime": "000001"},
            2.0,
        ),
        (
            {"SeriesDate": "20200102", "SeriesTime": "000100", "AcquisitionTime": "235959"},
            {"SeriesDate": "20200102", "SeriesTime": "000100", "AcquisitionTime": "000001"},
            2.0,
        ),
        (
            {"StudyDate": "20200101", "StudyTime": "230000", "AcquisitionTime": "231000"},
            {"StudyDate": "20200101", "StudyTime": "230000", "AcquisitionTime": "001000"},
            3600.0,
        ),
        ({"AcquisitionTime": "101010"}, {"AcquisitionTime": "10:10:12.25"}, 2.25),
    ],
)
def test_midnight_is_a_second_like_any_other(before: dict, after: dict, apart: float) -> None:
    first, second = moment(header(**before)), moment(header(**after))
    assert first is not None and second is not None
    assert second - first == pytest.approx(apart)


@pytest.mark.parametrize("text", ["", "noon", "2460", "99", "1", "10:1"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert moment(header(AcquisitionDate="20200101", AcquisitionTime=text)) is None


def test_the_time_of_a_frame_outranks_that_of_its_object() -> None:
    frame = header(frame=2, AcquisitionTime="100000", AcquisitionDate="20200101", AcquisitionDateTime="20200101100007")
    assert moment(frame) == (moment(replace(frame, AcquisitionDateTime="")) or 0) + 7


@given(st.floats(0, DAY - 1), st.lists(st.floats(0, 7000), min_size=1, max_size=8))
def test_clocks_of_one_scan_keep_their_order_over_midnight(start: float, later: list[float]) -> None:
    true = [start + t for t in (0.0, *later)]
    seen = unwrapped([t % DAY for t in true])
    assert [t - seen[0] for t in seen if t is not None] == pytest.approx([t - start for t in true], abs=1e-6)  # type: ignore[operator]


@pytest.mark.parametrize("dates", [{"AcquisitionDate": DATES}, {"SeriesDate": ["20200229"] * 5}, {}])
@pytest.mark.parametrize("numbers", [{}, {"InstanceNumber": [5, 1, 4, 2, 3]}])
def test_a_dynamic_over_midnight_in_one_series(dates: dict, numbers: dict) -> None:
    rows = repeat(series(5, 3, SeriesTime="235940", **GRE), 5, AcquisitionTime=TIMES, **dates, **numbers)
    stacks = stacks_of(rows).stacks
    assert [s.first.AcquisitionTime for s in stacks] == TIMES
    assert [(s.phase_index, s.phase_time_s) for s in stacks] == [(1, 0), (2, 10), (3, 20), (4, 30), (5, 45)]


@pytest.mark.parametrize("dated", [True, False])
def test_a_dynamic_over_midnight_in_one_series_a_phase(dated: bool) -> None:
    order = [3, 0, 4, 2, 1]
    rows = [
        series(20 + n, 3, AcquisitionTime=TIMES[k], AcquisitionDate=DATES[k] if dated else "", **GRE)
        for n, k in enumerate(order)
    ]
    stacks = stacks_of(*rows).stacks
    assert {s.first.AcquisitionTime: (s.phase_index, s.phase_time_s) for s in stacks} == dict(
        zip(TIMES, [(1, 0.0), (2, 10.0), (3, 20.0), (4, 30.0), (5, 45.0)], strict=True)
    )


def test_a_scan_begins_before_midnight_though_its_last_slices_are_after_it() -> None:
    (stack,) = stacks_of([replace(r, AcquisitionTime=t) for r, t in zip(series(5, 3), TIMES[1:4], strict=True)]).stacks
    assert Signature(stack).start == 86390.0


def test_products_of_one_moment_on_two_days_are_two_scans() -> None:
    rows = [
        series(n, 3, SeriesDescription=w, AcquisitionTime="101010", AcquisitionDate=d, **GRE)
        for n, (w, d) in enumerate((("WATER", "20200101"), ("FAT", "20200102")))
    ]
    assert len({s.acquisition_id for s in stacks_of(*rows).stacks}) == 2
