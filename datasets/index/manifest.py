"""Header facts from ``curation/manifest.parquet``, believed only while they fit the files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ReadError
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
        self._written_ns = int(state[1]) if state else 0
        self._place: dict[str, int] = {}
        self._texts: dict[tuple[Any, ...], str] = {}
        if table is not None:
            self._lists = [_distinct(table.column(name)) for name in _LISTS]
            self._dtypes = table.column("dtype")
            self._voxels = table.column("voxels_sha256")
            self._bytes = table.column("file_bytes").to_numpy()
            self._scale = [table.column(name).to_numpy() for name in ("slope", "inter")]
            self._place = {path: number for number, path in enumerate(table.column("path").to_pylist())}

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

    def facts(self, path: str, stamp: Stamp) -> tuple[str, str] | None:
        """Geometry (as JSON) and hash of the voxels of one image, or None where its header must be read.

        That is so where the image is not listed, has another size, or was written after the manifest; behind an
        address the times are those of the upload, in any order, and say nothing.
        """
        n = self._place.get(path)
        if n is None or not stamp:
            return None
        later = is_local(stamp) and int(stamp[1]) > self._written_ns
        if later or stamp[0] != self._bytes[n]:
            return None
        scale = (float(self._scale[0][n]), float(self._scale[1][n]))
        key = (*(int(codes[n]) for codes, _ in self._lists), self._dtypes[n].as_py(), *scale)
        if (text := self._texts.get(key)) is None:
            shape, zooms, affine = (_list(rows[codes[n]]) for codes, rows in self._lists)
            whole = tuple(int(size) for size in shape)
            text = self._texts[key] = geometry_text((whole, zooms, affine, str(key[3]), *scale))
        return text, str(self._voxels[n].as_py() or "")


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
