"""Where a run may write: the output must be ours or empty, the work folder private, and nobody else at them."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .deidentify.key import KEY_FILE, PIN_FILE, key_places, load_key, load_or_make_key
from .deidentify.pseudonyms import Pseudonyms
from .errors import UsageError
from .trial import Trial

MARKER = ".trialbids"
LOCK = ".lock"
DESCRIPTION = "dataset_description.json"
PREPARED, DECIDED = "rotation.new", "rotation.ready"
"""Where a rotation of the key puts its files: one rename from the first to the second decides it."""

OF_ONE_KEY = ("sessions", "staging", "verified.tsv", "unsearched.json", "terms.json", "leaks.tsv")
"""What was made under one key and is good for no other."""


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
    _check_secrets(trial)
    if work.is_dir() and any(work.iterdir()) and not is_work_folder(work):
        raise UsageError(f"{trial.work}: is not empty and is no work folder of trialbids; give another with --work")
    if output.is_dir() and not _is_ours(output):
        raise UsageError(
            f"{trial.output}: is not empty and was not made by trialbids; give an empty folder or a new one"
        )


def _check_secrets(trial: Trial) -> None:
    """Refuse a key or a linkage table that would lie where others read: in the output, a source, a BIDS dataset."""
    shared = [("output", trial.output.resolve()), *(("source", source.resolve()) for source in trial.sources)]
    for path in (trial.work, *key_places(trial.work, trial.key)):
        real = path.resolve()
        what = "work folder is private" if path == trial.work else "key is secret"
        for name, folder in shared:
            if _inside(real, folder):
                raise UsageError(f"{path}: the {what} and may not lie inside the {name} {folder}; put it elsewhere")
        _refuse_in_dataset(path, what)


def _refuse_in_dataset(path: Path, what: str) -> None:
    root = next((folder for folder in path.resolve().parents if (folder / DESCRIPTION).is_file()), None)
    if root is not None:
        raise UsageError(f"{path}: the {what} and may not lie inside the BIDS dataset {root}; put it elsewhere")


def is_work_folder(work: Path) -> bool:
    """Whether a folder was made by a run of ours."""
    return any((work / name).is_file() for name in (LOCK, KEY_FILE, PIN_FILE))


def _is_ours(output: Path) -> bool:
    """Is the folder empty but for our marker, or marked with a key?"""
    marker = output / MARKER
    if not any(path != marker for path in output.iterdir()):
        return True
    return bool(tree_key(output))


def _inside(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents


@contextmanager
def workplace(trial: Trial) -> Iterator[Pseudonyms]:
    """The private work folder, made if need be and held for one run; yields the trial's pseudonyms.

    Raises ``UsageError`` where the places may not be used or another run holds the folder.
    """
    check_places(trial)
    make_private(trial.work)
    with locked(trial.work):
        try:
            yield load_or_make_key(trial.work, trial.key)
        finally:
            close(trial.work)


def close(work: Path) -> None:
    """Let nobody but its owner read what lies in the work folder, should the folder itself ever be opened."""
    for folder, _, names in os.walk(work):
        os.chmod(folder, 0o700)  # noqa: PTH101 - a path object for every file costs more than the call
        for name in names:
            path = os.path.join(folder, name)  # noqa: PTH118
            if not os.path.islink(path):  # noqa: PTH114
                os.chmod(path, 0o600)  # noqa: PTH101


@contextmanager
def locked(work: Path) -> Iterator[None]:
    """Hold a work folder for one run; a rotation of the key that was interrupted is settled first.

    Raises ``UsageError`` where another run holds it.
    """
    with (work / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(f"{work}: another run uses this work folder; wait until it has ended") from error
        settle(work)
        yield


def settle(work: Path) -> None:
    """Undo a rotation of the key that was not decided when it was interrupted; carry one through that was."""
    shutil.rmtree(work / PREPARED, ignore_errors=True)
    ready = work / DECIDED
    if not is_halfway(work):
        return
    for name in OF_ONE_KEY:
        if (work / name).is_dir():
            shutil.rmtree(work / name)
        (work / name).unlink(missing_ok=True)
    for path in sorted(ready.iterdir()):
        path.replace(work / path.name)
    sync(work)
    ready.rmdir()


def is_halfway(work: Path) -> bool:
    """Whether a rotation of the key was decided and then interrupted: :func:`settle` ends it."""
    return (work / DECIDED).is_dir()


def sync(folder: Path) -> None:
    """Let the names in a folder reach the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_rotation(work: Path, file: Path | None = None) -> None:
    """Refuse a folder in which no key can be rotated, and a key that would lie in a BIDS dataset.

    Raises ``UsageError`` with one sentence.
    """
    if not is_work_folder(work):
        raise UsageError(f"{work}: is no work folder of trialbids; give the right one with --work")
    for path in key_places(work, file):
        _refuse_in_dataset(path, "key is secret")


def key_of(work: Path, file: Path | None = None) -> Pseudonyms:
    """The key of a work folder, for commands that only read.

    Raises ``UsageError`` where it is no work folder, has no key, or a rotation of it was interrupted.
    """
    if not is_work_folder(work):
        raise UsageError(f"{work}: is no work folder of trialbids; give the right one with --work")
    if is_halfway(work):
        raise UsageError(f"{work}: a rotation of its key was interrupted; run trialbids deid rotate to end it")
    return load_key(work, file)


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


def tree_key(root: Path) -> str:
    """The fingerprint of the key that a tree was made with, "" where it does not say."""
    try:
        return _key_of((root / MARKER).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return ""


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
