"""What every file of the annotations has in common: its name and folder, its JSON, its bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.nifti1 import Nifti1Header
from numpy.typing import NDArray

from trialbids.mappings.labels import Label
from trialbids.mappings.names import derived_entities, stem

from ...annotations.grid import ODD, Grid, MaskRefused
from ...annotations.region import Drawing
from ...convert import Volume, encode
from ...tables import json_bytes
from ..dataset import ANNOTATIONS
from ..image import Image

PET = "pet"
"""Masks on a PET image lie in ``anat``, as the standard has no other place, with ``space-pet``."""

TWICE = "a second one of the same label by the same reader on this image; a lesion number tells them apart"
UNMADE = tuple(error for error in ODD if error is not OSError)
"""What making a file may raise; a full disk (``OSError``) is no fault of the drawing and stops the run."""

CASES = "its label or reader differs from an earlier one's only in upper and lower case; rename it"


class DrawnFiles:
    """The files of one session's annotations, each with a name of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[str, str] = {}
        self.paths: list[str] = []

    def stem(self, image: Image, suffix: str, entities: Mapping[str, str]) -> str:
        """The name of a file without extension: the image's entities that the standard takes, and these."""
        return _stem(image, suffix, entities)

    def is_free(self, image: Image, name: str) -> bool:
        """Whether no file of this name was written."""
        return f"{_datatype(image)}/{name}".casefold() not in self._names

    def claim(self, image: Image, name: str) -> None:
        """Take a name. Raises ``MaskRefused`` A01 where it is taken, or is the same on some disks."""
        key = f"{_datatype(image)}/{name}"
        taken = self._names.setdefault(key.casefold(), key)
        if taken != key:
            raise MaskRefused("A01", CASES)
        if f"{key}\0" in self._names:
            raise MaskRefused("A01", TWICE)
        self._names[f"{key}\0"] = key

    def volume(self, image: Image, name: str, voxels: NDArray[Any], content: Mapping[str, Any]) -> Mapping[str, bytes]:
        """A NIfTI on the image's grid and its JSON, by name; nothing is written. Raises one of :data:`UNMADE`."""
        return {
            f"{name}.nii.gz": encode(_volume(voxels, Grid(image.shape, image.affine).matrix)),
            f"{name}.json": json_bytes({**content, **_reference(image)}),
        }

    def write_all(self, image: Image, made: Mapping[str, bytes]) -> None:
        """Files that were made, beside the image's masks."""
        for name, data in made.items():
            self.write(image, name, data)

    def write(self, image: Image, name: str, data: bytes) -> None:
        """Any file beside the image's masks."""
        target = self._folder / _datatype(image) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        self.paths.append(f"{ANNOTATIONS}/{image.participant_id}/{image.session_id}/{_datatype(image)}/{name}")


def content_of(drawing: Drawing, image: Image, checks: Iterable[str]) -> dict[str, Any]:
    """The JSON of one region, in the order in which a person reads it."""
    return {
        "Type": "ROI",
        "Label": drawing.label.name,
        **code_of(drawing.label),
        **({} if drawing.lesion is None else {"Lesion": drawing.lesion}),
        **({"Characteristics": dict(drawing.scores)} if drawing.scores else {}),
        "Reader": drawing.reader,
        "Method": drawing.method,
        "Sources": [source_of(image)],
        **({"Checks": found} if (found := list(dict.fromkeys(checks))) else {}),
    }


def code_of(label: Label) -> dict[str, Any]:
    """The label's code as DICOM writes it, where it has one."""
    if not label.code:
        return {}
    code = {"CodeValue": label.code, "CodingSchemeDesignator": label.scheme, "CodeMeaning": label.meaning}
    return {"LabelCode": code}


def source_of(image: Image) -> str:
    """The image as a BIDS URI."""
    return f"bids:raw:{image.path}"


def _reference(image: Image) -> dict[str, str]:
    return {"SpatialReference": source_of(image)} if image.datatype == PET else {}


def _datatype(image: Image) -> str:
    return "anat" if image.datatype == PET else image.datatype


def _stem(image: Image, suffix: str, entities: Mapping[str, str]) -> str:
    file = image.path.rpartition("/")[2].removesuffix(".nii.gz")
    parts = [part.partition("-") for part in file.split("_")[:-1]]
    own = {name: label for name, _, label in parts}
    if image.datatype == PET:
        own["space"] = PET
    taken = derived_entities(_datatype(image), suffix)
    return stem({**{n: label for n, label in own.items() if not taken or n in taken}, **entities}, suffix)


def _volume(voxels: NDArray[Any], affine: NDArray[np.float64]) -> Volume:
    header = Nifti1Header()
    header.set_data_dtype(voxels.dtype)
    header.set_data_shape(voxels.shape)
    header.set_zooms(tuple(np.linalg.norm(affine[:3, :3], axis=0)))
    header.set_qform(affine, code=1)
    header.set_sform(affine, code=1)
    header.set_xyzt_units("mm", "sec")
    return Volume(
        header=header,
        voxels=voxels,
        affine=affine,
        slope=1.0,
        inter=0.0,
        sidecar={},
        bval=None,
        bvec=None,
        converter="trialbids",
    )
