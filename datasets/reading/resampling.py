"""Images of a sample on the voxel grid of one of them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.data.meta_tensor import MetaTensor
from monai.transforms.spatial.dictionary import ResampleToMatchd

from ..cohorts.policies import Resample
from ..errors import QueryError

MODES: Mapping[str, str | int] = {"linear": "bilinear", "nearest": "nearest", "cubic": 3}
"""How MONAI names the interpolations of :class:`Resample`."""


class ResampleToGridd(ResampleToMatchd):
    """MONAI's ``ResampleToMatchd`` to the grid of one key, for what a cohort reads.

    Images become float32; masks and label maps are taken from the nearest voxel and keep their type, fractions are
    interpolated linearly. Outside an image there are zeros. Each image keeps its own ``meta`` but for the affine.
    Can be inverted. Where the pipeline is lazy, images wait for the next steps and are interpolated once; labels do
    not, because what waits takes the interpolation of the steps that it is joined with.
    """

    def __init__(self, grid: Resample, images: Sequence[str], labels: Sequence[str], lazy: bool = False) -> None:
        self.images = tuple(key for key in images if key != grid.to)
        self.labels = tuple(labels)
        self.image_mode = MODES[grid.interpolation]
        super().__init__((*self.images, *self.labels), grid.to, mode="bilinear", padding_mode="zeros", lazy=lazy)

    def __call__(self, data: Mapping[Hashable, Any], lazy: bool | None = None) -> dict[Hashable, Any]:
        sample = dict(data)
        waits = self.lazy if lazy is None else lazy
        for key in self.key_iterator(sample):
            image = sample[key]
            if not isinstance(image, MetaTensor):  # a table of boxes or points
                continue
            exact = key in self.labels and not _is_fraction(image)
            mode = "nearest" if exact else "bilinear" if key in self.labels else self.image_mode
            padding = "constant" if mode == self.image_mode and isinstance(mode, int) else "zeros"
            told = dict(image.meta)
            later = waits and key not in self.labels
            moved: Any = self.resampler(image, sample[self.key_dst], mode=mode, padding_mode=padding, lazy=later)
            for name, value in told.items():
                if name not in ("affine", "spatial_shape"):
                    moved.meta[name] = value
            sample[key] = moved.to(image.dtype) if exact else moved
        reference = sample[self.key_dst]
        if not waits and self.key_dst not in self.labels and not reference.is_floating_point():
            sample[self.key_dst] = reference.to(torch.float32)
        return sample


def _is_fraction(image: MetaTensor) -> bool:
    """Whether a label holds fractions, told by its name: a mask stays one, whatever type it was cast to."""
    return "_probseg." in str(image.meta.get("filename_or_obj", ""))


def on_one_grid(sample: dict[Any, Any], keys: Sequence[Any]) -> dict[Any, Any]:
    """Bring ``keys`` to the grid that each names under ``<key>.onto``.

    Raises :class:`QueryError` where it is not read.
    """
    if not keys:
        return sample
    told = {key: sample[f"{key}.onto"] for key in keys}
    (to,) = {onto for onto, _ in told.values()}
    if not isinstance(sample.get(to), MetaTensor):
        raise QueryError(
            f"{', '.join(map(str, keys))}: to be resampled to {to!r}, which must be among the keys to be read"
        )
    images = [key for key, (_, way) in told.items() if way != "label"]
    way = next((way for _, way in told.values() if way != "label"), "linear")
    labels = [key for key in keys if key not in images]
    return dict(ResampleToGridd(Resample(to, way), images, labels)(sample))
