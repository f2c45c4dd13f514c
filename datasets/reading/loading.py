"""From a sample of plain values to tensors."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config.type_definitions import KeysCollection
from monai.data.meta_tensor import MetaTensor
from monai.transforms.transform import MapTransform

from ..cohorts.rows import HOW_READ, PER_CHANNEL, TOLD
from ..errors import ReadError
from ..files.places import fetch
from ..files.regions import COORDINATES, read_coordinates
from .cache import Cache
from .metatensors import meta_tensor
from .resampling import on_one_grid
from .volumes import WIDER, Piece, read_channels, read_pieces, read_union


class LoadSequencesd(MapTransform):
    """Read the images of a sample: each key becomes a ``MetaTensor`` of shape ``[C, X, Y, Z]``.

    ``C`` is 1, the phases of a DCE, or the volumes of a diffusion image, with ``<key>.times`` or ``<key>.bvalues`` as
    a float32 tensor of that length. Values are physical: slope and intercept are applied, and ``<key>.factor`` where
    the sample has one. The stored type is kept where there is nothing to apply (unsigned types that torch cannot
    compute with are widened), otherwise float32; ``dtype`` casts all. A key that is ``""`` becomes zeros on the grid
    of the sample's first image. ``<key>.onto``, which a cohort with ``grid=Resample(…)`` gives, brings an image to the
    grid of another key, unless ``resample`` is False. ``meta`` holds the affine (RAS+, mm), ``unit`` and
    ``filename_or_obj``; everything survives ``torch.load(weights_only=True)``. Plain dicts of paths work as well.

    A mask holds 0 and 1 alone, or is refused; without any 1 it is served as it is, all zeros.
    Of a label, several masks become one (the larger value of each voxel), the regions ``<key>.indices`` of a label map
    a mask of 0 and 1, and a table of boxes or points a float32 tensor ``[N, 6]`` or ``[N, 3]`` of voxel coordinates.

    Raises :class:`ReadError` naming participant, session and file.
    """

    def __init__(
        self,
        keys: KeysCollection,
        dtype: torch.dtype | None = None,
        allow_missing_keys: bool = False,
        cache: Cache | None = None,
        resample: bool = True,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.dtype = dtype
        self.cache = cache
        self.resample = resample

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        tables = [key for key in self.key_iterator(sample) if f"{key}.table" in sample]
        for key in tables:
            sample[key] = self._coordinates(sample, key)
        absent: list[Hashable] = []
        grid: MetaTensor | None = None
        for key in self.key_iterator(sample):
            if key in tables:
                continue
            if isinstance(sample[key], str) and not sample[key]:
                absent.append(key)
                continue
            sample[key] = self._load(sample, key)
            grid = sample[key] if grid is None else grid
        for key in absent:
            if grid is None:
                raise ReadError(f"{who(sample)}: every image is missing, so {key} has no grid to be zeros on.")
            sample[key] = self._zeros(sample, key, grid)
        if self.resample:
            sample = on_one_grid(sample, [key for key in self.key_iterator(sample) if f"{key}.onto" in sample])
        for key in self.key_iterator(sample):
            for side in (*HOW_READ, *TOLD):
                sample.pop(f"{key}{side}", None)
            for side in PER_CHANNEL:
                if f"{key}{side}" in sample:
                    sample[f"{key}{side}"] = torch.as_tensor(sample[f"{key}{side}"], dtype=torch.float32)
        return self.finish(sample)

    @staticmethod
    def finish(sample: dict[Any, Any]) -> dict[Any, Any]:
        """What belongs to no image, as tensors where it is one: ``present``, and lists of floats, as targets are."""
        for name, value in sample.items():
            if name == "present":
                sample[name] = torch.as_tensor(value, dtype=torch.bool)
            elif isinstance(value, list) and value and all(isinstance(each, float) for each in value):
                sample[name] = torch.tensor(value, dtype=torch.float32)
        return sample

    def _load(self, sample: Mapping[Hashable, Any], key: Hashable) -> MetaTensor:
        files = files_of(sample[key])
        factor = sample.get(f"{key}.factor", 1.0)
        volumes = sample.get(f"{key}.volumes")
        try:
            if sample.get(f"{key}.union"):
                array, header = read_union(files, self.cache)
            elif isinstance(factor, list | tuple):
                pieces = [Piece(*given) for given in zip(files, factor, volumes or repeat(None), strict=False)]
                array, header = read_pieces(pieces, self.cache)
            else:
                array, header = read_channels(files, float(factor), volumes, self.cache)
        except ReadError as error:
            raise ReadError(f"{who(sample)}: {key}: {error}") from error
        if indices := sample.get(f"{key}.indices"):
            array = np.isin(array, indices).astype(np.uint8)
        return self._tensor(torch.from_numpy(array), torch.from_numpy(header.affine.copy()), _first(files), sample, key)

    def _coordinates(self, sample: Mapping[Hashable, Any], key: Hashable) -> torch.Tensor:
        path = sample[key]
        if not path:
            return torch.zeros(0, len(COORDINATES[sample[f"{key}.table"]]))
        try:
            return torch.from_numpy(read_coordinates(fetch(path), sample.get(f"{key}.rows", ())))
        except ReadError as error:
            raise ReadError(f"{who(sample)}: {key}: {error}") from error

    def _zeros(self, sample: Mapping[Hashable, Any], key: Hashable, grid: MetaTensor) -> MetaTensor:
        channels = len(sample.get(f"{key}.times") or sample.get(f"{key}.bvalues") or [0])
        name = sample.get(f"{key}.dtype")
        dtype = torch.from_numpy(np.zeros(0, WIDER.get(name, name))).dtype if name else grid.dtype
        tensor = torch.zeros(channels, *reversed(grid.shape[1:]), dtype=dtype).permute(0, 3, 2, 1)
        return self._tensor(tensor, grid.affine.clone(), "", sample, key)

    def _tensor(
        self, tensor: torch.Tensor, affine: torch.Tensor, path: str, sample: Mapping[Hashable, Any], key: Hashable
    ) -> MetaTensor:
        meta: dict[str, Any] = {
            "affine": affine,
            "original_affine": affine.clone(),
            "spatial_shape": torch.from_numpy(np.array(tensor.shape[1:])),
            "original_channel_dim": 0,
            "filename_or_obj": path,
            "unit": sample.get(f"{key}.unit", ""),
        }
        meta |= {side[1:]: sample[f"{key}{side}"] for side in TOLD if f"{key}{side}" in sample}
        return meta_tensor(tensor if self.dtype is None else tensor.to(self.dtype), meta)


def _first(files: Sequence[str | Path]) -> str:
    """The first file that is not missing."""
    return next((str(path) for path in files if path), "")


def files_of(value: Any) -> list[str | Path]:
    """The files of a key of a sample, which are one path or several."""
    return [value] if isinstance(value, str | Path) else list(value)


def who(sample: Mapping[Any, Any]) -> str:
    """Participant and session of a sample, as messages begin."""
    words = [str(sample[key]) for key in ("participant_id", "session_id") if sample.get(key)]
    return " ".join(words) or str(sample.get("sample_id", "sample"))
