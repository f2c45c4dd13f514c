"""What a file holds, in a word that is the same wherever the tree lies."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..errors import ReadError
from ..files.places import Place, Url, file_system, reading, token_of

GZIP = b"\x1f\x8b"
TRAILER = 8
"""CRC-32 and length of the uncompressed bytes, at the end of a gzip file (RFC 1952, section 2.3.1)."""


class Content:
    """The content of the files of a tree by path, each looked at once; shared by a cohort and all its parts.

    ``sha256`` holds what the manifest knows: the hash of the voxels. What it does not know is told by the file itself:
    a ``.nii.gz`` by its length and its gzip trailer, which holds a checksum of all its bytes; anything else by a hash
    of the whole file; a file behind an address by what its file system says of its state.
    """

    def __init__(self, root: Place, sha256: Mapping[str, str]) -> None:
        self._root = root
        self._sha256 = sha256
        self._seen: dict[str, str] = {}

    def words(self, paths: Iterable[str]) -> dict[str, str]:
        """The word for each path. Raises :class:`ReadError` where a file is gone."""
        return {path: self._sha256.get(path) or self._seen.get(path) or self._look(path) for path in paths}

    def _look(self, path: str) -> str:
        place = self._root / path
        try:
            word = _state(place) if isinstance(place, Url) else _checksum(place)
        except OSError as error:
            raise ReadError(
                f"{place}: it was there when the tree was opened and cannot be read now ({error.strerror}); "
                "open the tree again."
            ) from error
        self._seen[path] = word
        return word


def trailer_of(path: Path) -> str | None:
    """Checksum and length of what a gzip file holds uncompressed, as its last bytes say, None for another file.

    Files with the same content have the same, however they were compressed; where two have the same, most probably
    their contents are. Raises ``OSError`` where it cannot be read.
    """
    with path.open("rb") as file:
        if file.read(len(GZIP)) != GZIP:
            return None
        file.seek(-TRAILER, 2)
        return file.read(TRAILER).hex()


def _state(url: Url) -> str:
    files, inner = file_system(url)
    with reading(url):
        return token_of(files.info(inner))


def _checksum(path: Path) -> str:
    if (trailer := trailer_of(path)) is not None:
        return f"{path.stat().st_size}:{trailer}"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
