"""One image of the tree, as the index knows it: facts, no voxels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from trialbids.mappings.record import Record

FIELDS = (
    *("Modality", "Manufacturer", "ManufacturersModelName", "MagneticFieldStrength"),
    *("RepetitionTime", "EchoTime", "InversionTime", "FlipAngle"),
)
"""The sidecar fields that the index keeps of every image, in the units of BIDS (T, s, degrees)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One NIfTI file, or one table of boxes or points in ``derivatives/annotations``, which has no shape.

    ``path`` is relative to the root of the tree, ``/`` separated. ``scope`` is ``raw``, or ``annotations`` for a file
    of ``derivatives/annotations``, which then has ``label``, ``reader`` and ``sources`` (paths of the images it was
    drawn on); ``regions`` are the names in a label map with their indices, or the labels in a table with 0.
    ``affine`` is the 4×4 matrix row by row (RAS+, mm), ``zooms`` are in mm, of a further axis in s; ``shape`` is
    empty where the header could not be read. ``qc`` is the verdict, empty where none was given. ``adc_scale`` is the
    factor from rescaled values to mm²/s. ``study`` is the (keyed) StudyInstanceUID of the sidecar, ``fields`` are the
    :data:`FIELDS` that it has.
    """

    path: str
    participant_id: str
    session_id: str
    datatype: str
    suffix: str
    entities: tuple[tuple[str, str], ...]
    scope: str = "raw"
    site: str = ""
    acquisition_id: str = ""
    qc: str = ""
    record: Record = field(default_factory=Record)
    units: str = ""
    adc_scale: float | None = None
    label: str = ""
    reader: str = ""
    sources: tuple[str, ...] = ()
    regions: tuple[tuple[str, int], ...] = ()
    shape: tuple[int, ...] = ()
    affine: tuple[float, ...] = ()
    zooms: tuple[float, ...] = ()
    dtype: str = ""
    slope: float = 1.0
    inter: float = 0.0
    voxels_sha256: str = ""
    study: str = ""
    fields: tuple[tuple[str, str | float], ...] = ()

    @property
    def sidecar_fields(self) -> Mapping[str, str | float]:
        """What the sidecar says of scanner and timing, by the BIDS name of the field."""
        return MappingProxyType(dict(self.fields))

    @property
    def entity(self) -> Mapping[str, str]:
        """Labels by short entity key."""
        return MappingProxyType(dict(self.entities))

    @property
    def stem(self) -> str:
        """The file name without its extension."""
        return self.path.rpartition("/")[2].partition(".")[0]

    @property
    def is_table(self) -> bool:
        """Whether it is a table of boxes or points."""
        return self.path.endswith(".tsv")

    @property
    def volumes(self) -> int:
        """How many 3D volumes the file holds."""
        return int(np.prod(self.shape[3:]))


def same_grid(a: Image, b: Image) -> bool:
    """Whether two images have the same voxel grid: no corner of the array is off by more than 1 % of a voxel."""
    if a.shape[:3] != b.shape[:3]:
        return False
    if a.affine == b.affine:
        return True
    first, second = (np.asarray(image.affine).reshape(4, 4) for image in (a, b))
    corners = np.array([(i, j, k, 1) for i in (0, 1) for j in (0, 1) for k in (0, 1)], dtype=float)
    corners[:, :3] *= np.array(a.shape[:3])
    offsets = np.linalg.norm(((first - second) @ corners.T)[:3], axis=0)
    voxel = np.linalg.norm(first[:3, :3], axis=0).min()
    return bool(offsets.max() <= 0.01 * voxel)
