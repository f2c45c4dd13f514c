"""What sets images of one series apart, and how volumes are laid out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from seriesmaker import AXIAL, CORONAL, SAGITTAL, repeat, series, stacks_of

GRE = {
    "ScanningSequence": ("GR",),
    "MRAcquisitionType": "3D",
    "RepetitionTime": 4.0,
    "EchoTime": 1.4,
    "FlipAngle": 10.0,
}
EPI = {"ScanningSequence": ("EP",), "MRAcquisitionType": "2D", "RepetitionTime": 5000.0, "EchoTime": 60.0}


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("series-number", {"SeriesNumber": 77}),
        ("shape", {"Rows": 16}),
        ("shape", {"PixelSpacing": (2.0, 2.0)}),
        ("dixon", {"ImageType": ("DERIVED", "PRIMARY", "W")}),
        ("part", {"ImageType": ("ORIGINAL", "PRIMARY", "P")}),
        ("part", {"complex_part": "real"}),
        ("echo", {"EchoTime": 2.8}),
        ("flip", {"FlipAngle": 15.0}),
        ("inversion", {"InversionTime": 900.0}),
        ("content", {"ImageType": ("ORIGINAL", "PRIMARY", "MIP")}),
        ("origin", {"ImageType": ("DERIVED", "PRIMARY", "M")}),
    ],
)
def test_unlike_images_of_one_series_are_stacks_of_their_own(name: str, changes: dict) -> None:
    plain = {"ImageType": ("DERIVED", "PRIMARY", "F")} if name == "dixon" else {}
    uid = series(1, 1)[0].SeriesInstanceUID
    stacks = stacks_of(
        series(1, 3, **GRE, **plain), series(1, 3, piece="b", **({**GRE} | changes), SeriesInstanceUID=uid)
    ).stacks
    assert [len(s.instances) for s in stacks] == [3, 3]
    assert {split for s in stacks for split, _ in s.split} == {name}


def test_a_localizer_falls_into_its_planes() -> None:
    stacks = stacks_of(*(series(1, 3, piece=k, orientation=o) for k, o in enumerate((SAGITTAL, CORONAL, AXIAL)))).stacks
    assert sorted(s.split[0][1] for s in stacks) == ["ax", "cor", "sag"]
    assert len({s.acquisition_id for s in stacks}) == 1


def test_rounding_of_cosines_and_echo_times_splits_nothing() -> None:
    rows = series(1, 6, **GRE)
    jitter = [
        replace(r, ImageOrientationPatient=(1.0, 1e-5 * k, 0.0, 0.0, 1.0, 1e-5 * k), EchoTime=1.4 + 1e-3 * k)
        for k, r in enumerate(rows)
    ]
    (stack,) = stacks_of(jitter).stacks
    assert (stack.n_slices, stack.n_volumes, stack.split) == (6, 1, ())


def test_slices_are_ordered_by_position_not_by_number() -> None:
    rows = [replace(r, InstanceNumber=9 - k) for k, r in enumerate(series(1, 5))]
    (stack,) = stacks_of(rows).stacks
    assert [i.ImagePositionPatient[2] for i in stack.instances] == [0.0, 5.0, 10.0, 15.0, 20.0]


def test_b_values_of_a_trace_are_one_4d_stack_in_ascending_order() -> None:
    (stack,) = stacks_of(repeat(series(1, 4, **EPI), 3, b_value=[800.0, None, 50.0])).stacks
    assert (stack.n_slices, stack.n_volumes, stack.bvalues) == (4, 3, (0.0, 50.0, 800.0))
    assert [i.b_value for i in stack.instances[4:8]] == [50.0] * 4


def test_directions_are_volumes_in_the_order_of_acquisition() -> None:
    x, y = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
    (stack,) = stacks_of(
        repeat(series(1, 4, **EPI), 4, b_value=[0.0, 900.0, 900.0, 0.0], b_direction=[(), x, y, ()])
    ).stacks
    assert stack.bvalues == (0.0, 900.0, 900.0, 0.0)
    assert stack.directions == ((), x, y, ())


def test_isotropic_images_beside_their_directions_are_a_stack_of_their_own() -> None:
    x, y = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
    rows = repeat(series(1, 4, **EPI), 4, b_value=[0.0, 900.0, 900.0, 900.0], b_direction=[(), x, y, ()])
    assert sorted(s.bvalues for s in stacks_of(rows).stacks) == [(0.0, 900.0, 900.0), (900.0,)]


def test_adc_and_trace_in_one_series_are_parted() -> None:
    trace = repeat(
        series(1, 4, **EPI, ImageType=("DERIVED", "PRIMARY", "DIFFUSION", "TRACEW")), 2, b_value=[50.0, 800.0]
    )
    adc = series(1, 4, piece="adc", **EPI, ImageType=("DERIVED", "PRIMARY", "DIFFUSION", "ADC"), b_value=800.0)
    stacks = stacks_of(trace, adc).stacks
    assert sorted((s.n_volumes, s.bvalues) for s in stacks) == [(1, ()), (2, (50.0, 800.0))]
    assert len({s.acquisition_id for s in stacks}) == 1


def test_gradient_echo_epi_stays_one_time_series() -> None:
    epi = EPI | {"ScanningSequence": ("EP", "GR"), "EchoTime": 30.0}
    (stack,) = stacks_of(repeat(series(1, 4, **epi), 10)).stacks
    assert (stack.n_slices, stack.n_volumes) == (4, 10)
    assert [i.InstanceNumber for i in stack.instances[:4]] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("clock", "source"),
    [
        (
            {"TemporalPositionIdentifier": [1, 2, 3, 4], "AcquisitionTime": ["100000", "100010", "100020", "100040"]},
            "AcquisitionTime",
        ),
        ({"TriggerTime": [0.0, 10000.0, 20000.0, 40000.0]}, "TriggerTime"),
        (
            {"AcquisitionTime": ["235950", "000000", "000010", "000030"], "AcquisitionNumber": [1, 2, 3, 4]},
            "AcquisitionTime",
        ),
        (
            {"TemporalPositionTimeOffset": [0.0, 10.0, 20.0, 40.0], "TriggerTime": [0.0, 1.0, 2.0, 3.0]},
            "TemporalPositionTimeOffset",
        ),
    ],
)
def test_phases_are_3d_stacks_with_their_time(clock: dict, source: str) -> None:
    stacks = stacks_of(repeat(series(1, 4, **GRE), 4, **clock)).stacks
    assert [s.phase_index for s in stacks] == [1, 2, 3, 4]
    assert [s.phase_time_s for s in stacks] == [0.0, 10.0, 20.0, 40.0]
    assert {s.phase_time_source for s in stacks} == {source}
    assert {(s.n_slices, s.n_volumes) for s in stacks} == {(4, 1)}


def test_a_clock_that_stands_still_is_not_believed() -> None:
    stacks = stacks_of(
        repeat(series(1, 4, AcquisitionTime="100000", **GRE), 3, TemporalPositionIdentifier=[1, 2, 3])
    ).stacks
    assert [(s.phase_index, s.phase_time_s, s.phase_time_source) for s in stacks] == [(k, None, "") for k in (1, 2, 3)]


def test_a_phase_that_lost_slices_stays_by_itself() -> None:
    rows = repeat(series(1, 4, **GRE), 3, TemporalPositionIdentifier=[1, 2, 3])
    stacks = stacks_of(rows[:-2]).stacks
    assert [len(s.instances) for s in stacks] == [4, 4, 2]
    assert all(i.TemporalPositionIdentifier == s.phase_index for s in stacks for i in s.instances)


def test_the_same_volume_twice_is_two_repeats_without_a_phase() -> None:
    stacks = stacks_of(repeat(series(1, 4, ScanningSequence=("SE",)), 2)).stacks
    assert [s.split for s in stacks] == [(("repeat", "1"),), (("repeat", "2"),)]
    assert {s.phase_index for s in stacks} == {None}


def test_one_slice_over_time_is_one_stack() -> None:
    (stack,) = stacks_of(
        repeat(series(1, 1, **GRE | {"MRAcquisitionType": "2D"}), 25, TriggerTime=[40.0 * k for k in range(25)])
    ).stacks
    assert (stack.n_slices, stack.n_volumes) == (1, 25)


def test_mosaics_are_volumes() -> None:
    rows = [
        replace(r, mosaic_tiles=30, ImagePositionPatient=(0.0, 0.0, 0.0))
        for r in series(1, 5, SequenceName="epfid2d1_64")
    ]
    (stack,) = stacks_of(rows).stacks
    assert (stack.n_slices, stack.n_volumes) == (30, 5)


def test_objects_without_an_image_are_one_empty_stack() -> None:
    rows = series(1, 2, Modality="RTSTRUCT", SOPClassUID="1.2.840.10008.5.1.4.1.1.481.3", pixel_length=None, Rows=None)
    (stack,) = stacks_of(rows).stacks
    assert (stack.is_image, stack.n_volumes, len(stack.instances)) == (False, 0, 2)


def test_identifiers_stay_when_slices_are_added() -> None:
    rows = repeat(series(1, 6, **GRE), 3, TemporalPositionIdentifier=[1, 2, 3])
    fewer = [r for r in rows if r.ImagePositionPatient[2] < 20]
    before, after = stacks_of(fewer).stacks, stacks_of(rows).stacks
    assert [(s.stack_id, s.acquisition_id) for s in before] == [(s.stack_id, s.acquisition_id) for s in after]
