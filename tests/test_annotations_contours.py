"""Contours as masks: volumes of analytical shapes within 1 %, holes, planes between slices, bad numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from annotationmaker import ball, ellipses, grid_of, rotation, to_lps
from hypothesis import given, settings
from hypothesis import strategies as st

from trialbids.exporter.annotations.contours import ContoursShape
from trialbids.exporter.annotations.grid import Grid, MaskRefused

GRID = grid_of((40, 44, 36), corner=(-20.0, -22.0, 5.0))


def square(grid: Grid, low: float, high: float, number: float) -> np.ndarray:
    corners = [[low, low, number], [high, low, number], [high, high, number], [low, high, number]]
    return to_lps(grid, np.array(corners))


def volume(grid: Grid, *contours: np.ndarray) -> int:
    return int(ContoursShape(contours).on(grid).sum())


def refused(grid: Grid, *contours: np.ndarray) -> MaskRefused:
    with pytest.raises(MaskRefused) as caught:
        ContoursShape(contours).on(grid)
    return caught.value


@settings(max_examples=15, deadline=None)
@given(st.floats(17.0, 19.0), st.floats(17.0, 19.0), st.floats(16.0, 18.0))
def test_a_ball_anywhere_between_voxels_is_the_voxels_whose_centres_it_holds(x: float, y: float, z: float) -> None:
    mask = ContoursShape(tuple(ellipses(GRID, ball(12.0, z), (x, y, z)))).on(GRID).astype(bool)
    away = np.sqrt(sum((axis - at) ** 2 for axis, at in zip(np.indices(GRID.size), (x, y, z), strict=True)))
    assert mask[away < 12.0 - 0.01].all(), "a polygon of 720 corners lies up to 0.0001 within its circle"
    assert not mask[away > 12.0 + 0.01].any()


def test_a_ball_has_its_volume() -> None:
    found = volume(GRID, *ellipses(GRID, ball(15.0, 17.3), (19.4, 21.2, 17.3)))
    assert found == pytest.approx(4 / 3 * np.pi * 15.0**3, rel=0.01)


def test_the_mean_over_places_has_no_bias_even_for_small_lesions() -> None:
    rng = np.random.default_rng(1)
    found = [volume(GRID, *ellipses(GRID, ball(3.0, z), (x, y, z))) for x, y, z in 15 + rng.random((200, 3))]
    assert np.mean(found) == pytest.approx(4 / 3 * np.pi * 27, rel=0.01)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_an_oblique_ellipsoid_with_a_hole_has_its_volume_on_slices_of_any_axis(axis: int) -> None:
    grid = grid_of((48, 48, 48), (0.8, 1.3, 0.6), rotation(0.3, -0.4, 0.7), (12.0, -80.0, 33.0))
    outer = ellipses(grid, ball(21.0, 23.4), (23.4, 22.9, 23.4), axis=axis)
    inner = ellipses(grid, ball(10.0, 23.4), (25.2, 24.1, 23.4), axis=axis)
    found = volume(grid, *inner, *outer)
    assert found == pytest.approx(4 / 3 * np.pi * (21.0**3 - 10.0**3), rel=0.01)


def test_a_torus_lying_in_the_slices_is_a_ring() -> None:
    tube = ball(5.0, 17.3)
    outside = ellipses(GRID, lambda k: 12.0 + tube(k) if tube(k) else 0, (19.3, 20.8, 0))
    hole = ellipses(GRID, lambda k: 12.0 - tube(k) if tube(k) else 0, (19.3, 20.8, 0))
    mask = ContoursShape((*outside, *hole)).on(GRID)
    assert mask.sum() == pytest.approx(2 * np.pi**2 * 12 * 25, rel=0.01)
    assert not mask[19, 21].any() and mask[19 + 12, 21, 17] == 1


def test_a_hole_as_a_keyhole_is_the_hole_as_a_contour() -> None:
    outer, inner = square(GRID, 4.6, 20.2, 7), square(GRID, 9.3, 15.7, 7)
    keyhole = np.concatenate([outer, outer[:1], inner[::-1], inner[-1:]])
    assert np.array_equal(ContoursShape((keyhole,)).on(GRID), ContoursShape((outer, inner)).on(GRID))
    assert volume(GRID, keyhole) == 16 * 16 - 6 * 6


def test_a_contour_that_is_there_twice_counts_once() -> None:
    assert volume(GRID, square(GRID, 4.5, 8.5, 7), square(GRID, 4.5, 8.5, 7)) == 16


@pytest.mark.parametrize(
    "again",
    [
        lambda c: np.concatenate([c, c[:1]]),
        lambda c: c[::-1],
        lambda c: np.roll(c, 2, axis=0),
        lambda c: np.repeat(np.roll(c[::-1], 1, axis=0), 2, axis=0),
        lambda c: np.where(c == 0, -0.0, c),
    ],
    ids=["closed by its first point", "the other way round", "from another corner", "every point twice", "minus zero"],
)
def test_a_line_drawn_twice_counts_once_however_it_is_written(again: Callable[[np.ndarray], np.ndarray]) -> None:
    once = np.round(square(GRID, 4.5, 20.0, 7), 3)
    assert (once == 0).any()
    assert np.array_equal(ContoursShape((once, again(once))).on(GRID), ContoursShape((once,)).on(GRID))


def test_a_line_that_runs_round_twice_encloses_the_same() -> None:
    once = square(GRID, 4.5, 8.5, 7)
    assert volume(GRID, np.concatenate([once, once[:1], once, once[:1]])) == 16


def test_an_island_in_a_hole_is_inside() -> None:
    mask = ContoursShape(tuple(square(GRID, 20 - r, 20 + r, 3) for r in (10.3, 6.3, 2.3))).on(GRID)
    assert mask[20, 20, 3] == 1 and mask[20, 25, 3] == 0 and mask[20, 29, 3] == 1


def test_the_voxel_whose_centre_is_inside_is_inside_and_no_other() -> None:
    grid = grid_of((5, 4, 3), (0.5, 2.0, 3.0), corner=(7.0, 8.0, 9.0))
    mask = ContoursShape((to_lps(grid, np.array([[0.9, 0.9, 1], [2.1, 0.9, 1], [2.1, 1.6, 1], [0.9, 1.6, 1.0]])),)).on(
        grid
    )
    assert np.argwhere(mask).tolist() == [[1, 1, 1], [2, 1, 1]] and mask.dtype == np.uint8 and mask.shape == (5, 4, 3)


def test_touching_squares_share_no_voxel_and_leave_none_out() -> None:
    left, right = (ContoursShape((square(GRID, a, b, 2),)).on(GRID) for a, b in ((4.0, 8.0), (8.0, 12.0)))
    assert left.sum() == right.sum() == 16 and not (left & right).any()


@given(st.permutations(range(6)), st.integers(0, 5))
@settings(max_examples=20, deadline=None)
def test_order_and_starting_point_of_contours_do_not_matter(order: list[int], start: int) -> None:
    drawn = ellipses(GRID, ball(3.2, 8.0), (12.2, 13.1, 8.0), points=16)[:6]
    turned = [np.roll(drawn[i], start, axis=0)[::-1] for i in order]
    assert np.array_equal(ContoursShape(tuple(turned)).on(GRID), ContoursShape(tuple(drawn)).on(GRID))


def test_slices_without_a_contour_are_told_and_not_filled() -> None:
    shape = ContoursShape(tuple(square(GRID, 4.5, 8.5, number) for number in (3, 4, 7)))
    assert shape.gaps(GRID) == (5, 6)
    assert not shape.on(GRID)[:, :, 5:7].any()


@pytest.mark.parametrize(("beside", "taken"), [(0.04, True), (0.2, False), (0.5, False)])
def test_a_contour_between_slices_is_refused_beyond_rounding(beside: float, taken: bool) -> None:
    drawn = square(GRID, 4.5, 8.5, 5 + beside)
    if taken:
        assert ContoursShape((drawn,)).on(GRID)[:, :, 5].sum() == 16
    else:
        assert refused(GRID, drawn).check == "A01" and "mm beside the image's slices" in str(refused(GRID, drawn))


def test_a_contour_that_is_tilted_against_the_slices_is_refused() -> None:
    drawn = square(GRID, 4.5, 18.5, 5)
    drawn[0, 2] += 1.2
    assert refused(GRID, drawn).check == "A01"


@pytest.mark.parametrize(
    ("low", "high", "number", "words"),
    [(2.0, 9.0, 40, "outside of the slices"), (30.0, 60.0, 5, "leave the image's slices by up to 21 mm")],
)
def test_a_contour_outside_of_the_image_is_refused(low: float, high: float, number: int, words: str) -> None:
    caught = refused(GRID, square(GRID, low, high, number))
    assert caught.check == "A01" and words in str(caught)


def test_a_contour_along_the_edge_of_the_image_is_taken() -> None:
    edge = np.array([[-0.5, -0.5, 2], [39.5, -0.5, 2], [39.5, 43.5, 2], [-0.5, 43.5, 2.0]])
    assert ContoursShape((to_lps(GRID, edge),)).on(GRID)[:, :, 2].all()


def test_what_encloses_nothing_is_empty() -> None:
    assert refused(GRID).check == "A02"
    assert refused(GRID, np.zeros((2, 3))).check == "A02"
    assert refused(GRID, square(GRID, 4.1, 4.9, 5)).check == "A02"


def test_numbers_that_are_none_and_huge_ones_are_refused_at_once() -> None:
    broken, far = square(GRID, 4, 9, 5), square(GRID, 4, 9, 5)
    broken[1, 0], far[1, 1] = np.nan, 1e30
    assert refused(GRID, broken).check == "F03" and refused(GRID, far).check == "A01"


def test_millions_of_crossings_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = ellipses(GRID, ball(8.0, 17.0), (18.0, 19.0, 17.0), points=60)
    whole = ContoursShape(tuple(drawn)).on(GRID)
    monkeypatch.setattr("trialbids.exporter.annotations.contours.BLOCK", 3)
    assert np.array_equal(ContoursShape(tuple(drawn)).on(GRID), whole)


@pytest.mark.parametrize("other", ["collinear", "rounded"])
def test_a_contour_written_twice_with_other_points_counts_once(other: str) -> None:
    turns = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    ring = np.stack([20 + 8 * np.cos(turns), 20 + 8 * np.sin(turns), np.full(60, 3.0)], axis=1)
    again = np.round(ring, 2) if other == "rounded" else np.insert(ring, 1, (ring[0] + ring[1]) / 2, axis=0)
    grid = Grid((40, 40, 8), (-1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1))
    once = ContoursShape((ring,)).on(grid)
    assert once.sum() > 150
    np.testing.assert_array_equal(ContoursShape((ring, again)).on(grid), once)
