"""Into the tree: a staged session appears by one rename, whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from trialbids.mappings.predictions import MODEL

from .dataset import PARTS

INCOMING = ".incoming-"


def commit(staged: Path, target: Path) -> None:
    """Put a staged folder in the place of ``target``, which may hold an older one.

    Its bytes are on the disk before its name is, so that a loss of power leaves no session with empty files. Between
    the two renames the session is absent, which is a valid tree; what is left of a kill is cleared by
    :func:`clear_leftovers`.
    """
    is_new = not target.parent.exists()
    target.parent.mkdir(parents=True, exist_ok=True)
    incoming = _beside(staged, target)
    _sync_all(incoming)
    if target.is_symlink():
        target.unlink()  # none of ours: what it leads to is not touched
    elif target.exists():
        old = target.with_name(f"{INCOMING}old-{target.name}")
        target.rename(old)
        incoming.rename(target)
        shutil.rmtree(old)
    else:
        incoming.rename(target)
    _sync(target.parent)
    if is_new:
        _sync(target.parent.parent)


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


def predicted_parts(root: Path) -> list[str]:
    """The parts of the tree with what models said, ``derivatives/<model>``: they follow their sessions out of it."""
    return [f"derivatives/{path.name}" for path in root.glob("derivatives/*") if MODEL.fullmatch(path.name)]


def sessions_in(root: Path) -> set[tuple[str, str]]:
    """The labels of subject and session of every session that lies in a part of the tree."""
    found = (path for part in PARTS for path in (root / part).glob("sub-*/ses-*"))
    return {
        (path.parent.name.removeprefix("sub-"), path.name.removeprefix("ses-"))
        for path in found
        if path.is_dir() and not path.is_symlink()
    }


def clear_leftovers(root: Path) -> None:
    """Remove what a killed run left behind: folders on their way in or out, and half-written tables."""
    below = ("", "sub-*/", "derivatives/*/sub-*/", "sourcedata/sub-*/")
    for pattern in (f"{folder}{INCOMING}*" for folder in below):
        for path in root.glob(pattern):
            path.unlink() if path.is_symlink() else shutil.rmtree(path)
    for pattern in (".*.tmp", "*/.*.tmp", "derivatives/*/.*.tmp"):
        for path in root.glob(pattern):
            path.unlink()


def _sync_all(folder: Path) -> None:
    """All files below a folder, and the folders themselves, on disk."""
    for path in (*folder.rglob("*"), folder):
        _sync(path)


def _sync(path: Path) -> None:
    """What a file holds or a folder lists, on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
