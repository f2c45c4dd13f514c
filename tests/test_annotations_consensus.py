"""The consensus of several readers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from trialbids.exporter.annotations.consensus import Rule, consensus, method_of

SHAPE = (7, 6, 5)
MASKS = st.lists(arrays(np.uint8, SHAPE, elements=st.integers(0, 1)), min_size=2, max_size=5)


@settings(max_examples=30, deadline=None)
@given(MASKS)
def test_majority_is_more_than_half_of_the_readers_in_every_voxel(masks: list[NDArray[np.uint8]]) -> None:
    assert np.array_equal(consensus(masks, "majority"), 2 * np.sum(masks, axis=0) > len(masks))


def ball(radius: float, centre: float = 16) -> NDArray[np.uint8]:
    x, y, z = np.ogrid[:32, :32, :32]
    return ((x - centre) ** 2 + (y - 16) ** 2 + (z - 16) ** 2 <= radius**2).astype(np.uint8)


@pytest.mark.parametrize("rule", ["majority", "staple"])
def test_readers_who_agree_are_the_consensus(rule: Rule) -> None:
    assert np.array_equal(consensus([ball(7)] * 3, rule), ball(7))


def test_staple_trusts_two_who_agree_more_than_one_who_is_elsewhere() -> None:
    found = consensus([ball(7), ball(7.2), ball(4, centre=6)], "staple")
    assert (found & ball(7)).sum() >= 0.98 * ball(7).sum() and not (found & ~ball(8)).any()


def test_staple_does_not_depend_on_how_much_empty_image_lies_around() -> None:
    masks = [ball(7), ball(6, centre=17), ball(8)]
    wide = [np.pad(mask, 40) for mask in masks]
    assert np.array_equal(np.pad(consensus(masks, "staple"), 40), consensus(wide, "staple"))


def test_one_reader_is_no_consensus_and_the_file_says_how_many_there_were() -> None:
    with pytest.raises(ValueError, match="two readers"):
        consensus([ball(5)], "majority")
    assert method_of("staple", 3) == "STAPLE of 3 readers"
