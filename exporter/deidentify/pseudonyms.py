"""Pseudonyms from a keyed hash: the same from run to run and machine to machine, meaningless without the key."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """HMAC-SHA256 under the trial's secret key over (kind, namespace, value).

    The kind keeps one value of two kinds apart; the namespace (issuer, site or institution) keeps two centres' "001"
    two people. :mod:`.key` finds the key.
    """

    key: bytes

    def __repr__(self) -> str:
        return "Pseudonyms(key=<secret>)"

    def digest(self, kind: str, namespace: str, value: str) -> bytes:
        """The 32 bytes behind every label; the parts are length-prefixed, so that no two splits are alike."""
        parts = (s.encode("utf-8", "surrogatepass") for s in (kind, namespace, value))
        message = b"".join(len(p).to_bytes(4, "big") + p for p in parts)
        return hmac.digest(self.key, message, "sha256")

    def label(self, kind: str, namespace: str, value: str, length: int = 10) -> str:
        """A BIDS label of ``length`` base32 characters (5 bits each, 51 at most); a longer one begins with a shorter.

        >>> Pseudonyms(bytes(32)).label("subject", "", "001")
        'MZ7JHNALWW'
        """
        return base64.b32encode(self.digest(kind, namespace, value)).decode()[:length]

    def uid(self, value: str) -> str:
        """The pseudonym of a UID: ``2.25.`` and 128 bits with a UUID's version and variant set (PS3.5 B.2).

        There is one kind for all UIDs, so that whatever refers to an object still does, whichever attribute it does it
        in. UIDs of the standard (SOP classes, transfer syntaxes, well-known frames of reference: PS3.6 Annex A) stay,
        as they say what an object is and not whose. Padding is no part of a UID; no UID stays none.

        >>> Pseudonyms(bytes(32)).uid("1.2.840.10008.5.1.4.1.1.4")
        '1.2.840.10008.5.1.4.1.1.4'
        """
        bare = value.strip(" \0")
        if not bare or bare in _well_known():
            return bare
        raw = bytearray(self.digest("uid", "", bare)[:16])
        raw[6] = raw[6] & 0x0F | 0x40
        raw[8] = raw[8] & 0x3F | 0x80
        return f"2.25.{int.from_bytes(raw, 'big')}"

    @property
    def fingerprint(self) -> str:
        """Names the key without giving it away: for fingerprints and for the certificate."""
        return self.digest("key", "", "").hex()[:16]


@cache
def _well_known() -> frozenset[str]:
    """Every UID that the standard registers."""
    # half of pydicom, which nothing else here needs
    from pydicom.uid import UID_dictionary  # pyright: ignore[reportPrivateImportUsage]

    return frozenset(UID_dictionary)
