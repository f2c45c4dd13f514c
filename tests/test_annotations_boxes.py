"""Boxes and points: from millimetres or pixels to the voxels of an image in any orientation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialbids.exporter.annotations.boxes import put_on
from trialbids.exporter.annotations.grid import LPS_TO_RAS, Grid, MaskRefused
from trialbids.exporter.annotations.region import Marked, Target
from trialbids.exporter.inventory.instance import Instance
from trialbids.mappings.labels import Label

SHAPE = (20, 16, 10)
STRAIGHT = LPS_TO_RAS @ np.array([[1.25, 0, 0, -10], [0, 1.5, 0, -9], [0, 0, 4, 2], [0, 0, 0, 1]])
"""Columns, rows and slices as DICOM counts them."""

FLIPPED = STRAIGHT @ np.array([[1, 0, 0, 0], [0, -1, 0, SHAPE[1] - 1], [0, 0, 1, 0], [0, 0, 0, 1.0]])
"""The rows from below, as dcm2niix writes them."""


def grid(affine: np.ndarray = STRAIGHT) -> Grid:
    return Grid(SHAPE, tuple(affine.ravel()))


def mark(low: tuple[float, ...], high: tuple[float, ...] | None = None, sop_uid: str = "") -> Marked:
    corners = {"low": low, "high": high, "sop_uid": sop_uid}
    return Marked(origin="line 2", target=Target(), label=Label("nodule"), reader="R1", method="manual", **corners)  # type: ignore[arg-type]


def edges(first: tuple[int, ...], last: tuple[int, ...]) -> Marked:
    """A box in mm around whole voxels of the straight grid, from the outer edge of the first to that of the last."""
    to_lps = LPS_TO_RAS @ STRAIGHT
    low = to_lps @ (*(n - 0.5 for n in first), 1)
    high = to_lps @ (*(n + 0.5 for n in last), 1)
    return mark(tuple(low[:3]), tuple(high[:3]))


@given(st.data())
def test_a_box_around_whole_voxels_is_these_voxels(data: st.DataObject) -> None:
    first = tuple(data.draw(st.integers(0, size - 1)) for size in SHAPE)
    last = tuple(data.draw(st.integers(low, size - 1)) for low, size in zip(first, SHAPE, strict=True))
    assert put_on(edges(first, last), grid(), None).numbers == (*first, *last)
    turned = put_on(edges(first, last), grid(FLIPPED), None).numbers
    rows = (SHAPE[1] - 1 - last[1], SHAPE[1] - 1 - first[1])
    assert turned == (first[0], rows[0], first[2], last[0], rows[1], last[2])


def test_the_corners_may_be_any_two_opposite_ones() -> None:
    box = edges((2, 3, 4), (5, 6, 7))
    assert box.high is not None
    swapped = replace(box, low=(box.high[0], box.low[1], box.high[2]), high=(box.low[0], box.high[1], box.low[2]))
    assert put_on(swapped, grid(), None).numbers == put_on(box, grid(), None).numbers


def test_a_box_thinner_than_a_voxel_has_one() -> None:
    centre = tuple((LPS_TO_RAS @ STRAIGHT @ (4, 4, 4, 1))[:3])
    assert put_on(mark(centre, centre), grid(), None).numbers == (4, 4, 4, 4, 4, 4)


def test_a_point_keeps_its_place_between_voxels() -> None:
    found = put_on(mark(tuple((LPS_TO_RAS @ STRAIGHT @ (4.25, 7.5, 3, 1))[:3])), grid(FLIPPED), None)
    assert found.row == {"i": "4.25", "j": "7.50", "k": "3.00"} and not found.is_box


def instance(**changes: object) -> Instance:
    header = {
        "ImagePositionPatient": (-10.0, -9.0, 14.0), "ImageOrientationPatient": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
        "PixelSpacing": (1.5, 1.25), "SOPInstanceUID": "9",
    }  # fmt: skip
    return Instance(path="a.dcm", **(header | changes))  # type: ignore[arg-type]


def test_pixels_of_a_slice_are_columns_and_rows_of_it() -> None:
    found = put_on(mark((2, 3, 0), (6, 8, 0), "9"), grid(FLIPPED), instance())
    assert found.numbers == (2, 7, 3, 6, 12, 3)


@pytest.mark.parametrize(
    ("drawn", "of", "words"),
    [
        (edges((2, 3, 4), (5, 6, 12)), None, "beyond the first or last voxel"),
        (mark((2, 3, 0), None, "9"), None, "sop_uid"),
        (mark((2, 3, 0), None, "9"), instance(ImagePositionPatient=()), "where it lies"),
        (mark((2, 3, 0), None, "9"), instance(PixelSpacing=()), "how large"),
    ],
)
def test_what_cannot_be_placed_is_refused(drawn: Marked, of: Instance | None, words: str) -> None:
    with pytest.raises(MaskRefused, match=words) as refused:
        put_on(drawn, grid(), of)
    assert refused.value.check == "A01"
