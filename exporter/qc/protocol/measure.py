"""What a scan was made with: the parameters of a protocol, read from the headers of its stacks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from statistics import median

from ...harmonise.facts import vendor
from ...inventory.instance import Instance
from ...inventory.moment import seconds_of_day
from ...plan.build import Planned
from ...select.facts import tesla
from ...stacks.stack import Stack

Span = tuple[float, float]
"""The least and the most of a value over the stacks of a scan."""

DAY_S = 86_400.0
LONGEST_WAIT_S = 7200.0
"""A contrast agent given longer before an image than this is of another examination, or a clock is wrong."""


@dataclass(frozen=True, eq=False)
class Scan:
    """The stacks of one acquisition that are of one kind: the phases of a dynamic scan, or one image."""

    stacks: tuple[Planned, ...]

    @property
    def first(self) -> Planned:
        """The stack whose record and headers stand for the scan."""
        return self.stacks[0]

    @property
    def id(self) -> str:
        """The private id of the acquisition."""
        return self.first.row.acquisition_id

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of its stacks."""
        return tuple(p.row.stack_id for p in self.stacks)

    @cached_property
    def vendor(self) -> str:
        """The vendor of the scanner in one word, ``other`` where it is not told."""
        return vendor(self.first.harmonised.stack.first.Manufacturer) or "other"

    @cached_property
    def measured(self) -> Mapping[str, Span]:
        """Every parameter (:data:`trialbids.mappings.protocol.PARAMETERS`) that the headers tell, in its unit."""
        values = {name: span for name, read in OF_STACK.items() if (span := _span(read, self.stacks)) is not None}
        return values | _of_phases(self.stacks) | _since_injection(self.first.harmonised.stack.first)

    @cached_property
    def bvalues(self) -> tuple[float, ...]:
        """The distinct b-values of its stacks in s/mm², rising."""
        return tuple(sorted({b for p in self.stacks for b in p.harmonised.record.bvalues}))


def scans_among(stacks: Iterable[Planned]) -> tuple[Scan, ...]:
    """Stacks by acquisition, in the order in which each is first met."""
    groups: dict[str, list[Planned]] = {}
    for p in stacks:
        groups.setdefault(p.row.acquisition_id, []).append(p)
    return tuple(Scan(tuple(members)) for members in groups.values())


def _span(read: Callable[[Stack], float | None], stacks: Sequence[Planned]) -> Span | None:
    found = [v for p in stacks if (v := read(p.harmonised.stack)) is not None and math.isfinite(v)]
    return (min(found), max(found)) if found else None


def _positive(value: float | None) -> float | None:
    return float(value) if value is not None and value > 0 else None


def _spacing(stack: Stack) -> float | None:
    """The distance of slice centres in mm along the normal: from the positions, else what the header says."""
    ends = stack.first, stack.instances[min(stack.n_slices, len(stack.instances)) - 1]
    places = [i.ImagePositionPatient for i in ends]
    if stack.n_slices > 1 and ends[0] is not ends[1] and all(len(p) == 3 for p in places):
        length = abs(_along(ends[0].ImageOrientationPatient, places))
        if length > 0:
            return length / (stack.n_slices - 1)
    return _positive(abs(stack.first.SpacingBetweenSlices or 0.0))


def _along(orientation: Sequence[float], places: Sequence[Sequence[float]]) -> float:
    """The distance of two places along the normal of the slices, in mm."""
    if len(orientation) != 6:
        return 0.0
    a, b, c, d, e, f = orientation
    normal = (b * f - c * e, c * d - a * f, a * e - b * d)
    return sum(n * (y - x) for n, x, y in zip(normal, *places, strict=True))


def _gap(stack: Stack) -> float | None:
    spacing, thickness = _spacing(stack), _positive(stack.first.SliceThickness)
    return None if spacing is None or thickness is None else spacing - thickness


def _coverage(stack: Stack) -> float | None:
    spacing, thickness = _spacing(stack), _positive(stack.first.SliceThickness)
    if spacing is None and thickness is None:
        return None
    return (stack.n_slices - 1) * (spacing or thickness or 0.0) + (thickness or spacing or 0.0)


def _pixel(stack: Stack) -> float | None:
    return _positive(max(stack.first.PixelSpacing, default=None))


def _fov(stack: Stack) -> float | None:
    sides = field_of_view(stack.first)
    return max(sides) if sides else None


def field_of_view(instance: Instance) -> Span | None:
    """Height and width of the image in mm, None where the header does not tell them."""
    if len(instance.PixelSpacing) != 2 or not instance.Rows or not instance.Columns:
        return None
    return instance.Rows * instance.PixelSpacing[0], instance.Columns * instance.PixelSpacing[1]


def acquired_resolution(instance: Instance) -> tuple[float | None, float | None]:
    """The acquired resolution in mm along the phase axis and along the readout (PS3.3 C.8.3.1: AcquisitionMatrix).

    Where the matrix is not told, the longer side of the stored pixel stands for the phase axis and the shorter one for
    the readout: what is interpolated is acquired coarser, never finer.
    """
    sides, matrix = field_of_view(instance), instance.AcquisitionMatrix
    if sides is None:
        return None, None
    along_columns = instance.InPlanePhaseEncodingDirection.strip().upper() != "ROW"
    phase_side, readout_side = sides if along_columns else sides[::-1]
    if len(matrix) == 4:
        readout, phase = (matrix[1], matrix[2]) if along_columns else (matrix[0], matrix[3])
        readout, phase = readout or max(matrix[:2]), phase or max(matrix[2:])
        if readout > 0 and phase > 0:
            return phase_side / phase, readout_side / readout
    return max(instance.PixelSpacing), min(instance.PixelSpacing)


OF_STACK: Mapping[str, Callable[[Stack], float | None]] = {
    "te": lambda s: _positive(s.first.EchoTime),
    "tr": lambda s: _positive(s.first.RepetitionTime),
    "ti": lambda s: _positive(s.first.InversionTime),
    "flip": lambda s: _positive(s.first.FlipAngle),
    "field": lambda s: tesla(s.first.MagneticFieldStrength),
    "echo_train": lambda s: _positive(s.first.EchoTrainLength),
    "averages": lambda s: _positive(s.first.NumberOfAverages),
    "bandwidth": lambda s: _positive(s.first.PixelBandwidth),
    "pixel": _pixel,
    "resolution_phase": lambda s: acquired_resolution(s.first)[0],
    "resolution_frequency": lambda s: acquired_resolution(s.first)[1],
    "thickness": lambda s: _positive(s.first.SliceThickness),
    "gap": _gap,
    "spacing": _spacing,
    "fov": _fov,
    "slices": lambda s: float(s.n_slices),
    "coverage": _coverage,
}
"""How each parameter of one stack is read; times in ms, lengths in mm, angles in degrees, field in nominal tesla."""


def _of_phases(stacks: Sequence[Planned]) -> dict[str, Span]:
    """Phases, the median time from one to the next, and the time until the end of the last, in s."""
    indices = {p.harmonised.record.phase_index for p in stacks} - {None}
    times = sorted({t for p in stacks if (t := p.harmonised.record.phase_time_s) is not None})
    n, found = float(len(indices)), dict[str, Span]()
    if n > 1:
        found["phases"] = (n, n)
    steps = [b - a for a, b in pairwise(times)]
    if steps:
        step = median(steps)
        lasted = times[-1] - times[0] + step
        found["temporal_resolution"], found["duration"] = (step, step), (lasted, lasted)
    return found


def _since_injection(instance: Instance) -> dict[str, Span]:
    """Seconds from the start of the injection to the acquisition, where the header tells both on one clock."""
    start, taken = seconds_of_day(instance.ContrastBolusStartTime), seconds_of_day(instance.AcquisitionTime)
    if start is None or taken is None:
        return {}
    waited = (taken - start) % DAY_S
    return {"since_injection": (waited, waited)} if waited <= LONGEST_WAIT_S else {}
