"""The images of a sample as channels of one array, as MONAI's ``image`` and nnU-Net's numbered files want them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ExportError, ReadError
from ..files.nifti import Header, read_header
from ..files.places import fetch
from .files import Sample, listed

GRID_TOLERANCE = 1e-3
"""How far two affines may be apart in mm; nnU-Net and SimpleITK accept less than that as equal."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One 3D volume: what it is called, and how it is read: ``sample`` has this one volume as its ``key``."""

    name: str
    key: str
    sample: Sample
    header: Header


def channels(sample: Sample, keys: Sequence[str]) -> list[Channel]:
    """The volumes of all ``keys`` in order, each for itself: the phases of a DCE, the b-values of a diffusion image.

    Raises :class:`ExportError` naming participant and session where a key is missing.
    """
    return [channel for key in keys for channel in _of_key(sample, key)]


def _of_key(sample: Sample, key: str) -> list[Channel]:
    paths = listed(sample, key)
    if not paths:
        raise ExportError(
            f"{who(sample)}: {key} is missing, and this format has no way to say so; ask for missing='drop'."
        )
    headers = {path: header_of(sample, path) for path in dict.fromkeys(paths)}
    volumes = sample.get(f"{key}.volumes")
    if volumes is None:
        places = [(path, n) for path in paths for n in range(count(headers[path]))]
    elif len(paths) == 1:
        places = [(paths[0], int(n)) for n in volumes]
    else:
        places = [(path, int(n)) for path, n in zip(paths, volumes, strict=True)]
    single = len(places) == 1
    return [
        Channel(
            key if single else f"{key}_{position}",
            key,
            _one(sample, key, path, n, headers[path]),
            headers[path],
        )
        for position, (path, n) in enumerate(places)
    ]


def _one(sample: Sample, key: str, path: str, volume: int, header: Header) -> dict[str, Any]:
    """The sample with one volume of one file as its ``key``."""
    chosen = {**sample, key: path}
    chosen.pop(f"{key}.volumes", None)
    factor = sample.get(f"{key}.factor", 1.0)
    if isinstance(factor, list | tuple):  # one a file
        chosen[f"{key}.factor"] = factor[listed(sample, key).index(path)]
    return chosen if count(header) == 1 else {**chosen, f"{key}.volumes": (volume,)}


def count(header: Header) -> int:
    """How many volumes a file holds."""
    return int(np.prod(header.shape[3:]))


def header_of(sample: Sample, path: str | Path) -> Header:
    """The header of one file. Raises :class:`ReadError` naming participant and session."""
    with naming(sample):
        return read_header(fetch(str(path)))


def grids_apart(first: Header, other: Header) -> bool:
    """Whether two files lie on different voxel grids."""
    same = first.shape[:3] == other.shape[:3]
    return not (same and np.allclose(first.affine, other.affine, atol=GRID_TOLERANCE, rtol=1e-5))


@contextmanager
def naming(sample: Sample, key: str = "") -> Iterator[None]:
    """Say whose file it is that cannot be read: participant, session and key before the message."""
    try:
        yield
    except ReadError as error:
        raise ReadError(": ".join(filter(None, (who(sample), key, str(error))))) from error


def who(sample: Sample) -> str:
    """Participant and session, for messages."""
    words = [str(sample[key]) for key in ("participant_id", "session_id") if sample.get(key)]
    return " ".join(words) or str(sample["sample_id"])
