"""From a sample of plain values to tensors."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config.type_definitions import KeysCollection
from monai.data.meta_tensor import MetaTensor
from monai.transforms.transform import MapTransform

from ..errors import ReadError
from ..files.nifti import Header, read_volume
from ..files.regions import COORDINATES, read_coordinates

READING = ("_unit", "_factor", "_volumes", "_union", "_indices", "_rows", "_table", "_dtype")
_WIDER = {"uint16": np.int32, "uint32": np.int64, "uint64": np.int64, "float16": np.float32, "longdouble": np.float64}


class LoadSequencesd(MapTransform):
    """Read the images of a sample: each key becomes a ``MetaTensor`` of shape ``[C, X, Y, Z]``.

    ``C`` is 1, the phases of a DCE, or the volumes of a diffusion image, with ``<key>_times`` or ``<key>_bvalues`` as
    a float32 tensor of that length. Values are physical: slope and intercept are applied, and ``<key>_factor`` where
    the sample has one. The stored type is kept where there is nothing to apply (unsigned types that torch cannot
    compute with are widened), otherwise float32; ``dtype`` casts all. A key that is ``""`` becomes zeros on the grid
    of the sample's first image. ``meta`` holds the affine (RAS+, mm), ``unit`` and ``filename_or_obj``; everything
    survives ``torch.load(weights_only=True)``. Plain dicts of paths work as well.

    Of a label, several masks become one (the larger value of each voxel), the regions ``<key>_indices`` of a label map
    a mask of 0 and 1, and a table of boxes or points a float32 tensor ``[N, 6]`` or ``[N, 3]`` of voxel coordinates.

    Raises :class:`ReadError` naming participant, session and file.
    """

    def __init__(
        self, keys: KeysCollection, dtype: torch.dtype | None = None, allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.dtype = dtype

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        sample = dict(data)
        tables = [key for key in self.key_iterator(sample) if f"{key}_table" in sample]
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
                raise ReadError(f"{_who(sample)}: every image is missing, so {key} has no grid to be zeros on.")
            sample[key] = self._zeros(sample, key, grid)
        for key in self.key_iterator(sample):
            for side in READING:
                sample.pop(f"{key}{side}", None)
            for side in ("_times", "_bvalues"):
                if f"{key}{side}" in sample:
                    sample[f"{key}{side}"] = torch.as_tensor(sample[f"{key}{side}"], dtype=torch.float32)
        if "present" in sample:
            sample["present"] = torch.as_tensor(sample["present"], dtype=torch.bool)
        return sample

    def _load(self, sample: Mapping[Hashable, Any], key: Hashable) -> MetaTensor:
        files = [sample[key]] if isinstance(sample[key], str | Path) else list(sample[key])
        volumes = sample.get(f"{key}_volumes")
        try:
            if sample.get(f"{key}_union"):
                array, header = read_union(files)
            else:
                array, header = read_channels(files, float(sample.get(f"{key}_factor", 1.0)), volumes)
        except ReadError as error:
            raise ReadError(f"{_who(sample)}: {key}: {error}") from error
        if indices := sample.get(f"{key}_indices"):
            array = np.isin(array, indices).astype(np.uint8)
        wider = _WIDER.get(array.dtype.name)
        tensor = torch.from_numpy(array if wider is None else array.astype(wider))
        return self._tensor(
            tensor, torch.from_numpy(header.affine.copy()), str(files[0]), sample.get(f"{key}_unit", "")
        )

    def _coordinates(self, sample: Mapping[Hashable, Any], key: Hashable) -> torch.Tensor:
        path = sample[key]
        if not path:
            return torch.zeros(0, len(COORDINATES[sample[f"{key}_table"]]))
        try:
            return torch.from_numpy(read_coordinates(Path(path), sample.get(f"{key}_rows", ())))
        except ReadError as error:
            raise ReadError(f"{_who(sample)}: {key}: {error}") from error

    def _zeros(self, sample: Mapping[Hashable, Any], key: Hashable, grid: MetaTensor) -> MetaTensor:
        channels = len(sample.get(f"{key}_times") or sample.get(f"{key}_bvalues") or [0])
        name = sample.get(f"{key}_dtype")
        dtype = torch.from_numpy(np.zeros(0, _WIDER.get(name, name))).dtype if name else grid.dtype
        tensor = torch.zeros(channels, *reversed(grid.shape[1:]), dtype=dtype).permute(0, 3, 2, 1)
        return self._tensor(tensor, grid.affine.clone(), "", sample.get(f"{key}_unit", ""))

    def _tensor(self, tensor: torch.Tensor, affine: torch.Tensor, path: str, unit: str) -> MetaTensor:
        meta: dict[str, Any] = {
            "affine": affine,
            "original_affine": affine.clone(),
            "spatial_shape": torch.tensor(tensor.shape[1:]),
            "original_channel_dim": 0,
            "filename_or_obj": path,
            "unit": unit,
        }
        return MetaTensor(tensor if self.dtype is None else tensor.to(self.dtype), meta=meta)


def read_channels(
    files: Sequence[str | Path], factor: float = 1.0, volumes: Sequence[int] | None = None
) -> tuple[np.ndarray, Header]:
    """Read files as one array ``(C, X, Y, Z)``, channels and slices outermost in memory, and the first header.

    One file gives all its volumes, or those of ``volumes``; of several files, ``volumes`` names one volume each.
    Raises :class:`ReadError` for a damaged file, or one with another grid than the first.
    """
    if len(files) == 1:
        array, header = read_volume(files[0], factor=factor, volumes=volumes)
        return _channels_first(array), header
    parts: list[np.ndarray] = []
    first: Header | None = None
    for position, path in enumerate(files):
        chosen = None if volumes is None else [volumes[position]]
        array, header = read_volume(path, factor=factor, volumes=chosen)
        first = first or header
        if header.shape[:3] != first.shape[:3] or not np.allclose(header.affine, first.affine, atol=1e-3):
            raise ReadError(f"{path}: its grid differs from that of {files[0]}; they cannot be stacked.")
        parts.append(_channels_first(array))
    assert first is not None
    x, y, z = parts[0].shape[1:]
    count = sum(len(part) for part in parts)
    out = np.empty((count, z, y, x), np.result_type(*parts)).transpose(0, 3, 2, 1)
    np.concatenate(parts, out=out)
    return out, first


def read_union(files: Sequence[str | Path]) -> tuple[np.ndarray, Header]:
    """Several masks of one grid as one, ``(C, X, Y, Z)``: the larger value of each voxel; and the first header.

    Raises :class:`ReadError` as :func:`read_channels`, and where their numbers of volumes differ.
    """
    array, first = read_channels(files[:1])
    for path in files[1:]:
        other, header = read_channels([path])
        if other.shape != array.shape or not np.allclose(header.affine, first.affine, atol=1e-3):
            raise ReadError(f"{path}: its grid differs from that of {files[0]}; they cannot become one mask.")
        array = np.maximum(array, other)
    return array, first


def _channels_first(array: np.ndarray) -> np.ndarray:
    """A view ``(C, X, Y, Z)`` of an array ``(X[, Y[, Z[, …]]])`` in Fortran order."""
    spatial = (*array.shape, 1, 1)[:3]
    return np.moveaxis(array.reshape((*spatial, -1), order="F"), -1, 0)


def _who(sample: Mapping[Hashable, Any]) -> str:
    words = [str(sample[key]) for key in ("participant_id", "session_id") if sample.get(key)]
    return " ".join(words) or str(sample.get("sample_id", "sample"))
