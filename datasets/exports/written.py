"""What an export has written, and where it may write."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import ExportError
from ..files.places import Place, place_of


@dataclass(frozen=True, slots=True)
class Written:
    """What an export came to: the file or folder, how many samples and files are in it, and what a reader must know.

    ``notes`` are sentences: what the other format cannot hold, what was written anew instead of linked.
    """

    folder_or_file: Path
    samples: int
    files: int
    notes: tuple[str, ...] = ()


def new_place(out: Path, root: str | Place) -> Path:
    """Where an export may write: ``out`` in full, which is not there yet (an empty folder may be) and not in the tree.

    A list or a copy inside the tree of ``root`` would be released with it, and taken for data by the next index.
    Raises :class:`ExportError` where ``out`` is there already, lies in the tree, or has a file for a parent.
    """
    place, tree = out.absolute(), place_of(root)
    if isinstance(tree, Path) and place.resolve().is_relative_to(tree.resolve()):
        raise ExportError(f"{out}: lies inside the BIDS tree {root}; give a place outside of it.")
    if place.is_symlink() or (place.exists() and not (place.is_dir() and not any(place.iterdir()))):
        raise ExportError(f"{out}: is there already; give a new place, or remove it first.")
    first = next(parent for parent in place.parents if parent.exists())
    if not first.is_dir():
        raise ExportError(f"{out}: {first} is a file, not a folder; give another place.")
    return place
