"""Header facts from ``curation/manifest.parquet``, believed only while they fit the files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ReadError
from ..files.nifti import believable
from ..files.trees import Stamp, Tree, is_local
from .found import geometry_text

if TYPE_CHECKING:
    import pyarrow as pa

FOLDER, NAME = "curation", "manifest.parquet"
_SCALARS = ("path", "dtype", "slope", "inter", "voxels_sha256", "file_bytes")
_LISTS = ("shape", "zooms", "affine")


class Manifest:
    """The manifest of a tree as columns; ``state`` is that of its file, empty where there is none."""

    def __init__(self, state: Stamp = (), table: pa.Table | None = None) -> None:
        self.state = state
        self._written_ns, self._settled_ns = (int(state[1]), int(state[3])) if is_local(state) else (0, 0)
        self._place: dict[str, int] = {}
        if table is not None:
            self._place = {path: number for number, path in enumerate(table.column("path").to_pylist())}
            self._bytes: list[int] = table.column("file_bytes").to_pylist()
            self._voxels: list[str | None] = table.column("voxels_sha256").to_pylist()
            self._texts, self._geometry = _geometries(table)

    @classmethod
    def read(cls, tree: Tree, state: Stamp) -> Manifest:
        """Read the manifest of a tree, whose state is known. Raises :class:`ReadError`."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = tree.local(f"{FOLDER}/{NAME}") if state else None
        if path is None:
            return cls(state)
        try:
            return cls(state, pq.read_table(path, columns=[*_SCALARS, *_LISTS]))
        except (OSError, KeyError, TypeError, ValueError, AttributeError, pa.ArrowException) as error:
            raise ReadError(f"{path}: the manifest cannot be read ({error}).") from error

    def facts(self, path: str, stamp: Stamp, *, believed: bool = False) -> tuple[str, str] | None:
        """Geometry (as JSON) and hash of the voxels of one image, or None where its header must be read.

        That is so where the image is not listed, has another size, or was written after the manifest, or its status
        changed after that of the manifest: a file that was replaced and given back its size and time tells so by
        nothing else. In a copy of a tree the status of all files is new, so that their headers are read (see
        :meth:`agreed`). Behind an address the times are those of the upload, in any order, and say nothing.
        ``believed`` tells that the manifest was believed of this file before, and that since then only its links or
        rights changed, which move that time too.
        """
        n = self._listed(path, stamp)
        if (
            n is None
            or not self._texts[self._geometry[n]]
            or (is_local(stamp) and not believed and int(stamp[3]) > self._settled_ns)
        ):
            return None
        return self._texts[self._geometry[n]], self._voxels[n] or ""

    def agreed(self, path: str, stamp: Stamp, geometry: str) -> str:
        """The hash of the voxels of an image whose header was read, "" where it is not known.

        It is believed where the header says what the manifest does and the status of the manifest, too, changed after
        it was written, which tells of a copy (``cp -a``, ``rsync -a``, ``tar``) or of new rights for the whole tree.
        A file whose status alone is new may hold other voxels under the same header.
        """
        n = self._listed(path, stamp)
        if n is None or self._settled_ns <= self._written_ns:
            return ""
        return (self._voxels[n] or "") if self._texts[self._geometry[n]] == geometry else ""

    def _listed(self, path: str, stamp: Stamp) -> int | None:
        """The row of an image that has the size and time of what was listed."""
        n = self._place.get(path)
        if n is None or not stamp or stamp[0] != self._bytes[n]:
            return None
        return None if is_local(stamp) and int(stamp[1]) > self._written_ns else n


def _geometries(table: pa.Table) -> tuple[list[str], list[int]]:
    """The distinct geometries of a manifest as JSON, "" for one that no image has, and the number of that of every
    row."""
    lists = [_distinct(table.column(name)) for name in _LISTS]
    plain = [table.column(name).to_pylist() for name in ("dtype", "slope", "inter")]
    numbers: dict[tuple[Any, ...], int] = {}
    keys = zip(*(codes.tolist() for codes, _ in lists), *plain, strict=True)
    of_rows = [numbers.setdefault(key, len(numbers)) for key in keys]
    texts: list[str] = []
    for *codes, dtype, slope, inter in numbers:
        shape, zooms, affine = (_list(rows[code]) for code, (_, rows) in zip(codes, lists, strict=True))
        geometry = (tuple(map(int, shape)), zooms, affine, str(dtype), float(slope), float(inter))
        texts.append(geometry_text(geometry) if believable(geometry[0], str(dtype), affine) else "")
    return texts, of_rows


def _distinct(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """The number of every row among the distinct rows, and these, as :func:`_padded` writes them."""
    rows = _padded(column)
    same = rows.view([("", np.void, rows.strides[0])]).ravel()
    _, first, codes = np.unique(same, return_index=True, return_inverse=True)
    return codes.ravel().astype(np.int32), rows[first]


def _padded(column: pa.ChunkedArray) -> np.ndarray:
    """A column of lists of numbers as rows of float64: the length of the list, its values, then zeros."""
    whole = column.combine_chunks()
    chunks = getattr(whole, "chunks", [whole])
    lengths: np.ndarray = np.concatenate([np.diff(np.asarray(chunk.offsets)) for chunk in chunks])
    out = np.zeros((len(lengths), 1 + int(lengths.max(initial=0))), np.float64)
    out[:, 0] = lengths
    inside = np.arange(out.shape[1] - 1) < lengths[:, None]
    out[:, 1:][inside] = np.concatenate([chunk.flatten().to_numpy(zero_copy_only=False) for chunk in chunks])
    return out


def _list(row: np.ndarray) -> tuple[float, ...]:
    return tuple(row[1 : 1 + int(row[0])].tolist())
