"""The samples that a header promises, and native pixel data of exactly those (PS3.5 sections 8.1.1 and 8.1.2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import ConversionError

WHOLE_WORDS = (8, 16, 32, 64)


@dataclass(frozen=True, slots=True)
class Samples:
    """What a header says of its pixels. ``padding`` is the value that stands for no measurement, None without one."""

    rows: int
    columns: int
    frames: int
    per_pixel: int
    allocated: int
    stored: int
    high_bit: int
    signed: bool
    padding: int | None
    halved_colour: bool
    little: bool

    def __post_init__(self) -> None:
        fits = 0 < self.stored <= self.high_bit + 1 <= self.allocated
        if min(self.rows, self.columns, self.frames, self.per_pixel) < 1 or not fits:
            raise ConversionError("corrupt", "The header does not say how its pixels are laid out. Ask for it again.")

    @property
    def size(self) -> int:
        """The bytes of all frames uncompressed."""
        count = self.rows * self.columns * self.per_pixel * self.frames
        if self.halved_colour and self.per_pixel == 3:
            count = count * 2 // 3
        return (count * self.allocated + 7) // 8

    @property
    def has_unused_bits(self) -> bool:
        """Whether a word has bits that belong to no sample; old writers kept overlays in them."""
        return self.stored < self.allocated

    def cleaned(self, pixels: bytes) -> bytes:
        """Native pixel data of ``size`` bytes with nothing in their unused bits: no overlay, no text.

        The bits above a negative sample repeat its sign; a padding value outside the range of the samples stays.
        Raises ``ConversionError`` (no-dicom-output) where samples do not fill whole bytes.
        """
        if self.allocated == 1:
            return self._cleaned_bits(pixels)
        if self.allocated not in WHOLE_WORDS:
            raise ConversionError("no-dicom-output", f"Pixels of {self.allocated} bits are not written.")
        if not self.has_unused_bits:
            return pixels
        words = np.frombuffer(pixels, np.dtype(f"{'<' if self.little else '>'}u{self.allocated // 8}"))
        clean = self.without_unused_bits(words)
        return pixels if np.array_equal(clean, words) else clean.astype(words.dtype).tobytes()

    def without_unused_bits(self, words: NDArray[np.unsignedinteger]) -> NDArray[np.unsignedinteger]:
        """Unsigned words of ``allocated`` bits, each with its sample in place and nothing else."""
        lowest, everything = self.high_bit + 1 - self.stored, (1 << self.allocated) - 1
        words = words.astype(f"=u{self.allocated // 8}", copy=False)
        if self.signed:
            above = self.allocated - 1 - self.high_bit
            extended = ((words << above).view(f"=i{self.allocated // 8}") >> above).view(words.dtype)
            clean = extended & words.dtype.type(everything >> lowest << lowest)
        else:
            clean = words & words.dtype.type(((1 << self.stored) - 1) << lowest)
        if self.padding is None:
            return clean
        padding = words.dtype.type(self.padding & everything)
        return np.where(words == padding, padding, clean)

    def _cleaned_bits(self, pixels: bytes) -> bytes:
        """Pixels of one bit, the first in the lowest bit of a byte: the bits behind the last are cleared."""
        rest = self.rows * self.columns * self.per_pixel * self.frames % 8
        return pixels[:-1] + bytes([pixels[-1] & ((1 << rest) - 1)]) if rest else pixels
