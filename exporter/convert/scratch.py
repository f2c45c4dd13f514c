"""Where converters write: memory where there is room, and never left behind."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from multiprocessing.util import Finalize
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 4 * 2**30
NAME = re.compile(r"^trialbids-(\d+)-")


def scratch_folder(private: Path, memory: Path = MEMORY, room: int = ROOM) -> Path:
    """A new folder (mode 0700) of this process, in ``memory`` if that has ``room`` bytes free, else in ``private``.

    It is removed when the process ends, and folders that killed processes of this user left behind are removed now.
    """
    private.mkdir(mode=0o700, parents=True, exist_ok=True)
    for place in (memory, private):
        sweep(place)
    folder = Path(
        tempfile.mkdtemp(prefix=f"trialbids-{os.getpid()}-", dir=memory if has_room(memory, room) else private)
    )
    # Finalize and not atexit: worker processes leave without the latter.
    Finalize(None, shutil.rmtree, args=(folder,), kwargs={"ignore_errors": True}, exitpriority=0)
    return folder


def has_room(folder: Path, room: int) -> bool:
    """Whether the folder can be written and has ``room`` bytes free."""
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK) and shutil.disk_usage(folder).free >= room


def sweep(place: Path) -> None:
    """Remove scratch folders of this user whose process is gone."""
    if not place.is_dir():
        return
    for folder in place.glob("trialbids-*-*"):
        match = NAME.match(folder.name)
        if match and not is_running(int(match[1])) and is_ours(folder):
            shutil.rmtree(folder, ignore_errors=True)


def is_ours(folder: Path) -> bool:
    """Whether this user owns the folder, and it is one, not a link."""
    try:
        return not folder.is_symlink() and folder.is_dir() and folder.stat().st_uid == os.getuid()
    except OSError:
        return False


def is_running(pid: int) -> bool:
    """Whether a process of this number exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
