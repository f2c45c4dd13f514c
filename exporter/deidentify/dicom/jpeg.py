"""A JPEG or JPEG-LS codestream with only what decoding needs (ITU-T T.81 annex B, T.87 annex C).

Comments, application segments, tables that no scan uses, and what stands behind the image are not taken over. What
a writer hides among the coded bits of a scan cannot be told from the image.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from .codestream import Codestream, corrupt, truncated, unknown

START, END = b"\xff\xd8", b"\xff\xd9"
FRAMES = frozenset((0xC0, 0xC1, 0xC2, 0xC3, 0xC9, 0xCA, 0xCB, 0xF7))
"""SOF0-3, SOF9-11 and JPEG-LS: all processes that are not differential."""
LOSSLESS = frozenset((0xC3, 0xCB, 0xF7))
LS_FRAME = 0xF7
HUFFMAN, ARITHMETIC, QUANTISATION, INTERVAL, PRESETS, SCAN, LINES = 0xC4, 0xCC, 0xDB, 0xDD, 0xF8, 0xDA, 0xDC
SKIPPED = frozenset((*range(0xE0, 0xF0), 0xFE))
JFIF = b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0"
"""Version 1.02, pixels as wide as high, no thumbnail: that it is there says how colours are coded."""
ADOBE, ADOBE_BYTES = b"Adobe", 12
TRANSFORM, TRANSFORM_BYTES = b"mrfx", 5
"""The colour transform of HP's JPEG-LS, in APP8."""
PRESET_BYTES = {1: (11,), 4: (6, 8, 10)}
"""Coding parameters and the size of a large image (T.87 C.2.4.1), by kind. Mapping tables are not taken over."""
_SCAN_END = {False: re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]"), True: re.compile(rb"\xff+[\x80-\xcf\xd8-\xfe]")}


def clean_jpeg(data: bytes) -> Codestream:
    """The codestream without what decoding does not need.

    Raises ``ConversionError``: corrupt where it cannot be followed, no-dicom-output where a kind of it is not known.
    """
    return _Rewriter(data).run()


@dataclass(slots=True)
class _Rewriter:
    data: bytes
    out: bytearray = field(default_factory=lambda: bytearray(START))
    frame: int = 0
    lines: int = 0
    columns: int = 0
    precision: int = 0
    components: dict[int, int] = field(default_factory=dict[int, int])
    """Of each component, the quantisation table."""
    tables: dict[tuple[int, int], bytes] = field(default_factory=dict[tuple[int, int], bytes])
    """By marker and number: tables read that no scan has used yet."""
    said: set[int] = field(default_factory=set[int])
    scans: int = 0

    def run(self) -> Codestream:
        if self.data[:2] != START:
            raise corrupt()
        at = 2
        while True:
            marker, at = self._marker(at)
            if marker == END[1]:
                break
            length = int.from_bytes(self.data[at : at + 2])
            body = self.data[at + 2 : at + length]
            if length < 2 or len(body) < length - 2:
                raise corrupt()
            at += length
            self._segment(marker, body)
            if marker == SCAN:
                at = self._scan(at)
        if not self.scans:
            raise corrupt()
        return Codestream(bytes(self.out + END), self.lines, self.columns, len(self.components), self.precision)

    def _marker(self, at: int) -> tuple[int, int]:
        """The code of the marker at ``at`` and where its segment begins. Fill bytes may stand before it."""
        begin = at
        while self.data[at : at + 1] == b"\xff":
            at += 1
        if at == begin or at >= len(self.data):
            raise corrupt()
        return self.data[at], at + 1

    def _segment(self, marker: int, body: bytes) -> None:
        if marker in SKIPPED:
            self._application(marker, body)
        elif marker in FRAMES:
            self._frame(marker, body)
        elif marker == HUFFMAN:
            self.tables |= {(marker, number): table for number, table in _huffman(body)}
        elif marker == QUANTISATION:
            self.tables |= {(marker, number): table for number, table in _quantisation(body)}
        elif marker == ARITHMETIC and len(body) % 2 == 0:
            self.tables |= {(marker, body[n]): body[n : n + 2] for n in range(0, len(body), 2)}
        elif marker == INTERVAL and len(body) == 2:
            self.tables[marker, 0] = body
        elif marker == PRESETS and _is_preset(body):
            self.tables[marker, body[0]] = body
        elif marker == SCAN:
            self._scan_header(body)
        elif marker == LINES and len(body) == 2 and self.scans == 1 and not self.lines:
            self.lines = int.from_bytes(body)
            self._write(marker, body)
        else:
            raise unknown()

    def _application(self, marker: int, body: bytes) -> None:
        """Those that say how colours are coded, in one form each, and each once."""
        if marker == 0xE0 and body.startswith(JFIF[:5]):
            kept = JFIF
        elif marker == 0xEE and body.startswith(ADOBE) and len(body) >= ADOBE_BYTES:
            kept = ADOBE + b"\0\x64\0\0\0\0" + bytes([min(body[ADOBE_BYTES - 1], 2)])
        elif marker == 0xE8 and body.startswith(TRANSFORM) and len(body) == TRANSFORM_BYTES:
            kept = body
        else:
            return
        if not self.frame and marker not in self.said:
            self.said.add(marker)
            self._write(marker, kept)

    def _frame(self, marker: int, body: bytes) -> None:
        if self.frame or len(body) < 9 or len(body) != 6 + 3 * body[5]:
            raise corrupt()
        self.frame, self.precision = marker, body[0]
        self.lines, self.columns = int.from_bytes(body[1:3]), int.from_bytes(body[3:5])
        self.components = {body[n]: body[n + 2] for n in range(6, len(body), 3)}
        self._write(marker, body)

    def _scan_header(self, body: bytes) -> None:
        if not self.frame or not body or len(body) != 4 + 2 * body[0]:
            raise corrupt()
        parts = [(body[n], body[n + 1]) for n in range(1, 1 + 2 * body[0], 2)]
        if any(component not in self.components for component, _ in parts):
            raise corrupt()
        for key in sorted(self.tables.keys() & self._used(parts)):
            self._write(key[0], self.tables.pop(key))
        self._write(SCAN, body)
        self.scans += 1

    def _used(self, parts: list[tuple[int, int]]) -> set[tuple[int, int]]:
        """The tables that a scan of components, each with its selector of entropy coding tables, may read."""
        used = {(INTERVAL, 0)}
        if self.frame == LS_FRAME:
            return used | {(PRESETS, kind) for kind in PRESET_BYTES}
        for component, selector in parts:
            coding = {selector >> 4} | ({0x10 | selector & 15} if self.frame not in LOSSLESS else set())
            used |= {(marker, number) for marker in (HUFFMAN, ARITHMETIC) for number in coding}
            if self.frame not in LOSSLESS:
                used.add((QUANTISATION, self.components[component]))
        return used

    def _scan(self, at: int) -> int:
        """Take the coded bits that begin at ``at``; gives where the next marker is."""
        found = _SCAN_END[self.frame == LS_FRAME].search(self.data, at)
        if found is None:
            raise truncated()
        self.out += self.data[at : found.start()]
        return found.start()

    def _write(self, marker: int, body: bytes) -> None:
        self.out += bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2) + body


def _huffman(body: bytes) -> Iterator[tuple[int, bytes]]:
    """The tables of a DHT segment, each with its class and number (T.81 B.2.4.2)."""
    at = 0
    while at < len(body):
        end = at + 17 + sum(body[at + 1 : at + 17])
        if end > len(body):
            raise corrupt()
        yield body[at], body[at:end]
        at = end


def _quantisation(body: bytes) -> Iterator[tuple[int, bytes]]:
    """The tables of a DQT segment, each with its number (T.81 B.2.4.1)."""
    at = 0
    while at < len(body):
        end = at + 1 + 64 * (1 + (body[at] >> 4))
        if end > len(body):
            raise corrupt()
        yield body[at] & 15, body[at:end]
        at = end


def _is_preset(body: bytes) -> bool:
    return len(body) in PRESET_BYTES.get(body[0] if body else 0, ())
