"""A mask or label map of the tree: its voxels, whom they are of, and what its sidecar says."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError
from numpy.typing import NDArray

from trialbids.mappings.labels import Label, shipped_labels

from ...errors import UsageError
from ...tables import read_tsv
from ..grid import Grid, MaskRefused, order_on
from ..seg import METHODS, Method

SOURCE = re.compile(r"bids:raw:(?P<path>sub-[^/]+/.+\.nii\.gz)")
DESCRIPTION = "dataset_description.json"
SUFFIXES = ("mask", "dseg")
UNCODED = Label("region", "85756007", "SCT", "Tissue")
"""What a segment is called whose label has no code."""


@dataclass(frozen=True, slots=True, eq=False)
class TreeMask:
    """A mask of the tree. ``voxels`` are ``[X, Y, Z]`` on ``grid``, the grid of the image at ``image``.

    ``image`` is a path below the root of the tree; ``labels`` are the segments by their value. ``model`` is empty where
    people drew it.
    """

    path: Path
    image: str
    grid: Grid
    voxels: NDArray[np.generic]
    labels: Mapping[int, Label]
    method: Method
    model: str
    version: str


def read_mask(path: Path) -> TreeMask:
    """Read a ``_mask.nii.gz`` or ``_dseg.nii.gz`` of a derivative dataset.

    Raises ``UsageError`` where it is none, is not on the grid of its image, or does not say of which image it is.
    """
    suffix = path.name.removesuffix(".nii.gz").rpartition("_")[2]
    if suffix not in SUFFIXES or not path.name.endswith(".nii.gz"):
        raise UsageError(f"{path}: give a _mask.nii.gz or _dseg.nii.gz; fractions are made a mask by a threshold first")
    said = _sidecar(path)
    image, root = _image_of(path, said)
    voxels, matrix = _loaded(path)
    theirs, affine = _geometry(root / image)
    grid = Grid(theirs, tuple(affine.ravel().tolist()))
    try:
        voxels = order_on(grid, voxels.shape, matrix).apply(voxels)
    except MaskRefused as error:
        raise UsageError(f"{path}: is not on the grid of {image}: {error}") from error
    labels = {1: _label(said)} if suffix == "mask" else _regions(path)
    strange = sorted(set(np.unique(voxels).tolist()) - {0, *labels})
    if strange:
        raise UsageError(f"{path}: holds the value {strange[0]:g}, which stands for no label")
    if not voxels.any():
        raise UsageError(f"{path}: is empty, and DICOM has no segmentation without a segment; leave it out")
    method = METHODS.get(str(said.get("Method", "")).upper(), "semiautomatic")
    words = (str(said.get(key) or "") for key in ("Model", "ModelVersion"))
    return TreeMask(path, image, grid, voxels, labels, method, *words)


def tree_above(path: Path) -> Path | None:
    """The outermost BIDS dataset in which a path lies, or would lie."""
    folders = path.absolute().resolve()
    found = [folder for folder in (folders, *folders.parents) if (folder / DESCRIPTION).is_file()]
    return found[-1] if found else None


def _sidecar(path: Path) -> Mapping[str, Any]:
    beside = path.with_name(path.name.removesuffix(".nii.gz") + ".json")
    try:
        content = json.loads(beside.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"{beside}: cannot be read; it says of which image the mask is") from error
    if not isinstance(content, dict):
        raise UsageError(f"{beside}: is no JSON object; it says of which image the mask is")
    return content


def _image_of(path: Path, said: Mapping[str, Any]) -> tuple[str, Path]:
    """The image that the mask was drawn on, and the root of its tree."""
    root = tree_above(path)
    sources = said.get("Sources")
    first = sources[0] if isinstance(sources, list) and sources else ""
    found = SOURCE.fullmatch(str(first))
    if root is None or found is None:
        raise UsageError(f"{path}: lies in no BIDS dataset, or its JSON names no image of it in Sources")
    return found["path"], root


def _loaded(path: Path) -> tuple[NDArray[np.generic], NDArray[np.float64]]:
    try:
        image: Any = nibabel.load(path)  # pyright: ignore[reportPrivateImportUsage]
        voxels = np.asanyarray(image.dataobj)
    except (OSError, EOFError, ValueError, ImageFileError) as error:
        raise UsageError(f"{path}: cannot be read as NIfTI") from error
    voxels = voxels.reshape((*voxels.shape, 1, 1)[:3]) if voxels.ndim < 3 else voxels
    if voxels.ndim > 3:
        raise UsageError(f"{path}: has {voxels.ndim} axes; a mask has three")
    return voxels, np.asarray(image.affine, np.float64)


def _geometry(path: Path) -> tuple[tuple[int, ...], NDArray[np.float64]]:
    try:
        image: Any = nibabel.load(path)  # pyright: ignore[reportPrivateImportUsage]
    except (OSError, EOFError, ValueError, ImageFileError) as error:
        raise UsageError(f"{path}: the image of the mask is not there, or cannot be read") from error
    return tuple(int(n) for n in (*image.shape, 1, 1)[:3]), np.asarray(image.affine, np.float64)


def _label(said: Mapping[str, Any]) -> Label:
    """The label of a mask, with its code of the sidecar, else of the dictionary."""
    name = str(said.get("Label") or UNCODED.name)
    code = said.get("LabelCode")
    known = shipped_labels().get(name)
    if isinstance(code, dict) and code.get("CodeValue"):
        keys = ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")
        value, scheme, meaning = (str(code.get(key, "")) for key in keys)
        return Label(name, value, scheme, meaning, several=known is not None and known.several)
    return _coded(name)


def _regions(path: Path) -> Mapping[int, Label]:
    table = path.with_name(path.name.removesuffix(".nii.gz") + ".tsv")
    try:
        return {int(row["index"]): _coded(row["name"]) for row in read_tsv(table)}
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"{table}: cannot be read; it says what the values of the label map are") from error


def _coded(name: str) -> Label:
    known = shipped_labels().get(name)
    if known is not None and known.code:
        return known
    return Label(name, UNCODED.code, UNCODED.scheme, UNCODED.meaning)
