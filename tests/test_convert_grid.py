"""Where voxels must lie, and how an image is recognised however its axes are turned."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stackmaker import axial, only_stack, write_series

from trialbids.exporter.convert.grid import Grid, expected_grids, place, step_vector
from trialbids.exporter.errors import ConversionError
from trialbids.exporter.inventory.instance import Instance

AXIAL = Instance(path="", ImageOrientationPatient=(1, 0, 0, 0, 1, 0), PixelSpacing=(1, 1))
GRID = Grid((3, 4, 5), np.array([[-1.2, 0.1, 0, 7], [0.1, 1.2, 0, -3], [0, 0, 4, 2], [0, 0, 0, 1.0]]))


@given(st.permutations(range(3)), st.tuples(st.booleans(), st.booleans(), st.booleans()))
def test_an_image_with_swapped_and_reversed_axes_is_put_back(axes, flips):
    voxels = np.arange(60).reshape(GRID.shape)
    turn = np.zeros((4, 4))
    turn[3, 3] = 1
    for o, axis in enumerate(axes):
        turn[axis, o] = -1 if flips[o] else 1
        turn[axis, 3] = GRID.shape[axis] - 1 if flips[o] else 0
    turned = voxels.transpose(axes)[tuple(slice(None, None, -1 if flip else None) for flip in flips)]
    placement = place(GRID, turned.shape, GRID.affine @ turn)
    assert placement is not None
    assert np.array_equal(placement.undo(turned), voxels)


@pytest.mark.parametrize("row", range(3))
def test_an_image_elsewhere_is_refused(row):
    moved = GRID.affine.copy()
    moved[row, 3] += 0.3
    assert place(GRID, GRID.shape, moved) is None
    assert place(GRID, GRID.shape, GRID.affine) is not None


def test_another_spacing_or_matrix_is_refused():
    assert place(GRID, GRID.shape, GRID.affine @ np.diag([1, 1, 1.05, 1])) is None
    assert all(place(GRID, shape, GRID.affine) is None for shape in set(permutations(GRID.shape)) - {GRID.shape})


def test_rounded_positions_take_the_mean_step_and_a_gap_the_median():
    rounded = np.array([(0, 0, round(3.33 * k, 1)) for k in range(31)])
    assert step_vector(AXIAL, rounded)[2] == pytest.approx(3.33, abs=0.005)
    gap = np.array([(0, 0, z) for z in (0, 4, 8, 16, 20)], dtype=float)
    assert step_vector(AXIAL, gap) == pytest.approx([0, 0, 4])


def test_the_shear_of_a_tilted_gantry_stays_in_the_step():
    assert step_vector(AXIAL, np.array([(0, 1.0 * k, 5.0 * k) for k in range(4)])) == pytest.approx([0, 1, 5])


def test_axial_slices_are_stored_from_the_back_up(tmp_path):
    write_series(tmp_path, axial(5))
    (grid,) = expected_grids(only_stack(tmp_path))
    assert grid.shape == (16, 12, 5)
    assert grid.affine @ [0, 11, 0, 1] == pytest.approx([10, 9, 0, 1])
    assert grid.affine @ [1, 0, 1, 1] == pytest.approx([10 - 1.25, 9 - 11 * 1.5, 4, 1])


def test_missing_geometry_is_said(tmp_path):
    write_series(tmp_path, axial(3), PixelSpacing=None)
    with pytest.raises(ConversionError, match="cannot be placed") as caught:
        expected_grids(only_stack(tmp_path))
    assert caught.value.reason == "no-geometry"
