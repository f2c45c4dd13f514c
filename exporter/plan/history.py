"""The plans once written: an edited copy is read against the one that it was made from, however old it is."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from ..tables import write_atomic

MOST = 20
"""How many plans are remembered; the oldest are forgotten."""


def remember(folder: Path, data: bytes) -> None:
    """Keep the bytes of a plan as the newest; a plan that is kept already is not kept twice."""
    folder.mkdir(exist_ok=True, mode=0o700)
    name = _name(data)
    kept = _files(folder)
    number = int(kept[-1].name.split("-")[0]) + 1 if kept else 1
    place = folder / f"{number:06d}-{name}.tsv.gz"
    again = [path for path in kept if path.name.split("-")[1].startswith(name)]
    if again:
        if again[-1] != kept[-1]:
            again[-1].replace(place)
        return
    write_atomic(place, gzip.compress(data, compresslevel=6, mtime=0))
    for path in kept[: max(0, len(kept) + 1 - MOST)]:
        path.unlink()


def remembered(folder: Path) -> Iterator[list[dict[str, str]]]:
    """The plans of the folder, the newest first; one that cannot be read is passed over."""
    for path in reversed(_files(folder)):
        try:
            yield _rows(gzip.decompress(path.read_bytes()).decode("utf-8"))
        except (OSError, EOFError, zlib.error, ValueError):
            continue


def rescue(path: Path, folder: Path) -> Path | None:
    """Keep a plan that a person has edited where it lies, before it is written anew: gives where it is kept.

    None where the file is one that was written and not changed since.
    """
    written = {file.name.split("-")[1].partition(".")[0] for file in _files(folder)}
    if not written or not path.is_file() or _name(path.read_bytes()) in written:
        return None
    names = (path.with_name(f"{path.stem}.edited-{n}{path.suffix}") for n in count(1))
    kept = next(name for name in names if not name.exists())
    path.replace(kept)
    return kept


def _name(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _rows(text: str) -> list[dict[str, str]]:
    head, *lines = text.split("\n")
    return [dict(zip(head.split("\t"), line.split("\t"), strict=True)) for line in lines if line]


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.tsv.gz") if path.name[:6].isdigit() and path.name[6] == "-")
