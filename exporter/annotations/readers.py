"""Readers by code: a name never leaves, and a code once given stays."""

from __future__ import annotations

from pathlib import Path

from trialbids.mappings.titles import name_words

from ..tables import plain, read_tsv, tsv_bytes, write_private

NOBODY = "R0"
"""The code of a reader who is not named. It is nobody's: what nobody signed is not called the work of one reader."""

READERS_FILE = "readers.tsv"
COLUMNS = ("code", "reader")


class Readers:
    """The readers of a trial, R1, R2 … in the order of first appearance; algorithms are readers too.

    ``Black^Anna^^Dr`` of a DICOM object and ``Anna Black`` of a table are one reader: the same words in any order, but
    for titles.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._codes = {r["reader"]: r["code"] for r in read_tsv(path)} if path.exists() else {}
        self._n_known = len(self._codes)
        self._by_words: dict[tuple[str, ...], str] = {}
        for known, code in self._codes.items():
            self._know(known, code)

    def code(self, name: str) -> str:
        """The code of a name; :data:`NOBODY` where there is none."""
        name = plain(name).strip()
        if not name:
            return NOBODY
        if name in self._codes:
            return self._codes[name]
        found = next((self._by_words[words] for words in name_words(name) if words in self._by_words), None)
        if found is None:
            found = self._codes[name] = f"R{len(self._codes) + 1}"
            self._know(name, found)
        return found

    def _know(self, name: str, code: str) -> None:
        """Find the code by the name's words from now on, unless they are another's already."""
        for words in name_words(name):
            self._by_words.setdefault(words, code)

    def write(self) -> None:
        """Keep the codes in the private work folder, where there are any new ones."""
        if len(self._codes) != self._n_known:
            rows = [{"code": code, "reader": name} for name, code in self._codes.items()]
            write_private(self._path, tsv_bytes(COLUMNS, rows))
