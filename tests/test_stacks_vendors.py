"""The forms in which scanners store one scan: what each becomes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from seriesmaker import CT, repeat, series, stacks_of

from trialbids.exporter.inventory.instance import Instance

GRE = {
    "ScanningSequence": ("GR",),
    "MRAcquisitionType": "3D",
    "RepetitionTime": 4.0,
    "EchoTime": 1.4,
    "FlipAngle": 10.0,
}
CINE = {"ScanningSequence": ("GR",), "MRAcquisitionType": "2D", "RepetitionTime": 3.0, "EchoTime": 1.5}
CT_HEADER = {"Modality": "CT", "SOPClassUID": CT, "ImageType": ("ORIGINAL", "PRIMARY", "AXIAL"), "KVP": 120.0}
PET = {"Modality": "PT", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.128", "ImageType": ("ORIGINAL", "PRIMARY")}


def pieces(number: int, header: dict, *changes: dict) -> list[Instance]:
    """One series that holds the same slices once for each set of changes."""
    return [i for k, c in enumerate(changes) for i in series(number, 3, piece=k, **{**header, **c})]


def enhanced(rows: list[Instance]) -> list[Instance]:
    """The same images as the frames of one multi-frame object."""
    return [replace(r, path="/enhanced", SOPInstanceUID="1.2.3", frame=n + 1) for n, r in enumerate(rows)]


def splits(*rows: list[Instance]) -> list[str]:
    """What sets each stack apart."""
    return sorted(value for s in stacks_of(*rows).stacks for _, value in s.split)


# ---------------------------------------------------------------- Dixon
@pytest.mark.parametrize(
    "words",
    [
        ("W", "F", "IP", "OP"),
        ("DIXON\\WATER", "DIXON\\FAT", "DIXON\\IN_PHASE", "DIXON\\OPP_PHASE"),
        ("WATER", "FAT", "IN PHASE", "OUT_OF_PHASE"),
        ("WFW", "WFF", "WFIP", "WFOP"),
        ("DIXON_WATER", "FAT_ONLY", "WFI_IP", "OPPOSED PHASE"),
    ],
)
@pytest.mark.parametrize("store", [list, enhanced])
def test_dixon_products_of_one_series_are_told_by_image_type(words, store) -> None:
    types = [{"ImageType": ("DERIVED", "PRIMARY", *w.split("\\"))} for w in words]
    rows = store(pieces(5, GRE, *types))
    assert splits(rows) == ["fat", "inphase", "opposed", "water"]
    assert {(s.phase_index, s.doubt) for s in stacks_of(rows).stacks} == {(None, "")}
    assert len({s.acquisition_id for s in stacks_of(rows).stacks}) == 1


@pytest.mark.parametrize("n", [2, 3, 4])
def test_products_that_nothing_tells_apart_are_kept_apart_and_doubted(n: int) -> None:
    stacks = stacks_of(pieces(5, GRE | {"AcquisitionTime": "101010", "Manufacturer": "GE"}, *[{}] * n)).stacks
    assert [(s.n_slices, s.n_volumes, s.phase_index, s.doubt) for s in stacks] == [(3, 1, None, "no-volume-index")] * n


@pytest.mark.parametrize(
    "names",
    [
        ("t1_vibe_dixon_tra_in", "t1_vibe_dixon_tra_opp", "t1_vibe_dixon_tra_F", "t1_vibe_dixon_tra_W"),
        ("WATER: Ax LAVA", "FAT: Ax LAVA", "InPhase: Ax LAVA", "OutPhase: Ax LAVA"),
        ("Ax T1 Wasser", "Ax T1 Fett"),
        ("WFIP ax", "WFOP ax"),
    ],
)
def test_dixon_products_stored_as_series_are_one_scan(names) -> None:
    rows = [series(n, 3, SeriesDescription=w, AcquisitionTime="101010", **GRE) for n, w in enumerate(names, 5)]
    stacks = stacks_of(*rows).stacks
    assert len({s.acquisition_id for s in stacks}) == 1
    assert {s.phase_index for s in stacks} == {None}


# ---------------------------------------------------------------- parts, echoes, b-values, mosaics
def test_the_four_parts_of_a_complex_image() -> None:
    ge = [{"complex_part": p} for p in ("mag", "phase", "real", "imag")]
    philips = [{"ImageType": ("ORIGINAL", "PRIMARY", f"{p}_FFE", p, "FFE")} for p in "MPRI"]
    for rows in (pieces(5, GRE, *ge), pieces(6, GRE, *philips), enhanced(pieces(7, GRE, *philips))):
        assert splits(rows) == ["imag", "mag", "phase", "real"]


def test_echoes_and_b_values_by_frame() -> None:
    echoes = stacks_of(enhanced(pieces(5, GRE | {"RepetitionTime": 90.0}, *({"EchoTime": 2.0 * k} for k in (1, 2, 3)))))
    assert [s.echo_index for s in echoes.stacks] == [1, 2, 3]
    epi = {"ScanningSequence": ("EP",), "RepetitionTime": 5000.0, "EchoTime": 60.0}
    (trace,) = stacks_of(enhanced(pieces(6, epi, {"b_value": 800.0}, {"b_value": 0.0}, {"b_value": 50.0}))).stacks
    assert trace.bvalues == (0.0, 50.0, 800.0)


def test_motion_corrected_copies_stand_beside_the_originals() -> None:
    moco = {"ImageType": ("DERIVED", "PRIMARY", "M", "MOCO")}
    times = {"TemporalPositionIdentifier": [1, 2, 3]}
    rows = [*repeat(series(5, 3, **GRE), 3, **times), *repeat(series(5, 3, piece="m", **GRE, **moco), 3, **times)]
    assert Counter(s.phase_index for s in stacks_of(rows).stacks) == {1: 2, 2: 2, 3: 2}


# ---------------------------------------------------------------- dynamic
@pytest.mark.parametrize("store", [list, enhanced])
@pytest.mark.parametrize(
    "clock",
    [
        {"TemporalPositionIdentifier": range(1, 7)},
        {"TriggerTime": [9000.0 * k for k in range(6)]},
        {"AcquisitionNumber": range(1, 7)},
        {"AcquisitionTime": [f"1010{9 * k:02d}" for k in range(6)]},
        {"AcquisitionDateTime": [f"202001011010{9 * k:02d}" for k in range(6)]},
        {"NumberOfTemporalPositions": [6] * 6},
        {},
    ],
)
def test_six_phases_of_one_series_by_whatever_counts_them(clock: dict, store) -> None:
    stacks = stacks_of(store(repeat(series(5, 3, **GRE), 6, **clock))).stacks
    assert [(s.phase_index, s.n_volumes, s.doubt) for s in stacks] == [(k, 1, "") for k in range(1, 7)]


def test_phases_numbered_slice_by_slice() -> None:
    rows = repeat(series(5, 3, **GRE), 6)
    by_slice = sorted(rows, key=lambda i: i.ImagePositionPatient)
    stacks = stacks_of([replace(r, InstanceNumber=n) for n, r in enumerate(by_slice)]).stacks
    assert [[i.path for i in s.instances] for s in stacks] == [
        [i.path for i in rows[3 * k : 3 * k + 3]] for k in range(6)
    ]


def test_a_dynamic_of_slices_with_a_time_each_is_ordered_by_time_not_by_number() -> None:
    rows = [
        replace(r, AcquisitionTime=f"1010{9 * (n // 3) + n % 3:02d}", InstanceNumber=99 - n)
        for n, r in enumerate(repeat(series(5, 3, **GRE), 4))
    ]
    stacks = stacks_of(rows).stacks
    assert [s.phase_index for s in stacks] == [1, 2, 3, 4]
    assert [s.phase_time_s for s in stacks] == [0.0, 9.0, 18.0, 27.0]


def test_a_temporal_tag_that_stands_still_is_passed_over() -> None:
    rows = repeat(series(5, 3, TemporalPositionIdentifier=1, **GRE), 3, AcquisitionTime=["101000", "101010", "101020"])
    assert [s.phase_time_s for s in stacks_of(rows).stacks] == [0.0, 10.0, 20.0]


def test_few_volumes_of_a_scan_that_calls_itself_dynamic_are_phases() -> None:
    rows = repeat(series(5, 3, SeriesDescription="Ax LAVA multiphase", **GRE), 3)
    assert [(s.phase_index, s.doubt) for s in stacks_of(rows).stacks] == [(1, ""), (2, ""), (3, "")]


def test_a_scan_made_again_is_another_run() -> None:
    rows = [series(n, 3, AcquisitionTime=f"10{n}000", RepetitionTime=4000.0, EchoTime=90.0) for n in (1, 2)]
    assert len({s.acquisition_id for s in stacks_of(*rows).stacks}) == 2


# ---------------------------------------------------------------- beating hearts, one place
@pytest.mark.parametrize("n_phases", [4, 20])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"NumberOfTemporalPositions": 1, "TemporalPositionIdentifier": 1},
        {"NumberOfTemporalPositions": 20},
        {"MRAcquisitionType": "3D"},
    ],
)
def test_a_cine_of_several_slices_is_one_image_and_no_dynamic(n_phases: int, more: dict) -> None:
    beat = [round(800.0 * k / n_phases, 1) for k in range(n_phases)]
    rows = repeat(series(5, 3, **CINE | more), n_phases, TriggerTime=beat)
    jitter = [replace(r, TriggerTime=(r.TriggerTime or 0) + 3.0 * (n % 3)) for n, r in enumerate(rows)]
    for stored in (rows, jitter):
        (stack,) = stacks_of(stored).stacks
        assert (stack.n_slices, stack.n_volumes, stack.phase_index) == (3, n_phases, None)


def test_phases_seconds_apart_are_no_cine() -> None:
    header = GRE | {"MRAcquisitionType": "2D", "RepetitionTime": 9.0}
    rows = repeat(series(5, 3, **header), 10, TriggerTime=[6000.0 * k for k in range(10)])
    assert [s.phase_time_s for s in stacks_of(rows).stacks] == [6.0 * k for k in range(10)]


def test_bolus_tracking_is_one_image() -> None:
    rows = repeat(series(5, 1, **CT_HEADER), 12, AcquisitionTime=[f"1010{k:02d}" for k in range(12)])
    (stack,) = stacks_of(rows).stacks
    assert (stack.n_slices, stack.n_volumes) == (1, 12)


# ---------------------------------------------------------------- CT and PET
@pytest.mark.parametrize(
    "changes",
    [
        ({"ConvolutionKernel": "B30f"}, {"ConvolutionKernel": "B70f"}),
        ({"KVP": 80.0}, {"KVP": 140.0}),
        ({"SliceThickness": 1.0}, {"SliceThickness": 5.0}),
    ],
)
def test_reconstructions_of_one_ct_series_are_apart(changes) -> None:
    stacks = stacks_of(pieces(5, CT_HEADER, *changes)).stacks
    assert [(len(s.instances), s.doubt) for s in stacks] == [(3, ""), (3, "")]


def test_thickness_written_with_jitter_splits_nothing() -> None:
    rows = [replace(r, SliceThickness=3.0 + 0.004 * k) for k, r in enumerate(series(5, 6, **CT_HEADER))]
    assert len(stacks_of(rows).stacks) == 1


def test_corrected_and_uncorrected_pet_are_apart() -> None:
    assert (
        len(stacks_of(pieces(5, PET, {"CorrectedImage": ("DECY", "ATTN")}, {"CorrectedImage": ("DECY",)})).stacks) == 2
    )


@pytest.mark.parametrize(
    "clock", [{"TriggerTime": [0.0, 250.0, 500.0, 750.0]}, {"AcquisitionTime": ["1000", "1001", "1002", "1004"]}]
)
def test_gated_and_dynamic_pet_are_one_image(clock: dict) -> None:
    (stack,) = stacks_of(repeat(series(5, 3, **PET), 4, **clock)).stacks
    assert (stack.n_slices, stack.n_volumes, stack.phase_index) == (3, 4, None)


def test_beds_with_a_time_each_are_one_volume() -> None:
    rows = [replace(r, AcquisitionTime=f"10{k // 2:02d}00") for k, r in enumerate(series(5, 6, **PET))]
    (stack,) = stacks_of(rows).stacks
    assert (stack.n_slices, stack.n_volumes) == (6, 1)
