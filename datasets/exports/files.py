"""The file of one key of a sample in an export: a link to the tree's own file, a copy, or a file written anew.

One rule for all exports: the voxels of an exported file, read with its slope and intercept, are the physical values
that the cohort serves, in the cohort's unit. A file that already says so is linked; what the cohort scales, joins or
chooses from is written anew, with the same values bit for bit.
"""

from __future__ import annotations

import csv
import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
from isal import igzip

from ..errors import ExportError, ReadError
from ..files.nifti import Header, read_header
from ..files.places import fetch
from ..files.tables import read_tsv
from ..reading.volumes import Piece, read_channels, read_pieces, read_union

if TYPE_CHECKING:
    from ..cohorts.cohort import Cohort

Sample = Mapping[str, Any]
NIFTI, TABLE = ".nii.gz", ".tsv"


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of one key of a sample.

    ``path`` is the exported file, None where the sample has none (a key that is missing and to be masked). ``anew``
    why the file is not the tree's own, "" where it is.
    """

    path: Path | None
    anew: str = ""


def check_own_grids(cohort: Cohort) -> None:
    """Raise :class:`ExportError` for a cohort that resamples: a file that is linked lies on its own grid."""
    if cohort.resample is not None:
        raise ExportError(
            "This format holds every image on its own grid; make the cohort without grid=Resample(…) and resample when "
            "the files are read, or take the format monai, auto3dseg, nnunet, torchio or tsv."
        )


def listed(sample: Sample, key: str) -> list[str]:
    """The paths that are read for a key, none where it is missing."""
    value = sample[key]
    return [str(path) for path in value] if isinstance(value, list | tuple) else [str(value)] if value else []


def extension(sample: Sample, key: str) -> str:
    """How the name of the exported file ends: ``.nii.gz``, or ``.tsv`` for boxes and points."""
    return TABLE if f"{key}.table" in sample else NIFTI


def place(sample: Sample, key: str, target: Path, *, copy: bool = False) -> Placed:
    """Put the file of one key at ``target``, which ends as :func:`extension` says; its folder is made.

    A link is symbolic and absolute. With ``copy``, for a tree that is not on this machine, and where the file system
    has no links, it is a copy. Raises :class:`ReadError` naming participant, session and file.
    """
    with _named(sample, key):
        files, local = _files(sample, key)
        if not files:
            return Placed(None)
        target.parent.mkdir(parents=True, exist_ok=True)
        reason = why_anew(sample, key, files)
        if reason:
            write_whole(target, _anew(sample, key, files))
        else:
            _same(files[0], target, copy=copy or not local)
    return Placed(target, reason)


def content(sample: Sample, key: str) -> tuple[bytes | None, str]:
    """The bytes that :func:`place` would put there, None where the key is missing, and why they are written anew.

    Raises :class:`ReadError` naming participant, session and file.
    """
    with _named(sample, key):
        files, _ = _files(sample, key)
        if not files:
            return None, ""
        reason = why_anew(sample, key, files)
        try:
            return (_anew(sample, key, files) if reason else files[0].read_bytes()), reason
        except OSError as error:
            raise ReadError(f"{files[0]}: cannot be read ({error.strerror}).") from error


def _files(sample: Sample, key: str) -> tuple[list[Path], bool]:
    """The files of a key on this machine, and whether they are the tree's own and no passing copies."""
    paths = listed(sample, key)
    files = [fetch(path) for path in paths]
    return files, all(str(file) == path for file, path in zip(files, paths, strict=True))


@contextmanager
def _named(sample: Sample, key: str) -> Iterator[None]:
    """Say whose file it is that cannot be read."""
    try:
        yield
    except ReadError as error:
        who = " ".join(str(sample[name]) for name in ("participant_id", "session_id") if sample.get(name))
        raise ReadError(f"{who or sample['sample_id']}: {key}: {error}") from error


def _anew(sample: Sample, key: str, files: Sequence[Path]) -> bytes:
    if extension(sample, key) == TABLE:
        return _rows(files[0], sample[f"{key}.rows"])
    return nifti_bytes(*read_key(sample, key, files), files[0])


def why_anew(sample: Sample, key: str, files: Sequence[Path]) -> str:
    """Why the tree's own file does not hold what the cohort serves, "" where it does."""
    if extension(sample, key) == TABLE:
        return "some of its rows" if sample.get(f"{key}.rows") else ""
    if len(files) > 1:
        return "the union of several masks" if sample.get(f"{key}.union") else "several files as one"
    if sample.get(f"{key}.indices"):
        return "regions of a label map"
    factor = sample.get(f"{key}.factor", 1.0)
    if any(each != 1.0 for each in (factor if isinstance(factor, list | tuple) else (factor,))):
        return f"scaled to {sample.get(f'{key}.unit') or 'the unit of the cohort'}"
    volumes = sample.get(f"{key}.volumes")
    if volumes is not None and list(volumes) != list(range(int(np.prod(read_header(files[0]).shape[3:])))):
        return "some of its volumes"
    return "" if files[0].name.endswith(NIFTI) else "compressed"


def read_key(sample: Sample, key: str, files: Sequence[Path]) -> tuple[np.ndarray, Header]:
    """The voxels of a key as the cohort serves them, ``[X, Y, Z]`` or ``[X, Y, Z, N]``, and the first file's header.

    They are read as a dataset reads them, types included. Raises :class:`ReadError` for a damaged file, or one with
    another grid than the first.
    """
    factor, volumes = sample.get(f"{key}.factor", 1.0), sample.get(f"{key}.volumes")
    if sample.get(f"{key}.union"):
        array, header = read_union(files)
    elif isinstance(factor, list | tuple):  # one a file
        array, header = read_pieces(
            [Piece(*given) for given in zip(files, factor, volumes or repeat(None, len(files)), strict=True)]
        )
    else:
        array, header = read_channels(files, float(factor), volumes)
    if indices := sample.get(f"{key}.indices"):
        array = np.isin(array, indices).astype(np.uint8)
    return np.asfortranarray(array[0] if len(array) == 1 else np.moveaxis(array, 0, -1)), header


def nifti_bytes(array: np.ndarray, header: Header, like: Path) -> bytes:
    """A ``.nii.gz`` of these values, unscaled, with the geometry of ``like``; the same bytes each time."""
    template: Any = nib.load(like)
    head = template.header.copy()
    head["cal_max"] = head["cal_min"] = 0  # the window of other values
    zooms = header.zooms[:3] if array.ndim < 4 or len(header.shape) > 3 else (*header.zooms[:3], 0.0)
    image = type(template)(array, header.affine, head, dtype=array.dtype)
    if array.ndim == 4 and len(header.shape) == 3:
        image.header.set_zooms(zooms)
    return igzip.compress(image.to_bytes(), mtime=0)


def _rows(path: Path, labels: Sequence[str]) -> bytes:
    """The rows of a table of boxes or points with one of ``labels``, with its header."""
    rows = read_tsv(path)
    columns = path.read_text(encoding="utf-8-sig").partition("\n")[0].rstrip("\r").split("\t")
    out = io.StringIO()
    writer = csv.DictWriter(
        out, columns, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None, extrasaction="ignore"
    )
    writer.writeheader()
    writer.writerows(row for row in rows if (row.get("label") or "").strip() in labels)
    return out.getvalue().encode()


def _same(source: Path, target: Path, *, copy: bool) -> None:
    """The tree's own file: a symbolic link, or a copy."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".") as folder:
        part = Path(folder) / "part"
        try:
            _put(source, part, copy=copy)
        except OSError as error:
            raise ReadError(f"{source}: it cannot be copied to {target} ({error.strerror}).") from error
        part.replace(target)


def _put(source: Path, part: Path, *, copy: bool) -> None:
    if not copy:
        try:
            part.symlink_to(source.absolute())
            return
        except OSError:  # a file system without links
            pass
    shutil.copyfile(source, part)


def write_whole(target: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all; its folder is made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    write_by(target, lambda part: part.write_bytes(content))


def write_by(target: Path, write: Callable[[Path], object]) -> None:
    """Have a file written beside ``target`` and put it there when it is whole."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(handle)
    part = Path(name)
    try:
        write(part)
        part.chmod(0o644)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
