"""Into the tree: a staged session appears by one rename, whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

INCOMING = ".incoming-"


def commit(staged: Path, target: Path) -> None:
    """Put a staged folder in the place of ``target``, which may hold an older one.

    Between the two renames the session is absent, which is a valid tree; what is left of a kill is cleared by
    :func:`clear_leftovers`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    incoming = _beside(staged, target)
    if target.exists():
        old = target.with_name(f"{INCOMING}old-{target.name}")
        target.rename(old)
        incoming.rename(target)
        shutil.rmtree(old)
    else:
        incoming.rename(target)
    _sync(target.parent)


def _beside(staged: Path, target: Path) -> Path:
    """The staged folder where one rename can move it: on the target's file system."""
    incoming = target.with_name(f"{INCOMING}{target.name}")
    if incoming.exists():
        shutil.rmtree(incoming)
    try:
        staged.rename(incoming)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.copytree(staged, incoming)
        shutil.rmtree(staged)
    return incoming


def withdraw(target: Path) -> None:
    """Take a folder out of the tree, and its parent too where that leaves it without sessions."""
    if target.exists():
        old = target.with_name(f"{INCOMING}old-{target.name}")
        target.rename(old)
        shutil.rmtree(old)
    parent = target.parent
    if parent.is_dir() and not any(parent.glob("ses-*")):
        shutil.rmtree(parent)


def clear_leftovers(root: Path) -> None:
    """Remove what a killed run left behind: folders on their way in or out, and half-written tables."""
    for pattern in (f"{INCOMING}*", f"sub-*/{INCOMING}*", f"derivatives/*/sub-*/{INCOMING}*"):
        for path in root.glob(pattern):
            shutil.rmtree(path)
    for pattern in (".*.tmp", "*/.*.tmp", "derivatives/*/.*.tmp"):
        for path in root.glob(pattern):
            path.unlink()


def _sync(folder: Path) -> None:
    """The rename itself on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
