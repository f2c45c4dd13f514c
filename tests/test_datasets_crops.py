"""The crop that is done on the mapped volume is MONAI's crop, whatever its size."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from monai.data import MetaTensor, set_track_meta
from monai.transforms import Compose, Flipd, Invertd, RandSpatialCropd

from trialbids.datasets.reading.crops import PushedCrop
from trialbids.datasets.reading.metatensors import meta_tensor

KEYS = ["t2", "lesion"]
AFFINE = torch.tensor([[-0.7, 0.1, 0, 3], [0, 0.8, -0.2, 5], [0.3, 0, 4.1, -7], [0, 0, 0, 1]], dtype=torch.float64)


def sample(shape: tuple[int, ...]) -> dict[str, Any]:
    """Two images as they are read: axes in the order of the file, an affine that is no diagonal, times beside them."""

    def image(channels: int) -> MetaTensor:
        values = torch.arange(channels * torch.tensor(shape).prod().item(), dtype=torch.int32)
        meta = {"affine": AFFINE.clone(), "filename_or_obj": "a.nii.gz", "spatial_shape": torch.tensor(shape)}
        return meta_tensor(values.reshape(channels, *reversed(shape)).permute(0, 3, 2, 1), meta)

    return {"t2": image(2), "lesion": image(1), "t2.times": torch.ones(2), "sample_id": "sub-01"}


def both(
    crop: RandSpatialCropd, shape: tuple[int, ...], seed: int, pushed: PushedCrop | None = None
) -> tuple[Any, Any]:
    """What we make of a sample, and what MONAI does, with the same random numbers."""
    pushed = pushed or PushedCrop.of(Compose([crop]), 0)
    assert pushed is not None
    made = []
    for step in (pushed, crop):
        crop.set_random_state(seed=seed)
        made.append(step(sample(shape)))
    return made[0], made[1]


def assert_same(made: Any, expected: Any) -> None:
    assert list(made) == list(expected)
    for key in KEYS:
        one, two = made[key], expected[key]
        assert type(one) is type(two) and torch.equal(one.as_tensor(), two.as_tensor()) and one.dtype == two.dtype
        assert torch.equal(one.affine, two.affine) and one.affine.dtype == two.affine.dtype
        assert set(one.meta) == set(two.meta) and one.meta["filename_or_obj"] == two.meta["filename_or_obj"]
        assert repr(one.applied_operations) == repr(two.applied_operations)


SHAPES = st.tuples(*[st.integers(1, 9)] * 3)


@settings(max_examples=25, deadline=None)
@given(SHAPES, st.one_of(st.integers(-1, 12), st.tuples(*[st.integers(-1, 12)] * 3)), st.booleans(), st.integers(0, 99))
def test_it_is_what_monai_gives(shape: tuple[int, ...], roi: Any, random_size: bool, seed: int) -> None:
    crop = RandSpatialCropd(KEYS, roi, random_size=random_size)
    if random_size:  # of a size between a larger and a smaller one MONAI draws none
        wanted = roi if isinstance(roi, tuple) else (roi,) * 3
        assume(all(length <= size for length, size in zip(wanted, shape, strict=True)))
    assert_same(*both(crop, shape, seed, PushedCrop(crop)))


@pytest.mark.parametrize("roi", [(4, 4, 3), (40, 4, 3), (-1, 4, -1), 5, (4, 4, 0), (200, 200, 200)])
@pytest.mark.parametrize("random_size", [False, True])
def test_sizes_that_matter_go_our_way(roi: Any, random_size: bool) -> None:
    crop = RandSpatialCropd(KEYS, roi, random_size=random_size and roi in ((4, 4, 3), 5))
    for seed in range(3):
        assert_same(*both(crop, (9, 8, 7), seed))


def test_a_bound_of_the_random_size_is_kept() -> None:
    crop = RandSpatialCropd(KEYS, (2, 2, 2), max_roi_size=(5, 4, 3), random_size=True)
    seen = {tuple(both(crop, (9, 8, 7), seed)[0]["t2"].shape[1:]) for seed in range(8)}
    assert len(seen) > 2 and all(2 <= n <= 5 for shape in seen for n in shape)


def test_crops_that_are_not_done_here() -> None:
    crop = RandSpatialCropd(KEYS, (4, 4, 3))

    class Own(RandSpatialCropd):
        pass

    refused = [
        (Compose([crop], lazy=True), 0),
        (Compose([RandSpatialCropd(KEYS, (4, 4, 3), lazy=True)]), 0),
        (Compose([RandSpatialCropd(KEYS, (4, 4, 3), random_center=False)]), 0),
        (Compose([Own(KEYS, (4, 4, 3))]), 0),
        (Compose([crop]), 1),
        (Compose([Flipd(KEYS, 0), crop]), 0),
    ]
    assert [PushedCrop.of(steps, first) for steps, first in refused] == [None] * len(refused)
    assert PushedCrop.of(Compose([Flipd(KEYS, 0), crop]), 1) is not None


def test_without_metadata_monai_does_it() -> None:
    crop = RandSpatialCropd(KEYS, (4, 4, 3), random_size=False)
    pushed = PushedCrop.of(Compose([crop]), 0)
    assert pushed is not None
    plain = {key: torch.as_tensor(value) for key, value in sample((9, 8, 7)).items() if key in KEYS}
    made = []
    set_track_meta(False)
    try:
        for step in (pushed, crop):
            crop.set_random_state(seed=3)
            made.append(step({**plain}))
    finally:
        set_track_meta(True)
    assert all(type(made[0][key]) is torch.Tensor and torch.equal(made[0][key], made[1][key]) for key in KEYS)


def test_an_absent_key_is_treated_as_monai_does() -> None:
    crop = RandSpatialCropd(["adc", *KEYS], (4, 4, 3), allow_missing_keys=True)
    assert_same(*both(crop, (9, 8, 7), 1))
    strict = PushedCrop(RandSpatialCropd(["adc", *KEYS], (4, 4, 3)))
    with pytest.raises(KeyError, match="adc"):
        strict(sample((9, 8, 7)))


def test_it_can_be_undone() -> None:
    crop = RandSpatialCropd(KEYS, (4, 4, 3), random_size=False)
    steps = Compose([crop, Flipd(KEYS, 0)])
    cropped, expected = both(crop, (9, 8, 7), 5)
    for made in (cropped, expected):
        flipped = steps(made, start=1)
        one = Invertd("prediction", steps, orig_keys="t2", nearest_interp=False, to_tensor=True)
        made.update(one({**flipped, "prediction": deepcopy(flipped["t2"])}))
    assert cropped["prediction"].shape == (2, 9, 8, 7)
    assert torch.equal(cropped["prediction"], expected["prediction"])
    assert torch.allclose(cropped["prediction"].affine, AFFINE)
