"""Which series are one scan."""

from __future__ import annotations

from seriesmaker import repeat, series, stacks_of

GRE = {
    "ScanningSequence": ("GR",),
    "MRAcquisitionType": "3D",
    "RepetitionTime": 4.0,
    "EchoTime": 1.4,
    "FlipAngle": 10.0,
}
DWI = {"ScanningSequence": ("EP",), "RepetitionTime": 5000.0, "EchoTime": 60.0}
TRACE, ADC = ("DERIVED", "PRIMARY", "DIFFUSION", "TRACEW"), ("DERIVED", "PRIMARY", "DIFFUSION", "ADC")


def scans(*rows) -> list[list[int]]:
    """The series numbers of each acquisition."""
    acquisitions: dict[str, list[int]] = {}
    for stack in stacks_of(*rows).stacks:
        numbers = {i.SeriesNumber or 0 for i in stack.instances}
        acquisitions.setdefault(stack.acquisition_id, []).extend(numbers)
    return sorted(sorted(set(numbers)) for numbers in acquisitions.values())


def trace(number: int, b: float, time: str, **more) -> list:
    return series(number, 3, ImageType=TRACE, b_value=b, AcquisitionTime=time, **DWI | more)


def test_b_values_stored_as_series_and_their_map_are_one_scan() -> None:
    adc = series(8, 3, ImageType=ADC, AcquisitionTime="101000", **DWI)
    assert scans(trace(5, 100.0, "101000"), trace(6, 500.0, "101200"), trace(7, 1400.0, "101400"), adc) == [
        [5, 6, 7, 8]
    ]


def test_a_repeated_diffusion_scan_is_another_scan_and_each_map_finds_its_own() -> None:
    rows = [trace(5, 800.0, "101000"), trace(6, 800.0, "102000")]
    maps = [series(n, 3, ImageType=ADC, AcquisitionTime=t, **DWI) for n, t in ((7, "101000"), (8, "102000"))]
    assert scans(*rows, *maps) == [[5, 7], [6, 8]]


def test_diffusion_scans_with_other_timing_are_apart() -> None:
    assert scans(trace(5, 50.0, "101000"), trace(6, 800.0, "101200", EchoTime=80.0)) == [[5], [6]]


def test_time_points_stored_as_series_are_one_dynamic() -> None:
    rows = [
        series(20 + k, 3, SeriesDescription=f"dyn_TT={4.0 * k + 8:.1f}s", AcquisitionNumber=k + 1, **GRE)
        for k in range(4)
    ]
    stacks = stacks_of(*rows).stacks
    assert len({s.acquisition_id for s in stacks}) == 1
    assert [(s.phase_index, s.phase_time_s, s.phase_time_source) for s in stacks] == [
        (k + 1, 4.0 * k, "description") for k in range(4)
    ]


def test_four_breath_holds_that_no_one_calls_dynamic_stay_apart() -> None:
    rows = [series(n, 3, SeriesDescription=f"vibe {n}", AcquisitionTime=f"10{n}000", **GRE) for n in (1, 2, 3, 4)]
    assert scans(*rows) == [[1], [2], [3], [4]]


def test_five_repeats_of_one_geometry_are_a_dynamic_in_order_of_time() -> None:
    times = {1: "105000", 2: "101000", 3: "102000", 4: "103000", 5: "104000"}
    stacks = stacks_of(
        *(series(n, 3, SeriesDescription="vibe", AcquisitionTime=t, **GRE) for n, t in times.items())
    ).stacks
    assert {s.first.SeriesNumber: s.phase_index for s in stacks} == {2: 1, 3: 2, 4: 3, 5: 4, 1: 5}
    assert len({s.acquisition_id for s in stacks}) == 1


def test_flip_angles_are_one_scan_beside_the_dynamic_with_the_same_geometry() -> None:
    flips = [
        series(n, 3, AcquisitionTime=f"09{n}000", **GRE | {"FlipAngle": a}) for n, a in ((1, 2.0), (2, 15.0), (3, 5.0))
    ]
    dynamic = [series(10 + k, 3, AcquisitionTime=f"10{k}000", **GRE | {"FlipAngle": 12.0}) for k in range(6)]
    stacks = stacks_of(*flips, *dynamic).stacks
    assert [s.flip_index for s in stacks] == [1, 3, 2] + [None] * 6
    assert len({s.acquisition_id for s in stacks}) == 2


def test_dixon_products_stored_as_series_are_one_scan_without_phases() -> None:
    rows = [
        series(5 + k, 3, SeriesDescription=f"{word}: Ax LAVA", AcquisitionTime="101010", **GRE)
        for k, word in enumerate(("WATER", "FAT", "InPhase", "OutPhase"))
    ]
    assert scans(*rows) == [[5, 6, 7, 8]]
    assert {s.phase_index for s in stacks_of(*rows).stacks} == {None}


def test_a_field_map_and_its_magnitude_are_one_scan() -> None:
    gre = GRE | {"RepetitionTime": 488.0}
    magnitude = [i for k in (1, 2) for i in series(5, 3, piece=k, **gre | {"EchoTime": 2.46 * k, "EchoNumbers": k})]
    phase = series(6, 3, ImageType=("ORIGINAL", "PRIMARY", "P"), **gre | {"EchoTime": 4.92})
    stacks = stacks_of(magnitude, phase, series(30, 3, **gre)).stacks
    assert len({s.acquisition_id for s in stacks}) == 2
    assert [s.echo_index for s in stacks if s.first.SeriesNumber == 5] == [1, 2]


def test_products_of_different_studies_never_meet() -> None:
    other = {"StudyInstanceUID": "9.9"}
    rows = [series(1, 3, AcquisitionTime="101010", **GRE), series(2, 3, AcquisitionTime="101010", **GRE, **other)]
    assert len({s.acquisition_id for s in stacks_of(*rows).stacks}) == 2


def test_echoes_are_numbered_by_time() -> None:
    rows = [
        i for k in range(4) for i in series(1, 3, piece=k, **GRE | {"EchoTime": 9.0 - 2 * k, "RepetitionTime": 90.0})
    ]
    stacks = stacks_of(rows).stacks
    assert [(s.echo_index, s.first.EchoTime) for s in stacks] == [(1, 3.0), (2, 5.0), (3, 7.0), (4, 9.0)]


def test_dynamic_dixon_has_one_clock_a_product() -> None:
    times = {"TemporalPositionIdentifier": [1, 2, 3], "AcquisitionTime": ["100000", "100010", "100020"]}
    rows = [
        i
        for word in ("W", "F")
        for i in repeat(series(1, 3, piece=word, ImageType=("DERIVED", "PRIMARY", word), **GRE), 3, **times)
    ]
    stacks = stacks_of(rows).stacks
    assert sorted((dict(s.split)["dixon"], s.phase_index, s.phase_time_s) for s in stacks) == [
        (word, k + 1, 10.0 * k) for word in ("fat", "water") for k in range(3)
    ]
