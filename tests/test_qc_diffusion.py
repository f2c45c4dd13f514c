"""Checks of diffusion: b-values that are absent, disputed, unequal in slices, too high; and the map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from seriesmaker import records_of, repeat, series

from trialbids.exporter.inventory.instance import Instance
from trialbids.exporter.plan.visits import Visit
from trialbids.exporter.qc.check import Finding, run_checks
from trialbids.exporter.qc.headers.diffusion import DIFFUSION, SESSION_DIFFUSION
from trialbids.exporter.qc.views import Session

VISIT = Visit("s1", "v1", "a", "P1", "1", "", None)
PLAIN: dict[str, Any] = {
    "ScanningSequence": ("EP", "SE"), "RepetitionTime": 4000.0, "EchoTime": 70.0, "EchoTrainLength": 60,
    "SeriesDescription": "DWI ax", "AcquisitionTime": "100000",
}  # fmt: skip
MAP = PLAIN | {"ImageType": ("DERIVED", "PRIMARY", "DIFFUSION", "ADC"), "SeriesDescription": "ADC"}


def weighted(*b_values: float | None, number: int = 4, **header: Any) -> list[Instance]:
    return repeat(series(number, 6, **PLAIN | header), len(b_values), b_value=b_values)


def found(*parts: Sequence[Instance]) -> list[Finding]:
    session = Session(VISIT, tuple(records_of(*parts)))
    findings = list(run_checks(SESSION_DIFFUSION, session, "s1 v1"))
    for acquisition in session.acquisitions:
        findings += run_checks(DIFFUSION, acquisition, acquisition.id)
    return findings


def codes(*parts: Sequence[Instance]) -> list[str]:
    return [f.check for f in found(*parts)]


ADC = series(5, 6, **MAP)


def test_a_whole_scan_with_its_map_is_sound():
    assert codes(weighted(0.0, 400.0, 1000.0), ADC) == []


@pytest.mark.parametrize("words", ["DWI ax", "Diffusion 3b", "ep2d_diff_tra"])
def test_images_without_any_b_value_are_an_error_by_their_words(words):
    silent = weighted(None, None, None, SeriesDescription=words)
    assert "B01" in codes(silent)


def test_images_without_a_b_value_are_an_error_beside_the_map_made_of_them():
    assert "B01" in codes(weighted(None, None, SeriesDescription="ax 3"), ADC)


def test_a_b_value_that_is_known_only_from_the_sequence_name_is_one():
    rows = repeat(series(4, 6, **PLAIN), 2, SequenceName=["*ep_b0", "*ep_b800t"])
    assert "B01" not in codes(rows, ADC)


def test_a_volume_that_tells_nothing_beside_one_of_b_0_is_an_error():
    assert "B01" in codes(weighted(0.0, None, 800.0))
    assert "B01" not in codes(weighted(None, 500.0, 800.0))


@pytest.mark.parametrize(
    ("said", "disputed"), [((800.0, 1000.0), True), ((0.0, 5.0), False), ((1000.0, 1015.0), False)]
)
def test_sources_that_disagree_are_a_warning(said, disputed):
    rows = [replace(i, b_values_said=said) for i in weighted(0.0, 1000.0)]
    assert ("B02" in codes(rows, ADC)) is disputed


def test_a_sequence_name_of_another_b_value_is_a_warning_but_not_on_maps_and_computed_images():
    rows = repeat(series(4, 6, **PLAIN), 2, b_value=[50.0, 800.0], SequenceName=["*ep_b50t", "*ep_b600t"])
    computed = repeat(series(6, 6, **PLAIN | {"SeriesDescription": "DWI CALC_BVAL"}), 1, b_value=[1600.0])
    assert codes(rows, ADC) == ["B02"]
    assert codes(weighted(50.0, 800.0), ADC, [replace(i, SequenceName="*ep_b800t") for i in computed]) == []


@pytest.mark.parametrize("lost", [[1], [3], [6], [1, 2, 3], [8, 9], [13, 18]])
def test_slices_lost_at_one_b_value_are_an_error(lost):
    rows = [i for i in weighted(0.0, 400.0, 800.0) if i.InstanceNumber not in lost]
    (finding,) = [f for f in found(rows, ADC) if f.check == "B03"]
    assert finding.severity == "error"


def test_a_session_without_a_low_b_value_is_warned_of_once():
    alone = weighted(500.0, 1000.0)
    assert codes(alone, ADC).count("B05") == 1
    low = [replace(i, AcquisitionTime="101000") for i in weighted(50.0, number=8)]
    assert "B05" not in codes(alone, ADC, low)


def test_a_scan_without_a_map_is_a_warning_but_not_one_b_value_or_a_tensor():
    assert codes(weighted(0.0, 800.0)) == ["B06"]
    assert codes(weighted(50.0)) == []
    directions = [(), *((1.0, k / 10, 0.0) for k in range(6))]
    tensor = repeat(series(4, 6, **PLAIN), 7, b_value=[0.0, *[1000.0] * 6], b_direction=directions)
    assert codes(tensor) == []


@pytest.mark.parametrize(
    "changes",
    [{"Rows": 16}, {"PixelSpacing": (1.2, 1.2)}, {"ImageOrientationPatient": (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)}],
)
def test_a_map_on_another_grid_is_a_warning(changes):
    (finding,) = [f for f in found(weighted(0.0, 800.0), [replace(i, **changes) for i in ADC]) if f.check == "B06"]
    assert finding.message == "the ADC map lies on another grid than the diffusion images"
