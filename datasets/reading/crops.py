"""A random crop right after the read, done on the mapped volume: the rest of it is never touched.

MONAI's own crop of four images takes longer than reading their patches: it converts, copies and checks metadata each
time. What stands here draws the same numbers with the same transform and gives the same image, affine and record of
what was done, and is used only where a comparison with MONAI's result at the beginning has shown that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from monai.data.meta_obj import get_track_meta
from monai.data.meta_tensor import MetaTensor
from monai.transforms.compose import Compose
from monai.transforms.croppad.array import RandSpatialCrop
from monai.transforms.croppad.dictionary import RandSpatialCropd
from monai.utils.enums import TraceKeys

from .metatensors import meta_tensor

_LARGEST = 160
_TRIALS = 3


class PushedCrop:
    """Does what a ``RandSpatialCropd`` does, on samples as :class:`LoadSequencesd` gives them."""

    def __init__(self, crop: RandSpatialCropd) -> None:
        self.crop = crop

    @classmethod
    def of(cls, steps: Compose, first: int) -> PushedCrop | None:
        """One for the step ``first``, or None where it is no such crop, is done lazily, or would differ."""
        crop = steps.transforms[first] if first < len(steps.transforms) else None
        plain = steps.map_items and not (steps.lazy or steps.overrides or steps.log_stats)
        if not plain or type(crop) is not RandSpatialCropd or type(crop.cropper) is not RandSpatialCrop:
            return None
        wanted = not crop.lazy and crop.cropper.random_center
        return cls(crop) if wanted and _agrees(crop) else None

    def __call__(self, sample: Mapping[Any, Any]) -> Any:
        """The sample with the images cropped. What is not as it was read goes MONAI's way."""
        crop: Any = self.crop
        keys = [key for key in crop.keys if key in sample or not crop.allow_missing_keys]
        if not keys or not get_track_meta() or not all(_as_read(sample.get(key)) for key in keys):
            return crop(sample)
        crop.randomize(tuple(sample[keys[0]].shape[1:]))
        return {**sample, **{key: _cropped(sample[key], crop.cropper) for key in keys}}


def _as_read(image: Any) -> bool:
    if not isinstance(image, MetaTensor) or image.ndim != 4 or image.is_batch or image.pending_operations:
        return False
    affine = image.meta.get("affine")
    return (
        isinstance(affine, torch.Tensor)
        and affine.shape == (4, 4)
        and affine.dtype == torch.float64
        and "pixdim" not in image.meta
    )


def _cropped(image: MetaTensor, cropper: Any) -> MetaTensor:
    """One image by the slices that were drawn; its affine moves by the corner of the crop."""
    size = tuple(image.shape[1:])
    bounds = [part.indices(length)[:2] for part, length in zip(cropper._slices, size, strict=True)]
    shift = np.eye(4)
    shift[:3, 3] = [start for start, _ in bounds]
    affine = torch.from_numpy(image.meta["affine"].numpy() @ shift)  # torch's product is another in the last bit
    done = cropper.get_transform_info()
    done[TraceKeys.ORIG_SIZE] = size
    done[TraceKeys.LAZY] = False
    cut = [edge for (start, stop), length in zip(bounds, size, strict=True) for edge in (start, length - stop)]
    done[TraceKeys.EXTRA_INFO] = {"cropped": [int(edge) for edge in cut]}
    voxels = image.as_tensor()[(slice(None), *cropper._slices)]
    return meta_tensor(voxels, {**image.meta, "affine": affine}, [*image.applied_operations, done])


def _agrees(crop: RandSpatialCropd) -> bool:
    """Whether both give the same on an image somewhat larger than the crop, with several draws."""
    trial: Any = deepcopy(crop)
    roi = np.atleast_1d(np.asarray(trial.cropper.roi_size))
    wanted: Sequence[int] = roi.tolist() if roi.size == 3 else [int(roi.flat[0])] * 3
    shape = [min(max(length, 1), _LARGEST) + extra for length, extra in zip(wanted, (5, 3, 4), strict=True)]
    values = torch.arange(int(np.prod(shape)), dtype=torch.int32).reshape(1, *reversed(shape)).permute(0, 3, 2, 1)
    affine = torch.tensor([[-0.7, 0.1, 0, 3], [0, 0.8, -0.2, 5], [0.3, 0, 4.1, -7], [0, 0, 0, 1]], dtype=torch.float64)
    for seed in range(_TRIALS):
        mine, theirs = ({key: meta_tensor(values, {"affine": affine}) for key in trial.keys} for _ in range(2))
        trial.set_random_state(seed=seed)
        expected = trial(theirs)
        trial.set_random_state(seed=seed)
        made = PushedCrop(trial)(mine)
        if not all(_same(made[key], expected[key]) for key in trial.keys):
            return False
    return True


def _same(made: MetaTensor, expected: MetaTensor) -> bool:
    return (
        torch.equal(made.as_tensor(), expected.as_tensor())
        and torch.equal(made.affine, expected.affine)
        and set(made.meta) == set(expected.meta)
        and repr(made.applied_operations) == repr(expected.applied_operations)
        and type(made) is type(expected)
    )
