"""Readers by code: a name never leaves, and a code once given stays."""

from __future__ import annotations

from pathlib import Path

from trialbids.mappings.labels import plain_words

from ..tables import plain, read_tsv, tsv_bytes, write_private

NOBODY = "R0"
"""The code of a reader who is not named. It is nobody's: what nobody signed is not called the work of one reader."""

READERS_FILE = "readers.tsv"
COLUMNS = ("code", "reader")


class Readers:
    """The readers of a trial, R1, R2 … in the order of first appearance; algorithms are readers too.

    ``Black^Anna`` of a DICOM object and ``Anna Black`` of a table are one reader: the same words in any order.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._codes = {r["reader"]: r["code"] for r in read_tsv(path)} if path.exists() else {}
        self._n_known = len(self._codes)
        self._by_words = {_words(name): code for name, code in reversed(self._codes.items())}

    def code(self, name: str) -> str:
        """The code of a name; :data:`NOBODY` where there is none."""
        name = plain(name).strip()
        if not name:
            return NOBODY
        if name in self._codes:
            return self._codes[name]
        words = _words(name)
        if not words or words not in self._by_words:
            self._codes[name] = f"R{len(self._codes) + 1}"
            self._by_words[words] = self._codes[name]
        return self._codes.get(name) or self._by_words[words]

    def write(self) -> None:
        """Keep the codes in the private work folder, where there are any new ones."""
        if len(self._codes) != self._n_known:
            rows = [{"code": code, "reader": name} for name, code in self._codes.items()]
            write_private(self._path, tsv_bytes(COLUMNS, rows))


def _words(name: str) -> tuple[str, ...]:
    return tuple(sorted(plain_words(name).split()))
