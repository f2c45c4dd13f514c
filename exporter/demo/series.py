"""What a vendor module says about one series; :mod:`.objects` turns it into DICOM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .geometry import Grid

Header = Mapping[str, Any]


@dataclass(frozen=True)
class Private:
    """One private element: its creator's words, the low byte of its number, VR and value.

    Without a VR only the creator's block is reserved, as vendors do to keep their element numbers fixed.
    """

    group: int
    creator: str
    offset: int = 0
    vr: str = ""
    value: Any = None


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a careful reader says of one stack: vocabulary words, ``a|b`` where either is right, ``*`` not judged.

    ``derived`` is ``-`` where the image is as acquired. The columns are those of the truth table.
    """

    stack_key: str = "all"
    acquisition: str = ""
    decision: str = "keep"
    sequence: str
    plane: str
    dim: str
    technique: str
    fatsat: str
    dixon: str = "none"
    derived: str = "-"
    part: str = "mag"
    agent: str = "without|unknown"
    phase_index: str = ""
    phase_time_s: str = ""
    phase_time_source: str = ""
    bvalues: str = ""
    sound: str = "yes"
    defect: str = ""


@dataclass(frozen=True, kw_only=True)
class Product:
    """The slices of one stack in a series, with what sets their headers apart from the rest of it.

    ``image`` is (slices, rows, columns) in the units of the scanner; ``offset_s`` is added to the acquisition time.
    ``expected`` is None where the slices belong to the stack of the product before them (another b-value).
    """

    image: NDArray[np.float64]
    expected: Expected | None
    grid: Grid
    header: Header = field(default_factory=dict)
    private: tuple[Private, ...] = ()
    offset_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Series:
    """One series as a scanner would store it.

    ``role`` is our own name for it; ``text`` is the SeriesDescription, ``protocol`` the ProtocolName where it differs.
    ``interleaved`` numbers the instances slice by slice instead of product by product. ``duration_s`` is the time
    until the next series begins. ``slope`` is the RescaleSlope (None: no rescale tags). ``lost_slices`` never arrived.
    """

    role: str
    text: str
    products: tuple[Product, ...]
    header: Header
    private: tuple[Private, ...] = ()
    protocol: str = ""
    duration_s: float = 120.0
    interleaved: bool = False
    slope: float | None = None
    lost_slices: tuple[int, ...] = ()
