"""The unit of work of a scan: some files, and what they gave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from .find import Found
from .instance import Instance
from .layouts import Layout
from .table import to_table
from .unreadable import Unreadable


@dataclass(frozen=True, slots=True)
class Batch:
    """The result of one unit of work, as it travels between processes: instances as an Arrow table.

    ``layouts`` are the sets of attributes that the instances name, ``retry`` the files that the operating system
    refused; they must be tried again on the next run.
    """

    table: pa.Table
    unreadable: tuple[Unreadable, ...]
    retry: frozenset[str]
    layouts: tuple[Layout, ...] = ()


def read_batch(files: Sequence[Found]) -> Batch:
    """Read some files. Never raises for what is in them."""
    from .reading import read_files  # pydicom: only workers need it

    return read_files(files)


def given_up(files: Sequence[Found]) -> Batch:
    """The result of files that end the process that reads them. They are tried again on the next run."""
    message = "Reading it ends the process: it is damaged, or memory runs out. Run with fewer workers, or leave it out."
    listed = tuple(Unreadable(path=found.path, reason="corrupt", message=message) for found in files)
    return Batch(to_table(Instance, []), listed, frozenset(found.path for found in files))


def weigh(found: Found) -> int:
    """How much work a file may be: its head, or the whole of it where it may be an archive."""
    return found.size if found.path[-5:].lower().endswith(_ARCHIVE_SUFFIXES) else min(found.size, 262_144)


_ARCHIVE_SUFFIXES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz2", ".xz", ".txz", ".zst", ".tzst")
"""Only to share the work out evenly: what a file is, its content says."""
