"""The leak guard: what belongs together may not stand on two sides of a split."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..cohorts.cohort import Cohort
from ..errors import LeakError, ReadError, listing
from ..files.nifti import read_header
from ..files.places import fetch
from .bundles import Tie
from .table import Table

RAW = "sub-"
"""Images of the tree itself; masks of several people can well be the same, for instance empty."""


def check_table(table: Table, ties: Iterable[Tie]) -> None:
    """Raise :class:`LeakError` naming all participants that are tied and stand in two parts of one fold."""
    lines: list[str] = []
    for tie in ties:
        known = [name for name in tie.participants if name in table.words]
        for number, fold in enumerate(table.names):
            sides: dict[str, str] = {}
            for name in known:
                sides.setdefault(table.words[name][number], name)
            if len(sides) > 1:
                where = ", ".join(f"{name} is {word}" for word, name in sides.items())
                lines.append(f"{where} in {fold}: {tie.reason}")
                break
    if lines:
        raise LeakError(
            f"{len(lines)} leaks between the parts. Say who belongs together with groups= or aliases= and split again, "
            f"or leave one of them out by where=:\n{listing(lines)}"
        )


def ties_of_content(cohort: Cohort, content: bool = False) -> list[Tie]:
    """Participants who have the same image, under two names, or images of one study.

    Images are the same where the hash of their voxels is. With ``content`` the voxels of those whose hash the tree
    does not know are hashed, of images whose shape and type another participant's image has too.
    """
    hashes = {path: digest for path, digest in cohort.identities.items() if path.startswith(RAW)}
    if content:
        hashes |= _hashed(cohort, hashes)
    same = _shared(hashes, "the same voxels")
    return [*same, *_shared(cohort.studies, "the same study")]


def _shared(values: Mapping[str, str], words: str) -> list[Tie]:
    """The ties of participants who share a value, given by the path of an image."""
    paths: dict[str, dict[str, str]] = {}
    for path, value in values.items():
        if value:
            paths.setdefault(value, {}).setdefault(path.partition("/")[0], path)
    return [
        Tie(f"{words} in {' and '.join(people.values())}", tuple(people))
        for people in paths.values()
        if len(people) > 1
    ]


def _hashed(cohort: Cohort, known: Mapping[str, str]) -> dict[str, str]:
    """The hashes that are not known, of images that could be the same as another participant's."""
    alike: dict[tuple[object, ...], dict[str, Path]] = {}
    for path in cohort.files:
        if path.startswith(RAW):
            local = fetch(f"{cohort.root}/{path}")
            header = read_header(local)
            alike.setdefault((header.shape, str(header.dtype)), {})[path] = local
    found: dict[str, str] = {}
    for places in alike.values():
        if len({path.partition("/")[0] for path in places}) > 1:
            found |= {path: voxels_sha256(local) for path, local in places.items() if path not in known}
    return found


def voxels_sha256(path: Path) -> str:
    """The hash of the stored voxels as the manifest has it: of the uncompressed bytes behind the header.

    Raises :class:`ReadError` naming the file.
    """
    offset = read_header(path).offset
    try:
        data = path.read_bytes()
        body = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError, zlib.error) as error:
        raise ReadError(f"{path}: the image cannot be read ({error}); restore the file or export it again.") from error
    return hashlib.sha256(memoryview(body)[offset:]).hexdigest()
