"""The state of everything below one participant's folder, as one short mark: equal marks, unchanged files."""

from __future__ import annotations

import hashlib
import marshal
import time
from dataclasses import dataclass, field
from typing import Any

from ..files.trees import Folder, Stamp, Tree, is_local

TICK = 50_000_000
"""ns within which a file system may give two changes of a file the same time."""
_PLAIN = 2
"""The version of ``marshal`` in which equal values give equal bytes: later ones write what is shared only once."""
COARSE = 2_000_000_000
"""The same for a file system that counts whole seconds (FAT, HFS+, some network shares)."""


@dataclass(slots=True)
class Survey:
    """The folders of one participant with all files that matter; ``mark`` is a digest of their names and states.

    ``unreadable`` are folders that could not be listed, with the reason; ``started`` is when listing began (ns).
    """

    folders: dict[str, Folder] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    mark: bytes = b""
    started: int = 0

    @property
    def young(self) -> bool:
        """Whether a file was changed so shortly before that the next change might leave the same state.

        The mark then proves nothing later on.
        """
        newest = max(
            (stamp for each in self.folders.values() for stamp in each.files.values()), key=_touched, default=()
        )
        return young(newest, self.started)


def survey(tree: Tree, folder: str) -> Survey:
    """List a participant's folder, its sessions and their datatypes. Raises ``FileNotFoundError`` where it is gone."""
    found = Survey(started=time.time_ns())
    top = _add(found, tree, folder, required=True)
    sessions = sessions_of(top)
    for name in top.folders:
        here = _add(found, tree, f"{folder}/{name}")
        if name in sessions:
            for datatype in here.folders:
                _add(found, tree, f"{folder}/{name}/{datatype}")
    state = [(each.path, each.folders, each.files) for each in found.folders.values()]
    found.mark = hashlib.blake2b(plain_bytes((state, found.unreadable)), digest_size=16).digest()
    return found


def plain_bytes(values: Any) -> bytes:
    """Lists, texts and numbers as bytes, the same for equal ones. As ``repr``, which would take as long as all else."""
    return marshal.dumps(values, _PLAIN)


def sessions_of(folder: Folder) -> list[str]:
    """The sessions among the folders of a participant."""
    return named(folder, "ses-")


def named(folder: Folder, start: str) -> list[str]:
    """The folders whose names are an entity with a label, such as ``sub-01``."""
    return [name for name in folder.folders if name.startswith(start) and name[len(start) :].isalnum()]


def _add(found: Survey, tree: Tree, path: str, *, required: bool = False) -> Folder:
    try:
        here = tree.listing(path)
    except OSError as error:
        if required and isinstance(error, FileNotFoundError | NotADirectoryError):
            raise FileNotFoundError(*error.args) from error
        found.unreadable[path] = f"the folder cannot be read ({error.strerror})"
        here = Folder(path)
    found.folders[path] = here
    return here


def young(stamp: Stamp, now: int) -> bool:
    """Whether a local file's status changed within the resolution of its file system, or in the future."""
    changed = _touched(stamp)
    return changed > now - (TICK if changed % 1_000_000 else COARSE)


def _touched(stamp: Stamp) -> int:
    """When the status of a local file changed (ns), 0 of another."""
    return int(stamp[3]) if is_local(stamp) else 0


def same_state(before: Stamp, now: Stamp) -> bool:
    """Whether a file is as it was: the same state, or one that differs by links, mode or owner only.

    Links, modes and owners move the time of status change, which then says nothing of the content.
    """
    if before == now:
        return True
    return is_local(before) and is_local(now) and before[:3] == now[:3] and before[4:] != now[4:]
