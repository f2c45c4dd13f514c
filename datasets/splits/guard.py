"""The leak guard: what belongs together may not stand on two sides of a split."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Callable, Hashable, Iterable, Mapping
from pathlib import Path

from ..cohorts.cohort import Cohort
from ..cohorts.content import trailer_of
from ..errors import LeakError, ReadError, listing
from ..files.nifti import read_header
from ..files.places import fetch
from .bundles import Tie
from .table import Table

_PIECE = 1 << 16
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

    Images are the same where the hash of their voxels is. Those whose hash the tree does not know are hashed where
    they may be another participant's: where the whole file has the same checksum, as the end of a ``.nii.gz`` tells, or
    with ``content`` where shape and type are the same (:func:`not_compared` says what is left out without).
    """
    hashes = {path: digest for path, digest in cohort.identities.items() if path.startswith(RAW)}
    hashes |= _hashed(cohort, hashes, _form if content else _checksum)
    same = _shared(hashes, "the same voxels")
    return [*same, *_shared(cohort.studies, "the same study")]


def not_compared(cohort: Cohort) -> list[str]:
    """What of the images cannot be told to be the same without reading them all, in words; [] where nothing is left.

    In a tree without a manifest an image may be there under two names with another header, or in a file that is not
    compressed or lies behind an address.
    """
    raw = [path for path in cohort.files if path.startswith(RAW)]
    unknown = sum(path not in cohort.identities for path in raw)
    if not unknown:
        return []
    told = " beyond whole files that are the same" if isinstance(cohort.root, Path) else ""
    return [
        f"{unknown} of {len(raw)} images have no hash of their voxels in the tree, and were not compared with those of "
        f"other participants{told}; check(content=True) reads and compares them"
    ]


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


def _hashed(
    cohort: Cohort, known: Mapping[str, str], likeness: Callable[[Cohort, str], Hashable | None]
) -> dict[str, str]:
    """The hashes that are not known, of images that are alike another participant's.

    With some hashes known, every image is a candidate for those that are not.
    """
    raw = [path for path in cohort.files if path.startswith(RAW)]
    alike: dict[Hashable, list[str]] = {}
    for path in raw if len(known) < len(raw) else ():
        if (word := likeness(cohort, path)) is not None:
            alike.setdefault(word, []).append(path)
    return {
        path: voxels_sha256(fetch(f"{cohort.root}/{path}"))
        for paths in alike.values()
        if len({path.partition("/")[0] for path in paths}) > 1
        for path in paths
        if path not in known
    }


def _form(cohort: Cohort, path: str) -> Hashable:
    """Shape and type of the voxels."""
    header = read_header(fetch(f"{cohort.root}/{path}"))
    return header.shape, str(header.dtype)


def _checksum(cohort: Cohort, path: str) -> str | None:
    """What a copy of a file has in common with it, cheaply; None where it is not at hand.

    Of a compressed file it is the checksum at its end; of another its size and what stands in its middle.
    """
    if not isinstance(cohort.root, Path):
        return None
    try:
        return trailer_of(cohort.root / path) or _middle(cohort.root / path)
    except OSError as error:
        raise ReadError(f"{cohort.root / path}: cannot be read ({error.strerror}); open the tree again.") from error


def _middle(path: Path) -> str:
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(size // 2)
        return f"{size} {hashlib.sha256(file.read(_PIECE)).hexdigest()}"


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
