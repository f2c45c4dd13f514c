"""The scale of ADC maps, told by their unit or by their values."""

from __future__ import annotations

import numpy as np
import pytest
from test_convert_nifti import volume

from trialbids.exporter.convert import adc_scale


def adc_map(factor, dtype=np.float32, **changes):
    """A body of 1.2 ×10⁻³ mm²/s with some fluid, in air of zero."""
    voxels = np.zeros((32, 32, 6))
    voxels[6:26, 6:26] = np.random.default_rng(2).normal(1.2e-3, 2e-4, (20, 20, 6))
    voxels[10:13, 10:13] = 2.8e-3
    return volume(np.asfortranarray((voxels / factor).astype(dtype)), **changes)


@pytest.mark.parametrize("factor", [1e-6, 1e-3, 1e-9, 1.0])
def test_the_scale_is_told_by_the_tissue(factor):
    assert adc_scale(adc_map(factor)) == factor


def test_the_rescale_counts():
    assert adc_scale(adc_map(1e-6 / 4, np.int16, slope=0.25)) == 1e-6


@pytest.mark.parametrize(
    "unit",
    ["10^-6 mm2/s", "1E-6 mm2/s", "*10^-6 mm^2/s", "um2/s", "µm2/s", "(10-6mm2/s)", "mm2/s", "US", "normalized", ""],
)
def test_a_unit_that_fits_or_is_wrong_changes_nothing(unit):
    assert adc_scale(adc_map(1e-6), unit) == 1e-6


def test_an_unusual_unit_is_believed_where_it_fits():
    assert adc_scale(adc_map(1e-5), "10^-5 mm2/s") == 1e-5
    assert adc_scale(adc_map(1e-5)) is None


@pytest.mark.parametrize("fill", [0, 7])
def test_what_holds_no_tissue_has_no_scale(fill):
    assert adc_scale(volume(np.full((8, 8, 4), fill, np.int16))) is None
