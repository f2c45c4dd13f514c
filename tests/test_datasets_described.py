"""A transform is written down as it was made, not as it stands after it has run."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import (
    AdjustContrastd,
    Affined,
    AsDiscreted,
    BorderPadd,
    CastToTyped,
    CenterSpatialCropd,
    ConcatItemsd,
    CopyItemsd,
    CropForegroundd,
    DivisiblePadd,
    EnsureTyped,
    FgBgToIndicesd,
    Flipd,
    GaussianSmoothd,
    GridPatchd,
    HistogramNormalized,
    Lambdad,
    MapTransform,
    NormalizeIntensityd,
    Orientationd,
    ResampleToMatchd,
    Resized,
    ResizeWithPadOrCropd,
    Rotate90d,
    Rotated,
    ScaleIntensityd,
    ScaleIntensityRanged,
    ScaleIntensityRangePercentilesd,
    SelectItemsd,
    Spacingd,
    SpatialPadd,
    SplitDimd,
    ThresholdIntensityd,
    ToTensord,
    Transposed,
    Zoomd,
)

from trialbids.datasets.reading.canonical import describe

TRANSFORMS: list[Callable[[], MapTransform]] = [
    lambda: Orientationd("t2", axcodes="RAS", labels=None), lambda: Spacingd("t2", (1.5, 1.5, 3)),
    lambda: CropForegroundd("t2", "t2"), lambda: ResizeWithPadOrCropd("t2", (4, 7, 4)),
    lambda: CenterSpatialCropd("t2", 4), lambda: SpatialPadd("t2", (9, 9, 9)), lambda: DivisiblePadd("t2", 4),
    lambda: BorderPadd("t2", 1), lambda: Resized("t2", (4, 4, 4)), lambda: Zoomd("t2", 1.2),
    lambda: Rotated("t2", 0.2), lambda: Rotate90d("t2"), lambda: Flipd("t2", 0), lambda: Transposed("t2", (0, 2, 1, 3)),
    lambda: Affined("t2", rotate_params=(0.1, 0, 0)), lambda: ResampleToMatchd("t2", "lesion"),
    lambda: NormalizeIntensityd("t2", nonzero=True), lambda: ScaleIntensityd("t2"),
    lambda: ScaleIntensityRanged("t2", 0, 9, 0, 1), lambda: ScaleIntensityRangePercentilesd("t2", 1, 99, 0, 1),
    lambda: ThresholdIntensityd("t2", 3.0), lambda: AdjustContrastd("t2", 1.2), lambda: GaussianSmoothd("t2", 1.0),
    lambda: HistogramNormalized("t2"), lambda: AsDiscreted("lesion", to_onehot=2), lambda: CastToTyped("t2", np.int16),
    lambda: Lambdad("t2", torch.Tensor.abs), lambda: EnsureTyped("t2"), lambda: ToTensord("t2"),
    lambda: SplitDimd("t2", dim=0), lambda: SelectItemsd("t2"), lambda: CopyItemsd("t2", names=["copy"]),
    lambda: ConcatItemsd(["t2", "lesion"], "both"), lambda: FgBgToIndicesd("lesion"),
    lambda: GridPatchd("t2", (3, 5, 4)),
]  # fmt: skip


@pytest.mark.parametrize("make", TRANSFORMS, ids=[type(make()).__name__ for make in TRANSFORMS])
def test_a_transform_is_described_after_use_as_before(make: Callable[[], MapTransform]) -> None:
    used, grid = make(), torch.diag(torch.tensor([1.0, 1.0, 2.0, 1.0], dtype=torch.float64))
    before = describe(used)
    image = torch.arange(192.0).reshape(1, 8, 6, 4)
    for _ in range(2):
        used({"t2": MetaTensor(image, affine=grid), "lesion": MetaTensor(image > 90, affine=grid)})
    assert describe(used) == before == describe(make())
