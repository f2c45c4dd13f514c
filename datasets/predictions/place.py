"""Where a prediction lies: names, folders, and the bytes of its files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from isal import igzip
from numpy.typing import NDArray

from trialbids.mappings.labels import shipped_labels
from trialbids.mappings.names import derived_entities, stem

from ..errors import PredictionError
from ..files.names import parse_name
from ..files.nifti import Header, read_header

PET = "pet"
"""Derivatives of PET images lie in ``anat``, as the standard has no other place, with ``space-pet``."""

GEOMETRY = ("xyzt_units", "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y",
            "qoffset_z", "srow_x", "srow_y", "srow_z")  # fmt: skip
"""The fields of a NIfTI header that say where voxels lie, beside ``pixdim``."""


@dataclass(frozen=True, slots=True)
class Original:
    """The image that a prediction is of: its path below the root, ``/`` separated, and what its header says."""

    path: str
    header: Header

    @property
    def datatype(self) -> str:
        """The folder of the image."""
        return self.path.split("/")[-2]

    @property
    def size(self) -> tuple[int, int, int]:
        """Voxels along x, y and z."""
        x, y, z = (*self.header.shape, 1, 1)[:3]
        return x, y, z

    @property
    def source(self) -> str:
        """The image as a BIDS URI."""
        return f"bids:raw:{self.path}"

    def check_belongs(self, participant: str, session: str, who: str) -> None:
        """Raise :class:`PredictionError` where the image is of another participant or session than the sample.

        A sample that is a whole participant has no session.
        """
        own, visit = self.path.split("/")[:2]
        other_visit = session and visit.startswith("ses-") and visit != session
        if (participant and own != participant) or other_visit:
            raise PredictionError(
                f"{who}: its image says that it was read from {self.path}, which is another's; keep the metadata of "
                "each image with its own sample."
            )

    def derivative(self, suffix: str, entities: Mapping[str, str]) -> str:
        """The path of a derivative of the image below its dataset, without extension.

        It has the image's entities that the standard takes for the suffix, and ``entities``.
        """
        *folders, datatype, filename = self.path.split("/")
        name = parse_name(filename)
        if name is None:
            raise PredictionError(f"{self.path}: the file name does not follow BIDS, so a prediction of it has none.")
        own = dict(name.entities)
        if datatype == PET:
            own["space"], datatype = PET, "anat"
        taken = derived_entities(datatype, suffix) or derived_entities(datatype, "mask")
        kept = {entity: label for entity, label in own.items() if not taken or entity in taken}
        return "/".join((*folders, datatype, stem({**kept, **entities}, suffix)))

    def reference(self) -> dict[str, str]:
        """Where a derivative that lies beside its modality is in space."""
        return {"SpatialReference": self.source} if self.datatype == PET else {}


def original_of(root: Path, file: str, who: str) -> Original:
    """The image of the tree that a sample was read from. Raises :class:`PredictionError`, ``ReadError``."""
    if not file:
        raise PredictionError(
            f"{who}: its image is missing (zeros stand for it), so a prediction of it has no grid; leave such samples "
            "out, or predict with an image that is there."
        )
    path = Path(file).absolute()
    if not path.is_relative_to(root) or len(path.relative_to(root).parts) < 3:
        raise PredictionError(f"{who}: {file} is no image of {root}; give the writer the tree that the cohort is of.")
    return Original(path.relative_to(root).as_posix(), read_header(path))


def check_no_link(root: Path, folder: Path) -> None:
    """Raise :class:`PredictionError` where a folder of the tree is reached by a link, which may lead out of the tree.

    How ``root`` itself is reached does not matter.
    """
    real = folder.resolve()
    if real != root.resolve() / folder.relative_to(root):
        raise PredictionError(
            f"{folder}: is or lies behind a link to {real}; predictions are written into the tree only."
        )


def nifti_bytes(root: Path, original: Original, voxels: NDArray[Any]) -> bytes:
    """A ``.nii.gz`` of one volume with the shape of the image, and its geometry as its header has it, to the bit."""
    like: Any = nibabel.load(root / original.path).header  # pyright: ignore[reportPrivateImportUsage]
    header = type(like)()
    header.set_data_dtype(voxels.dtype)
    header.set_data_shape(original.header.shape[:3])
    for field in GEOMETRY:
        header[field] = like[field]
    header["pixdim"][: len(original.header.shape[:3]) + 1] = like["pixdim"][: len(original.header.shape[:3]) + 1]
    header.set_slope_inter(1, 0)
    header["vox_offset"] = len(header.binaryblock) + 4
    body = voxels.reshape(original.header.shape[:3]).tobytes(order="F")
    return igzip.compress(header.binaryblock + bytes(4) + body, mtime=0)


def label_code(label: str) -> dict[str, Any]:
    """The label's code as DICOM writes it, where the dictionary of labels has one."""
    known = shipped_labels().get(label)
    if known is None or not known.code:
        return {}
    code = {"CodeValue": known.code, "CodingSchemeDesignator": known.scheme, "CodeMeaning": known.meaning}
    return {"LabelCode": code}


def empty_labels(labels: Mapping[int, str], voxels: NDArray[Any], *, by_value: bool) -> Iterator[str]:
    """The labels of which no voxel is left: by value of the one channel, or one a channel."""
    for at, (number, label) in enumerate(labels.items()):
        here = voxels == number if by_value else voxels[at] != 0
        if not np.any(here):
            yield label
