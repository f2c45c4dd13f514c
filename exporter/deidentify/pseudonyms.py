"""Pseudonyms from a keyed hash: the same from run to run and machine to machine, meaningless without the key."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError

KEY_FILE = "secret.key"
KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """HMAC-SHA256 under the trial's secret key over (kind, namespace, value).

    The kind keeps one value of two kinds apart; the namespace (issuer, site or institution) keeps two centres' "001"
    two people.
    """

    key: bytes

    def __repr__(self) -> str:
        return "Pseudonyms(key=<secret>)"

    def digest(self, kind: str, namespace: str, value: str) -> bytes:
        """The 32 bytes behind every label; the parts are length-prefixed, so that no two splits are alike."""
        message = b"".join(len(p).to_bytes(4, "big") + p for p in (s.encode() for s in (kind, namespace, value)))
        return hmac.new(self.key, message, hashlib.sha256).digest()

    def label(self, kind: str, namespace: str, value: str, length: int = 10) -> str:
        """A BIDS label of ``length`` base32 characters (5 bits each).

        >>> Pseudonyms(bytes(32)).label("subject", "", "001")
        'LF2WLXSGS5'
        """
        return base64.b32encode(self.digest(kind, namespace, value)).decode()[:length]

    def uid(self, kind: str, value: str) -> str:
        """A UID under ``2.25.`` from 128 bits with a UUID's version and variant set (PS3.5 B.2)."""
        raw = bytearray(self.digest(f"uid:{kind}", "", value)[:16])
        raw[6] = raw[6] & 0x0F | 0x40
        raw[8] = raw[8] & 0x3F | 0x80
        return f"2.25.{int.from_bytes(raw, 'big')}"

    @property
    def fingerprint(self) -> str:
        """Names the key without giving it away: for fingerprints and for the certificate."""
        return self.digest("key", "", "").hex()[:16]


def load_or_make_key(work: Path) -> Pseudonyms:
    """The key of the work folder, made on first use with mode 0600.

    Raises ``UsageError`` where the file is there and is not a key.
    """
    path = work / KEY_FILE
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except OSError as error:
        raise UsageError(f"{path}: the key cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise UsageError(
            f"{path}: this is not a key of trialbids; put the right one back, it cannot be made again"
        ) from error
    if len(key) != KEY_BYTES:
        raise UsageError(f"{path}: the key has {len(key)} bytes instead of {KEY_BYTES}; put the right one back")
    return Pseudonyms(key)
