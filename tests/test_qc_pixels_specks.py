"""Slices that are constant but for specks, in images that scanners call derived, and ceilings of single slices."""

from __future__ import annotations

import numpy as np
import pytest
from pixelmaker import SIZE, body, codes, found_in
from pixelmaker import SLICES as N

from trialbids.mappings.record import Record


@pytest.mark.parametrize("value", [0, 300])
@pytest.mark.parametrize("specks", [1, 12])
@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_a_slice_that_is_constant_but_for_specks_is_an_error(value, specks, dtype):
    voxels = body()
    voxels[:, :, 6] = value
    voxels[0, :specks, 6] = 4000
    assert "P01e" in codes(found_in(voxels, dtype=dtype))


def test_a_masked_body_that_ends_within_the_image_is_sound():
    """Outside of a brain all is 0, and towards the ends ever less of it is seen."""
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in (SIZE, SIZE, N)), indexing="ij")
    inside = (x / 0.8) ** 2 + (y / 0.65) ** 2 + (z / 1.01) ** 2 < 1
    assert not {"P01e", "P01w"} & set(codes(found_in(np.where(inside, body() + 20, 0))))


@pytest.mark.parametrize(
    ("record", "severity"),
    [
        (Record(sequence="T1w", dixon="water"), "e"),
        (Record(sequence="T1w", dixon="opposed"), "e"),
        (Record(sequence="trace"), "e"),
        (Record(sequence="fatfraction", dixon="fat"), "w"),
        (Record(sequence="T1w", dixon="water", derived=("mip",)), "w"),
        (Record(sequence="T1w"), "w"),
    ],
)
def test_products_and_averages_of_the_signal_count_as_measured(record, severity):
    voxels = body()
    voxels[:, :, 6] = 0
    found = codes(found_in(voxels, record, ImageType=("DERIVED", "PRIMARY")))
    assert next(code for code in found if code.startswith("P01")) == f"P01{severity}"


@pytest.mark.parametrize("k", [0, 6, N - 1])
def test_a_slice_with_a_ceiling_of_its_own_is_clipped(k):
    voxels = body()
    plane = voxels[:, :, k]
    voxels[:, :, k] = np.minimum(plane, np.quantile(plane, 0.8))
    assert "P03w" in codes(found_in(voxels))


@pytest.mark.parametrize("share", [0.25, 0.4])
def test_a_gain_so_high_that_most_of_the_foreground_is_clipped_is_found(share):
    voxels = body(noise=25)
    level = np.quantile(voxels, 1 - share)
    assert "P03w" in codes(found_in(np.minimum(voxels * 4095 / level, 4095)))


def test_a_drawing_with_soft_edges_is_not_clipped():
    """A mask brought to another grid: mostly two values, with every one between them at its edge."""
    x, y = np.meshgrid(np.linspace(-1, 1, SIZE), np.linspace(-1, 1, SIZE), indexing="ij")
    soft = np.clip((0.6 - np.hypot(x, y)) * 20, 0, 1) * 1000
    assert "P03w" not in codes(found_in(np.repeat(soft[:, :, None], N, axis=2)))


def test_a_mark_along_the_edge_of_a_constant_slice_does_not_hide_it():
    """In whatever way the voxels lie in memory: what is looked at is not at its edges."""
    for edge in (np.s_[0, :], np.s_[:, 0], np.s_[SIZE - 1, :], np.s_[:, SIZE - 1]):
        large = np.kron(body(), np.ones((8, 8, 1)))
        slice_ = large[:, :, 6]
        slice_[:] = 300
        slice_[tuple(edge)] = 4000
        assert "P01e" in codes(found_in(large)), edge
