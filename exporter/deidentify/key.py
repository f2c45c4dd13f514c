"""The secret key of a trial: where it lies, how it is made on first use, and that a work folder keeps to one."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..tables import write_private
from .pseudonyms import Pseudonyms

KEY_FILE = "secret.key"
PIN_FILE = "key.fingerprint"
LINKAGE_FILE = "linkage.tsv"
KEY_VARIABLE, FILE_VARIABLE = "TRIALBIDS_KEY", "TRIALBIDS_KEY_FILE"
KEY_BYTES = 32
FEWEST_DISTINCT = 8
"""Of 32 random bytes fewer are distinct once in 10^37 keys: such a key was typed, not drawn."""


@dataclass(frozen=True, slots=True)
class Given:
    """A key and the place that it was given at, as a sentence names it. ``own`` where that is the work folder."""

    place: str
    pseudonyms: Pseudonyms
    own: bool = False


def load_or_make_key(work: Path, file: Path | None = None, environ: Mapping[str, str] | None = None) -> Pseudonyms:
    """The key of a work folder: as it is given, or else made in it on first use with mode 0600.

    Raises ``UsageError`` as :func:`load_key` does, but for the first use of a folder.
    """
    if not _was_used(work) and not given_keys(work, file, environ):
        write_private(work / KEY_FILE, new_key_text().encode())
    pseudonyms = load_key(work, file, environ)
    if not _was_used(work):  # a folder that lost its mark is marked again when the linkage proves the key right
        pin(work, pseudonyms)
    return pseudonyms


def load_key(work: Path, file: Path | None = None, environ: Mapping[str, str] | None = None) -> Pseudonyms:
    """The key that a work folder was made with; nothing is written.

    It is given by ``file`` (``key`` of trial.yaml), by an environment variable, or lies in the folder. Raises
    ``UsageError`` where there is none, one cannot be used, two differ, or it is not the one that the folder was made
    with.
    """
    keys = given_keys(work, file, environ)
    if not keys:
        raise UsageError(_lost(work))
    first = keys[0]
    other = next((k for k in keys if k.pseudonyms != first.pseudonyms), None)
    if other is not None:
        raise UsageError(f"{first.place} and {other.place} hold two different keys; take away the one that is wrong")
    before = pinned(work)
    if before is not None and before != first.pseudonyms.fingerprint:
        raise UsageError(
            f"{first.place}: is not the key that {work} was made with, whose fingerprint is {before}; give that one, "
            "or start a new release line with trialbids deid rotate"
        )
    return first.pseudonyms


def given_keys(work: Path, file: Path | None = None, environ: Mapping[str, str] | None = None) -> list[Given]:
    """All keys that are given, first by the trial's own file, then by the environment, then by the work folder."""
    env = os.environ if environ is None else environ
    found = []
    if file is not None:
        found.append(Given(str(file), read_key(file)))
    if KEY_VARIABLE in env:  # also where it is empty: a secret that did not arrive must not become a second key
        found.append(Given(KEY_VARIABLE, parse_key(env[KEY_VARIABLE], KEY_VARIABLE)))
    if FILE_VARIABLE in env:
        found.append(Given(f"{FILE_VARIABLE} ({env[FILE_VARIABLE]})", read_key(Path(env[FILE_VARIABLE]))))
    own = work / KEY_FILE
    if own.exists() or own.is_symlink():
        if own.is_file() and not own.is_symlink():
            _mend(own)
        found.append(Given(str(own), read_key(own), own=True))
    return found


def key_places(work: Path, file: Path | None = None, environ: Mapping[str, str] | None = None) -> list[Path]:
    """Every file that a key is read from or written to, whether it is there or not."""
    env = os.environ if environ is None else environ
    named = [file, Path(env[FILE_VARIABLE]) if env.get(FILE_VARIABLE) else None, work / KEY_FILE]
    return [path for path in named if path is not None]


def read_key(path: Path) -> Pseudonyms:
    """The key in a file. Raises ``UsageError`` where there is none, or everybody on the machine can read it."""
    try:
        text = path.read_bytes().decode("ascii")
        mode = path.stat().st_mode
    except FileNotFoundError as error:
        sentence = "there is no such key file; put the key back, or make a first one with: openssl rand -hex 32"
        raise UsageError(f"{path}: {sentence}") from error
    except OSError as error:
        raise UsageError(f"{path}: the key cannot be read ({error.strerror})") from error
    except UnicodeDecodeError:
        text, mode = "", 0
    if mode & stat.S_IROTH:
        raise UsageError(
            f"{path}: everybody on this machine can read the key; run chmod 600 on it, or give it in {KEY_VARIABLE}"
        )
    return parse_key(text, str(path))


def parse_key(text: str, place: str) -> Pseudonyms:
    """The key that 64 hexadecimal digits are. Raises ``UsageError``, whose sentence holds nothing of the text."""
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = None
    if not key:
        raise UsageError(f"{place}: this is not a key of trialbids; put the right one back, it cannot be made again")
    if len(key) != KEY_BYTES:
        raise UsageError(f"{place}: the key has {len(key)} bytes instead of {KEY_BYTES}; put the right one back")
    if len(set(key)) < FEWEST_DISTINCT:
        raise UsageError(f"{place}: this key is not random and could be guessed; make one with: openssl rand -hex 32")
    return Pseudonyms(key)


def new_key_text() -> str:
    """A new key as its file holds it."""
    return secrets.token_hex(KEY_BYTES) + "\n"


def pinned(work: Path) -> str | None:
    """The fingerprint of the key that a work folder was made with, None where it was not used yet.

    Raises ``UsageError`` where the file that says so is damaged.
    """
    path = work / PIN_FILE
    try:
        text = path.read_bytes().decode("ascii").strip()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        text = ""
    if len(text) != 16 or not set(text) <= set("0123456789abcdef"):
        raise UsageError(f"{path}: is damaged; put back a copy of it, or delete it if you are sure of the key")
    return text


def pin(work: Path, pseudonyms: Pseudonyms) -> None:
    """Remember the key of a work folder, by its fingerprint."""
    write_private(work / PIN_FILE, f"{pseudonyms.fingerprint}\n".encode())


def _was_used(work: Path) -> bool:
    """Whether a key has named something here before: then a second one is never made in silence."""
    return pinned(work) is not None or (work / LINKAGE_FILE).exists()


def _lost(work: Path) -> str:
    if not _was_used(work):
        return f"{work}: holds no key, so nothing was released from here; run trialbids plan or export first"
    mark = pinned(work)
    which = f" (fingerprint {mark})" if mark else ""
    return (
        f"{work / KEY_FILE}: the key that this work folder was made with{which} is gone; put it back from its backup. "
        "If it is lost, trialbids deid rotate --lost starts a new release line"
    )


def _mend(path: Path) -> None:
    """Close the folder's own key for others: a copy put back from a backup is often open."""
    try:
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
    except OSError:  # read-only, or another's: read_key says so if it is readable by everybody
        return
