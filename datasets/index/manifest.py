"""Header facts from ``curation/manifest.parquet``, believed only while they fit the files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ReadError

_COLUMNS = ["path", "shape", "affine", "dtype", "slope", "inter", "voxels_sha256", "file_bytes"]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a NIfTI header says, and the voxels' hash where it is known. Empty where the header was unreadable."""

    shape: tuple[int, ...] = ()
    affine: tuple[float, ...] = ()
    dtype: str = ""
    slope: float = 1.0
    inter: float = 0.0
    voxels_sha256: str = ""


class Manifest:
    """The manifest of a tree; an empty one for a tree that has none."""

    def __init__(self, rows: Mapping[str, Mapping[str, Any]], written_ns: int) -> None:
        self._rows = rows
        self._written_ns = written_ns

    @classmethod
    def read(cls, root: Path) -> Manifest:
        """Read ``curation/manifest.parquet`` below ``root`` if it is there. Raises :class:`ReadError`."""
        path = root / "curation" / "manifest.parquet"
        if not path.is_file():
            return cls({}, 0)
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(path, columns=_COLUMNS)
        except (OSError, pa.ArrowException) as error:
            raise ReadError(f"{path}: the manifest cannot be read ({error}).") from error
        return cls({row["path"]: row for row in table.to_pylist()}, path.stat().st_mtime_ns)

    def facts(self, path: str, entry: os.DirEntry[str]) -> Facts | None:
        """The facts of one image, or None where its header must be read.

        That is so where the image is not listed, has another size, or was written after the manifest.
        """
        row = self._rows.get(path)
        if row is None:
            return None
        stat = entry.stat()
        if stat.st_size != row["file_bytes"] or stat.st_mtime_ns > self._written_ns:
            return None
        return Facts(
            tuple(row["shape"]), tuple(row["affine"]), row["dtype"], row["slope"], row["inter"], row["voxels_sha256"]
        )
