"""What vendors keep in private elements: b-values, directions, mosaic tiles, the part of a complex image.

A private element is found by its creator and its offset within the creator's block (PS3.5 section 7.8.1), wherever
a PACS has moved the block. Where a PACS has removed the creators themselves, the block that the vendor's scanners
write (10) is taken, if the manufacturer agrees. The meaning of the elements is in the vendors' conformance
statements. Values may have come through software that knew no VR of theirs, so bytes are decoded by what they must be.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from .csa import csa_values
from .decode import FORMATS, numbers, text
from .elements import Element
from .instance import Floats

GE_B_VALUE_MODULUS = 1_000_000
"""GE marks some b-values by adding 10⁹ to them."""

B_ROUNDING = 0.5
"""Some private elements hold whole numbers, in s/mm²."""

GE_DIFFUSION_MARK = 8
"""The second value of (0043,xx39) on diffusion images, b = 0 included."""

GE_FIRST_DIFFUSION_KIND = 14
"""(0043,xx30) from here on says diffusion: 14 b = 0, 15 combined, 16 and more one direction each."""


@dataclass(frozen=True, slots=True)
class Vendor:
    """How a vendor's scanners name the creators of their private blocks, and themselves in Manufacturer."""

    maker: re.Pattern[str]
    creators: Mapping[int, tuple[str, ...]]


SIEMENS = Vendor(re.compile("siemens", re.I), {0x0019: ("SIEMENS MR HEADER",), 0x0029: ("SIEMENS CSA HEADER",)})
GE = Vendor(
    re.compile(r"^ge\b|general electric", re.I),
    {0x0019: ("GEMS_ACQU_01",), 0x0021: ("GEMS_RELA_01",), 0x0043: ("GEMS_PARM_01",)},
)
PHILIPS = Vendor(
    re.compile("philips", re.I),
    {0x2001: ("PHILIPS IMAGING DD 001",), 0x2005: ("PHILIPS MR IMAGING DD 001",)},
)
UIH = Vendor(re.compile("uih|united imaging", re.I), {0x0065: ("IMAGE PRIVATE HEADER", "UIH")})


@dataclass(frozen=True, slots=True)
class Diffusion:
    """b-value in s/mm² with the tag it came from, and the gradient direction as stored; None and () where absent."""

    b_value: float | None = None
    source: str = ""
    direction: Floats = ()


class PrivateElements:
    """The private elements of one data set, found by vendor, group and offset; ``groups`` are those it has any of."""

    def __init__(self, values: Mapping[int, Element], manufacturer: str, little: bool) -> None:
        self._values = values
        self._manufacturer = manufacturer
        self._little = little
        private = [tag for tag in values if tag & 0x10000]
        self._creators = {tag: _creator(values[tag][1]) for tag in private if 0x10 <= tag & 0xFFFF <= 0xFF}
        self.groups = {tag >> 16 for tag in private}

    def numbers(self, vendor: Vendor, group: int, offset: int, vr: bytes) -> tuple[float, ...]:
        """The numbers of an element; () where it is absent or any is unreadable."""
        tag, own_vr, raw = self._find(vendor, group, offset)
        if not tag:
            return ()
        stored_as_text = own_vr in (b"IS", b"DS", b"CS", b"LO", b"SH", b"ST", b"LT", b"UT")
        used = own_vr if own_vr in FORMATS else b"DS" if stored_as_text else vr
        found = numbers(used, raw, self._little)
        known = tuple(float(n) for n in found if n is not None)
        return known if len(known) == len(found) else ()

    def word(self, vendor: Vendor, group: int, offset: int) -> str:
        """The first word of an element, "" where it is absent."""
        return text(b"CS", self.raw(vendor, group, offset)).split("\\")[0]

    def raw(self, vendor: Vendor, group: int, offset: int) -> bytes:
        """The bytes of an element, b"" where it is absent."""
        return self._find(vendor, group, offset)[2]

    def name(self, vendor: Vendor, group: int, offset: int, label: str) -> str:
        """How the element is called in ``b_value_source``: vendor, and the tag where it was found."""
        tag = self._find(vendor, group, offset)[0]
        return f"{label} ({tag >> 16:04X},{tag & 0xFFFF:04X})"

    def _find(self, vendor: Vendor, group: int, offset: int) -> tuple[int, bytes, bytes]:
        if group not in self.groups:
            return 0, b"", b""
        for tag, creator in self._creators.items():
            if tag >> 16 == group and creator in vendor.creators[group]:
                found = group << 16 | (tag & 0xFF) << 8 | offset
                if found in self._values:
                    return found, *self._values[found]
        usual = group << 16 | 0x1000 | offset
        nameless = usual in self._values and (group << 16 | 0x10) not in self._creators
        if nameless and vendor.maker.search(self._manufacturer):
            return usual, *self._values[usual]
        return 0, b"", b""


@lru_cache(maxsize=256)
def _creator(raw: bytes) -> str:
    """The name of a private block's creator, in capitals."""
    return text(b"CS", raw).upper()


def private_diffusion(private: PrivateElements) -> Diffusion:
    """b-value and direction from the first vendor whose elements hold one."""
    for _, _, read in _DIFFUSION_READERS:
        found = read(private)
        if found.b_value is not None:
            return found
    return Diffusion()


def other_b_values(private: PrivateElements, found: Diffusion) -> list[float]:
    """The b-values that private elements state beside the one that was found."""
    said = [
        read(private).b_value
        for group, label, read in _DIFFUSION_READERS
        if group in private.groups and not found.source.startswith(label)
    ]
    if 0x0029 in private.groups:
        said += csa_values(private.raw(SIEMENS, 0x0029, 0x10), "B_value")[:1]
    return [b for b in said if b is not None and b >= 0]


def disagreeing(b_values: Sequence[float]) -> Floats:
    """The different b-values among those stated, ascending; () where they are one but for rounding."""
    apart = tuple(sorted({round(b, 2) for b in b_values}))
    return apart if len(apart) > 1 and apart[-1] - apart[0] > B_ROUNDING else ()


def slices_said(private: PrivateElements) -> int | None:
    """How many slices a volume has by GE's "locations in acquisition" (0021,xx4F) or Philips' (2001,xx18)."""
    if private.groups.isdisjoint((0x0021, 0x2001)):
        return None
    found = private.numbers(GE, 0x0021, 0x4F, b"SS") or private.numbers(PHILIPS, 0x2001, 0x18, b"SL")
    return int(found[0]) if found and found[0] >= 1 else None


def unit(vector: tuple[float, ...]) -> Floats:
    """A direction as a unit vector, as stored where it is one; () where it is not (three numbers, not all 0)."""
    if len(vector) != 3 or not any(vector):
        return ()
    length = math.hypot(*vector)
    if not math.isfinite(length) or length < 1e-6:
        return ()
    return tuple(vector) if abs(length - 1) < 1e-3 else tuple(v / length for v in vector)


def mosaic_tiles(private: PrivateElements, image_type: tuple[str, ...], grid: int) -> int:
    """Slices in a Siemens mosaic, 0 where the image is none.

    From (0019,xx0A), else the CSA header, else ``grid``: how many matrices fit into the image, which counts
    the empty tiles at its end too.
    """
    if "MOSAIC" not in image_type:
        return 0
    stored = private.numbers(SIEMENS, 0x0019, 0x0A, b"US")
    if not stored:
        csa = csa_values(private.raw(SIEMENS, 0x0029, 0x10), "NumberOfImagesInMosaic")
        stored = csa
    return int(stored[0]) if stored and stored[0] >= 1 else grid


def complex_part(private: PrivateElements) -> str:
    """``mag``, ``phase``, ``real`` or ``imag`` where GE or Philips says so, else ""."""
    ge = private.numbers(GE, 0x0043, 0x2F, b"SS")
    if ge and ge[0] in (0, 1, 2, 3):
        return ("mag", "phase", "real", "imag")[int(ge[0])]
    word = private.word(PHILIPS, 0x2005, 0x11).upper().partition("_")[0]
    return {"M": "mag", "P": "phase", "R": "real", "I": "imag"}.get(word, "")


def _siemens_diffusion(private: PrivateElements) -> Diffusion:
    stored = private.numbers(SIEMENS, 0x0019, 0x0C, b"IS")
    if stored and stored[0] >= 0:
        direction = unit(private.numbers(SIEMENS, 0x0019, 0x0E, b"FD"))
        return Diffusion(stored[0], private.name(SIEMENS, 0x0019, 0x0C, "Siemens"), direction)
    csa = private.raw(SIEMENS, 0x0029, 0x10)
    stored = csa_values(csa, "B_value")
    if stored and stored[0] >= 0:
        source = private.name(SIEMENS, 0x0029, 0x10, "Siemens CSA B_value")
        return Diffusion(stored[0], source, unit(csa_values(csa, "DiffusionGradientDirection")))
    return Diffusion()


def _ge_diffusion(private: PrivateElements) -> Diffusion:
    """A zero counts where GE also marks the image as diffusion: every other GE image says b = 0 too."""
    stored = private.numbers(GE, 0x0043, 0x39, b"IS")
    if not stored or stored[0] < 0:
        return Diffusion()
    b_value = stored[0] % GE_B_VALUE_MODULUS
    kind = private.numbers(GE, 0x0043, 0x30, b"SS")
    marked = stored[1:2] == (GE_DIFFUSION_MARK,) or bool(kind and kind[0] >= GE_FIRST_DIFFUSION_KIND)
    if b_value == 0 and not marked and stored[0] < GE_B_VALUE_MODULUS:
        return Diffusion()
    axes = tuple(private.numbers(GE, 0x0019, offset, b"DS")[:1] for offset in (0xBB, 0xBC, 0xBD))
    direction = unit(tuple(axis[0] for axis in axes)) if all(axes) and b_value > 0 else ()
    return Diffusion(b_value, private.name(GE, 0x0043, 0x39, "GE"), direction)


def _philips_diffusion(private: PrivateElements) -> Diffusion:
    """A zero counts where a direction is named too: every other Philips image says b = 0 as well."""
    stored = private.numbers(PHILIPS, 0x2001, 0x03, b"FL")
    letter = private.word(PHILIPS, 0x2001, 0x04)
    if not stored or stored[0] < 0 or (stored[0] == 0 and not letter):
        return Diffusion()
    axes = tuple(private.numbers(PHILIPS, 0x2005, offset, b"FL")[:1] for offset in (0xB0, 0xB1, 0xB2))
    isotropic = letter.upper().startswith("I")
    direction = unit(tuple(axis[0] for axis in axes)) if all(axes) and stored[0] > 0 and not isotropic else ()
    return Diffusion(stored[0], private.name(PHILIPS, 0x2001, 0x03, "Philips"), direction)


def _uih_diffusion(private: PrivateElements) -> Diffusion:
    stored = private.numbers(UIH, 0x0065, 0x09, b"FD")
    if not stored or stored[0] < 0:
        return Diffusion()
    direction = unit(private.numbers(UIH, 0x0065, 0x37, b"FD"))
    return Diffusion(stored[0], private.name(UIH, 0x0065, 0x09, "UIH"), direction)


_DIFFUSION_READERS = (
    (0x0019, "Siemens", _siemens_diffusion),
    (0x0043, "GE", _ge_diffusion),
    (0x2001, "Philips", _philips_diffusion),
    (0x0065, "UIH", _uih_diffusion),
)
"""How each vendor's b-value is read, after the group that holds it and the vendor's name in ``Diffusion.source``."""
