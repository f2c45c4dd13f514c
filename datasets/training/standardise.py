"""Intensities brought to mean 0 and spread 1 by numbers that were fitted before."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config.type_definitions import KeysCollection
from monai.data.meta_tensor import MetaTensor
from monai.transforms.transform import MapTransform

from ..errors import QueryError

Numbers = Sequence[Sequence[float]]


class StandardiseSequencesd(MapTransform):
    """``(clip(x) - mean) / std`` of each channel, as float32; shape, memory order and meta stay.

    ``mean`` and ``std`` have one sequence a key, with one number a channel or a single one for all; ``clip`` likewise
    pairs (least, most). An image that is missing stays zero, which is the mean of those that are there; MONAI's
    ``NormalizeIntensityd`` would make it an image of ``-mean / std``.
    """

    def __init__(
        self,
        keys: KeysCollection,
        mean: Numbers,
        std: Numbers,
        clip: Sequence[Sequence[tuple[float, float]]] | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.mean, self.std, self.clip = mean, std, clip
        if not len(self.keys) == len(mean) == len(std) or (clip is not None and len(clip) != len(mean)):
            raise QueryError(f"StandardiseSequencesd: {len(self.keys)} keys need as many sequences of numbers.")

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        clips = self.clip or [None] * len(self.mean)
        for key, mean, std, clip in self.key_iterator(sample, self.mean, self.std, clips):
            sample[key] = self._standardised(key, sample[key], mean, std, clip)
        return sample

    def _standardised(
        self,
        key: Hashable,
        image: torch.Tensor,
        mean: Sequence[float],
        std: Sequence[float],
        clip: Sequence[tuple[float, float]] | None,
    ) -> torch.Tensor:
        image = image.to(torch.float32)
        if len(mean) not in (1, len(image)):
            raise QueryError(
                f"{key}: an image of {len(image)} channels, and statistics of {len(mean)}; fit with the same phases or "
                "b-values, or with per_channel=False."
            )
        if is_missing(image):
            return image
        if clip is not None:
            least, most = zip(*clip, strict=True)
            image = torch.minimum(torch.maximum(image, _column(least, image)), _column(most, image))
        return (image - _column(mean, image)) / _column(std, image)


def is_missing(image: torch.Tensor) -> bool:
    """Whether a loaded image stands for one that is not there: zeros, read from no file."""
    return isinstance(image, MetaTensor) and image.meta.get("filename_or_obj") == ""


def _column(numbers: Sequence[float], image: torch.Tensor) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float32, device=image.device).view(-1, *[1] * (image.ndim - 1))
