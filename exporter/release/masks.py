"""Masks of a session, staged as a derivative dataset of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from nibabel.nifti1 import Nifti1Header

from trialbids.mappings.names import stem

from ..annotations.masks import Grid, Mask, MaskRefused, fit
from ..annotations.table import MaskRow
from ..convert import Volume, encode
from ..plan.build import Planned
from ..tables import json_bytes
from .dataset import ANNOTATIONS
from .image import Image
from .session import MaskFault, StagedMasks


def stage_masks(
    folder: Path, planned: Sequence[Planned], images: Sequence[Image], masks: Mapping[str, Sequence[MaskRow]]
) -> StagedMasks:
    """Write every mask drawn on one of these images into ``folder``, on the image's grid.

    A series that became several images takes the mask where exactly one of them has its grid.
    """
    by_path = {image.path: image for image in images}
    targets: dict[str, list[Image]] = {}
    for p in planned:
        image = by_path.get(p.row.bids_path)
        if image is not None:
            for uid in p.harmonised.stack.series_uids:
                targets.setdefault(uid, []).append(image)
    paths: list[str] = []
    faults: list[MaskFault] = []
    for uid, candidates in sorted(targets.items()):
        for row in masks.get(uid, ()):
            try:
                paths.append(_stage(folder, row, candidates))
            except MaskRefused as refusal:
                faults.append(MaskFault(refusal.check, uid, str(refusal)))
    return StagedMasks(tuple(paths), tuple(faults))


def _stage(folder: Path, row: MaskRow, candidates: Sequence[Image]) -> str:
    refusals: list[MaskRefused] = []
    fitting = []
    for image in candidates:
        try:
            fitting.append((image, fit(row, Grid(image.shape, image.affine))))
        except MaskRefused as refusal:
            refusals.append(refusal)
    if not fitting:
        raise refusals[0]
    if len(fitting) > 1:
        raise MaskRefused(
            "A01", f"line {row.line}: the series became {len(fitting)} images with this grid; name the image"
        )
    image, mask = fitting[0]
    name = _name(image, row)
    target = folder / image.datatype / f"{name}.nii.gz"
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.name.casefold() in {path.name.casefold() for path in target.parent.iterdir()}:
        raise MaskRefused("A01", f"line {row.line}: {_second(target)}")
    target.write_bytes(encode(_as_volume(mask)))
    content = {
        "Type": "ROI",
        "Label": row.label,
        "Reader": row.reader,
        "Method": row.method,
        "Sources": [f"bids:raw:{image.path}"],
    }
    target.with_name(f"{name}.json").write_bytes(json_bytes(content))
    return f"{ANNOTATIONS}/{image.participant_id}/{image.session_id}/{image.datatype}/{name}.nii.gz"


def _second(target: Path) -> str:
    if target.exists():
        return "a second mask of the same label by the same reader"
    return "its label or reader differs from an earlier one's only in upper and lower case; rename it"


def _as_volume(mask: Mask) -> Volume:
    header = Nifti1Header()
    header.set_data_dtype(np.uint8)
    header.set_data_shape(mask.voxels.shape)
    header.set_zooms(tuple(np.linalg.norm(mask.affine[:3, :3], axis=0)))
    header.set_qform(mask.affine, code=1)
    header.set_sform(mask.affine, code=1)
    header.set_xyzt_units("mm", "sec")
    return Volume(
        header=header,
        voxels=mask.voxels,
        affine=mask.affine,
        slope=1.0,
        inter=0.0,
        sidecar={},
        bval=None,
        bvec=None,
        converter="trialbids",
    )


def _name(image: Image, row: MaskRow) -> str:
    """The image's entities, then label and reader."""
    file = image.path.rpartition("/")[2].removesuffix(".nii.gz")
    parts = [part.partition("-") for part in file.split("_")[:-1]]
    entities = {name: label for name, _, label in parts}
    return stem({**entities, "label": row.label, "desc": row.reader}, "mask")
