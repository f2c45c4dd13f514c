"""One released image: what the tables and the manifest say of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from trialbids.mappings.record import Record
from trialbids.mappings.vocabulary import vocabulary

from ..arrays import array

WORDS = (*vocabulary(), "confidence")
SCANS_COLUMNS = ("filename", "acq_time", "acquisition_id", *WORDS, "qc_verdict")


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One row of the manifest. ``path`` is below the root; ``record`` holds the record's cells as in ``scans.tsv``.

    ``scanner`` is a label of the device, which the manifest leaves out. ``acq_time`` is the image's moment as it
    leaves, "n/a" where the header does not tell it.
    ``shape`` and ``zooms`` (mm, then s) are those of the NIfTI, ``affine`` its sixteen numbers row by row (RAS+, mm);
    ``voxels_sha256`` is of the uncompressed voxel bytes.
    """

    path: str
    participant_id: str
    session_id: str
    site: str
    scanner: str
    acq_time: str
    acquisition_id: str
    datatype: str
    suffix: str
    record: Mapping[str, str]
    qc_verdict: str
    shape: tuple[int, ...]
    zooms: tuple[float, ...]
    affine: tuple[float, ...]
    dtype: str
    slope: float
    inter: float
    voxels_sha256: str
    file_bytes: int

    def scans_row(self) -> dict[str, str]:
        """The image's line of ``scans.tsv``."""
        filename = self.path.split("/", 2)[2]
        return {
            "filename": filename,
            "acq_time": self.acq_time,
            "acquisition_id": self.acquisition_id,
            "qc_verdict": self.qc_verdict,
            **self.record,
        }

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the session's fragment in the work folder."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Image:
        """The inverse of :meth:`to_json`."""
        lists = {name: tuple(values[name]) for name in ("shape", "zooms", "affine")}
        return cls(**{**values, **lists})


def cells(record: Record) -> dict[str, str]:
    """The record's cells, with one for every column."""
    row = record.to_row()
    return {name: row[name] for name in WORDS}


def manifest_bytes(images: Iterable[Image]) -> bytes:
    """The manifest as Parquet bytes: the same images give the same bytes."""
    rows = sorted(images, key=lambda image: image.path)
    text = pa.string()
    columns: dict[str, pa.Array] = {}
    for name in ("path", "participant_id", "session_id", "site", "acquisition_id", "datatype", "suffix"):
        columns[name] = array([getattr(r, name) for r in rows], text)
    for name in WORDS:
        columns[name] = array([r.record[name] for r in rows], text)
    columns["qc_verdict"] = array([r.qc_verdict for r in rows], text)
    for name, kind in (("shape", pa.int64()), ("zooms", pa.float64()), ("affine", pa.float64())):
        columns[name] = array([list(getattr(r, name)) for r in rows], pa.list_(kind))
    for name, kind in (("dtype", text), ("slope", pa.float64()), ("inter", pa.float64())):
        columns[name] = array([getattr(r, name) for r in rows], kind)
    columns["voxels_sha256"] = array([r.voxels_sha256 for r in rows], text)
    columns["file_bytes"] = array([r.file_bytes for r in rows], pa.int64())
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink, compression="zstd", store_schema=True)
    return sink.getvalue().to_pybytes()
