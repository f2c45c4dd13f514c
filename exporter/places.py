"""Where a run may write: the output must be ours or empty, the work folder private, and nobody else at them."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .deidentify.pseudonyms import KEY_FILE, Pseudonyms, load_or_make_key
from .errors import UsageError
from .trial import Trial

MARKER = ".trialbids"
LOCK = ".lock"


def check_places(trial: Trial) -> None:
    """Refuse, before anything is touched, folders that may not be used. Raises ``UsageError`` with one sentence."""
    output, work = trial.output.resolve(), trial.work.resolve()
    if _inside(work, output):
        raise UsageError(
            f"{trial.work}: the work folder is private and may not lie inside the output; choose another with --work"
        )
    if _inside(output, work):
        raise UsageError(f"{trial.output}: the output may not lie inside the private work folder; choose another")
    for source in trial.sources:
        if not source.exists():
            raise UsageError(f"{source}: there is no such source; give a folder or file that exists")
        root = source.resolve()
        for folder, name in ((output, "output"), (work, "work folder")):
            if _inside(folder, root) or _inside(root, folder):
                raise UsageError(
                    f"{folder}: the {name} and the source {source} lie inside each other; put the {name} elsewhere"
                )
    for folder in (output, work):
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{folder}: is a file; give a folder")
    if work.is_dir() and any(work.iterdir()) and not any((work / name).is_file() for name in (LOCK, KEY_FILE)):
        raise UsageError(f"{trial.work}: is not empty and is no work folder of trialbids; give another with --work")
    if output.is_dir() and not _is_ours(output):
        raise UsageError(
            f"{trial.output}: is not empty and was not made by trialbids; give an empty folder or a new one"
        )


def _is_ours(output: Path) -> bool:
    """Is the folder empty but for our marker, or marked with a key?"""
    marker = output / MARKER
    if not any(path != marker for path in output.iterdir()):
        return True
    try:
        return bool(_key_of(marker.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError):
        return False


def _inside(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents


@contextmanager
def workplace(trial: Trial) -> Iterator[Pseudonyms]:
    """The private work folder, made if need be and held for one run; yields the trial's pseudonyms.

    Raises ``UsageError`` where the places may not be used or another run holds the folder.
    """
    check_places(trial)
    make_private(trial.work)
    with (trial.work / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(f"{trial.work}: another run uses this work folder; wait until it has ended") from error
        yield load_or_make_key(trial.work)


@contextmanager
def hold(trial: Trial, key_fingerprint: str) -> Iterator[None]:
    """Hold the output for one export.

    Raises ``UsageError`` where another export is at it, or where the tree was made with another key.
    """
    trial.output.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(trial.output / MARKER, os.O_RDWR | os.O_CREAT, 0o644)
    with os.fdopen(descriptor, "r+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(f"{trial.output}: another export is writing here; wait until it has ended") from error
        text = file.read()
        if not text:
            json.dump({"made by": "trialbids", "key": key_fingerprint}, file)
            file.flush()
        elif _key_of(text) != key_fingerprint:
            sentence = "was made with another secret key; use its own work folder, or a new output"
            raise UsageError(f"{trial.output}: {sentence}")
        yield


def _key_of(text: str) -> str:
    try:
        return str(json.loads(text)["key"])
    except (ValueError, KeyError, TypeError):
        return ""


def make_private(folder: Path) -> None:
    """Make a folder that only its owner reads. Raises ``UsageError`` where it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
    except OSError as error:
        raise UsageError(f"{folder}: the work folder cannot be made ({error.strerror})") from error
