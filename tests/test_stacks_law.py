"""The law of stacking: every instance is in exactly one stack or set aside, whatever the headers say, in any order."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from seriesmaker import AXIAL, CORONAL, CT, MR, SAGITTAL, content, series

from trialbids.exporter.engine import Serial
from trialbids.exporter.harmonise import harmonise
from trialbids.exporter.inventory.instance import Instance
from trialbids.exporter.inventory.objects import pixel_digest
from trialbids.exporter.inventory.run import scan
from trialbids.exporter.progress import Silent
from trialbids.exporter.stacks import Stacking, stack_instances
from trialbids.mappings.rules import load_rules

SEG, SECONDARY = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.7"


def maybe(*values: object) -> st.SearchStrategy[object]:
    return st.sampled_from(values)


HEADERS = st.fixed_dictionaries(
    {
        "SOPInstanceUID": maybe("", "1.1", "1.2", "1.3", *(f"2.{k}" for k in range(40))),
        "SeriesInstanceUID": maybe("S1", "S2", "S3", ""),
        "StudyInstanceUID": maybe("T1", "T1", "T2"),
        "PatientID": maybe("A", "A", "A", "B", ""),
        "SOPClassUID": maybe(MR, MR, MR, CT, SEG, SECONDARY),
        "Modality": maybe("MR", "MR", "CT", "SEG", ""),
        "SeriesNumber": maybe(None, 1, 2),
        "SeriesDescription": maybe(
            "", "t1_vibe_dyn_TT=3.5s", "ep2d_diff_ADC", "T2 TSE sag", "CALC_BVAL b1400", "\x00?"
        ),
        "ImageType": maybe(
            (),
            ("ORIGINAL", "PRIMARY", "M"),
            ("DERIVED", "PRIMARY", "DIFFUSION", "TRACEW"),
            ("DERIVED", "PRIMARY", "W"),
            ("ORIGINAL", "PRIMARY", "P"),
            ("X",),
        ),
        "ScanningSequence": maybe((), ("GR",), ("SE",), ("EP",), ("EP", "GR")),
        "ImageOrientationPatient": maybe((), AXIAL, AXIAL, SAGITTAL, CORONAL, (1.0, 0.0), (0.0,) * 6),
        "ImagePositionPatient": maybe((), (0.0, 0.0, 0.0), (0.0, 0.0, 5.0), (5.0, 5.0, 10.0), (1.0,)),
        "Rows": maybe(None, 8, 8, 16),
        "Columns": maybe(None, 8),
        "pixel_length": maybe(None, 128, 128, -1, 0),
        "mosaic_tiles": maybe(0, 0, 0, 9),
        "EchoTime": maybe(None, 0.0, 1.2, 2.4, 100.0),
        "RepetitionTime": maybe(None, 4.0, 4000.0),
        "FlipAngle": maybe(None, 5.0, 10.0, 20.0),
        "InversionTime": maybe(None, 0.0, 200.0),
        "TriggerTime": maybe(None, 0.0, 30.0),
        "TemporalPositionIdentifier": maybe(None, 1, 2, 3),
        "AcquisitionNumber": maybe(None, 1, 2),
        "InstanceNumber": maybe(None, 1, 2, 3),
        "AcquisitionTime": maybe("", "101010", "235959.9", "000001", "not a time"),
        "b_value": maybe(None, None, 0.0, 50.0, 800.0),
        "b_direction": maybe((), (), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
        "MagneticFieldStrength": maybe(None, 1.5, 3.0),
        "SequenceName": maybe("", "*ep_b50t", "*ep_b800#2", "tfl3d1"),
        "AcquisitionDateTime": maybe("", "", "20200101235959.5+0100", "2020"),
        "SeriesDate": maybe("", "20200101", "x"),
        "SliceThickness": maybe(None, 3.0, 5.0),
        "KVP": maybe(None, 80.0, 120.0),
    }
)


@st.composite
def inventories(draw: st.DrawFn) -> list[Instance]:
    """Up to twelve objects, some of them of several frames."""
    rows: list[Instance] = []
    for k, header in enumerate(draw(st.lists(HEADERS, max_size=12))):
        frames = draw(maybe(0, 0, 0, 2))
        numbers = (0,) if not frames else (1, 2)
        rows.extend(Instance(path=f"/{k:03d}", frame=n, **header) for n in numbers)
    return rows


def everything(stacking: Stacking) -> list[tuple[str, str, int]]:
    stacked = [i.key for s in stacking.stacks for i in s.instances]
    return stacked + [a.instance.key for a in stacking.set_aside]


relaxed = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@relaxed
@given(inventories())
def test_nothing_is_lost_and_nothing_counted_twice(rows: list[Instance]) -> None:
    stacking = stack_instances(rows, content)
    assert Counter(everything(stacking)) == Counter(i.key for i in rows)
    assert len({s.stack_id for s in stacking.stacks}) == len(stacking.stacks)
    for stack in stacking.stacks:
        assert len(stack.volume) == len(stack.instances) > 0
        assert list(stack.volume) == sorted(stack.volume)
        if stack.is_image:
            assert set(stack.volume) == set(range(stack.n_volumes))
            assert len(stack.bvalues) in (0, stack.n_volumes)


@relaxed
@given(inventories(), st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(rows: list[Instance], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert stack_instances(shuffled, content) == stack_instances(rows, content)


@settings(relaxed, max_examples=25)
@given(inventories())
def test_every_stack_gets_a_record_inside_the_vocabulary(rows: list[Instance]) -> None:
    stacks = stack_instances(rows, content).stacks
    done = harmonise(stacks, load_rules())
    assert [h.stack for h in done] == list(stacks)  # and Record checks every value where it is made
    assert all((h.record.confidence == 0.0) == (h.record.sequence == "unknown") for h in done)


@pytest.fixture(scope="module")
def folders(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Instance, ...]]:
    """The instances of every folder of real data."""
    return {
        f.name: scan([f], tmp_path_factory.mktemp("store"), engine=Serial(), progress=Silent()).instances
        for f in sorted((real_data / "dicom").iterdir())
        if f.is_dir()
    }


def test_the_law_on_every_folder_of_real_data_alone_and_together(folders: dict[str, tuple[Instance, ...]]) -> None:
    together = [i for rows in folders.values() for i in rows]
    assert len(folders) >= 8
    for rows in (*folders.values(), together):
        stacking = stack_instances(rows, pixel_digest)
        assert Counter(everything(stacking)) == Counter(i.key for i in rows)
        assert len({s.stack_id for s in stacking.stacks}) == len(stacking.stacks)
        shuffled = list(rows)
        Random(len(rows)).shuffle(shuffled)
        assert stack_instances(shuffled, pixel_digest) == stacking


@relaxed
@given(
    st.lists(st.sampled_from([0.0, 50.0, 400.0, 800.0, None]), min_size=1, max_size=6),
    st.randoms(use_true_random=False),
)
def test_diffusion_series_of_any_b_values_lose_no_volume_and_repeat_none(
    bs: list[float | None], random: Random
) -> None:
    header = {"ScanningSequence": ("EP",), "RepetitionTime": 5000.0, "EchoTime": 60.0}
    kind = ("DERIVED", "PRIMARY", "DIFFUSION", "TRACEW")
    rows = [i for n, b in enumerate(bs, 1) for i in series(n, 3, b_value=b, ImageType=kind, **header)]
    random.shuffle(rows)
    stacking = stack_instances(rows, content)
    assert Counter(everything(stacking)) == Counter(i.key for i in rows)
    for stack in stacking.stacks:
        assert list(stack.bvalues) == sorted(set(stack.bvalues))
        assert len(stack.instances) == stack.n_slices * stack.n_volumes
