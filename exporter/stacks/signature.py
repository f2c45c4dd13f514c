"""What two stacks must share to be parts of one scan, read once a stack."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ..inventory.moment import first_moment
from .geometry import normal, position
from .headers import (
    b_value,
    concepts_of,
    content_of,
    dixon_of,
    is_calculated_b,
    is_echo_planar_series,
    map_kind,
    part,
    product_words,
    says_dynamic,
    upper,
)
from .headers import is_diffusion_weighted as weighted
from .stack import Stack

SHORTEST_SPIN_ECHO_TR_MS = 50.0
"""No spin echo is repeated as fast as this, so the readout is a gradient echo."""

FAST_TR_MS, FAST_TE_MS = 60.0, 8.0
QUICKEST_TR_MS, EARLIEST_TE_MS = 15.0, 3.5
"""With so short a TR the echo is early, with so early an echo in three dimensions TR is short, told or not."""

DERIVED = frozenset({"subtraction", "mip", "minip", "mpr", "screen"})


@dataclass(frozen=True)
class Signature:
    """One stack, with the properties that the join rules compare. Times are seconds on one line
    of all days (:mod:`trialbids.exporter.inventory.moment`)."""

    stack: Stack

    @cached_property
    def series(self) -> tuple[str, int]:
        """Series and its number: one scan unless a number says otherwise."""
        return self.stack.first.SeriesInstanceUID, self.number

    @cached_property
    def number(self) -> int:
        """SeriesNumber, -1 where absent."""
        return -1 if self.stack.first.SeriesNumber is None else self.stack.first.SeriesNumber

    @cached_property
    def geometry(self) -> tuple[object, ...]:
        """Frame of reference, matrix, spacing, orientation, first position and number of slices."""
        start = position(self.stack.first)
        return *self.plane, None if start is None else round(start), self.stack.n_slices

    @cached_property
    def plane(self) -> tuple[object, ...]:
        """Frame of reference, matrix, spacing and orientation."""
        first = self.stack.first
        return (
            first.FrameOfReferenceUID,
            first.Rows,
            first.Columns,
            tuple(round(s, 2) for s in first.PixelSpacing),
            self.orientation,
        )

    @cached_property
    def places(self) -> tuple[float, ...]:
        """Millimetres of the slices along the normal, coarse; of one without a place none."""
        return tuple(round(z, 1) for i in self.stack.instances if (z := position(i)) is not None)

    @cached_property
    def orientation(self) -> tuple[float, ...]:
        """The slice normal, coarse."""
        return tuple(round(x, 1) + 0.0 for x in normal(self.stack.first.ImageOrientationPatient))

    @cached_property
    def timing(self) -> tuple[object, ...]:
        """Repetition and echo time."""
        first = self.stack.first
        return rounded(first.RepetitionTime, 1), rounded(first.EchoTime, 2)

    @cached_property
    def flip(self) -> float | None:
        """Flip angle."""
        return rounded(self.stack.first.FlipAngle, 1)

    @cached_property
    def start(self) -> float | None:
        """When the acquisition began; it rises over midnight."""
        return first_moment(self.stack.instances)

    @cached_property
    def text(self) -> str:
        """The series description in lower case."""
        return self.stack.first.SeriesDescription.lower()

    @cached_property
    def kind(self) -> str:
        """``weighted``, ``calc``, a map's name, or "" outside diffusion."""
        first = self.stack.first
        found = map_kind(first.ImageType, first.SeriesDescription)
        if found:
            return found
        if any(weighted(i) for i in self.stack.instances):
            return "calc" if is_calculated_b(first) else "weighted"
        unweighted = is_echo_planar_series(first) and all(b_value(i) == 0 for i in self.stack.instances)
        return "weighted" if unweighted else ""  # some vendors write b = 0 on images of every kind

    @cached_property
    def bvalues(self) -> frozenset[float]:
        """The b-values above zero."""
        return frozenset(b for b in self.stack.bvalues if b >= 10)

    @cached_property
    def weightings(self) -> frozenset[tuple[float, tuple[float, ...]]]:
        """The b-values above zero, each with its direction."""
        directions = self.stack.directions or ((),) * len(self.stack.bvalues)
        return frozenset((b, d) for b, d in zip(self.stack.bvalues, directions, strict=True) if b >= 10)

    @cached_property
    def image(self) -> tuple[object, ...]:
        """What kind of image of the scan it is: Dixon product, part, content, and the description's words for them."""
        first = self.stack.first
        words = product_words(first.SeriesDescription)
        return dixon_of(first.ImageType), part(first), content_of(first.ImageType), words

    @cached_property
    def product(self) -> tuple[object, ...]:
        """The kind of image and the echo."""
        return *self.image, self.timing[1]

    @cached_property
    def is_derived(self) -> bool:
        """A subtraction, projection or reformat rather than an acquired image."""
        first = self.stack.first
        words = upper(first.ImageType)
        return (
            bool(content_of(first.ImageType))
            or "SECONDARY" in words
            or not DERIVED.isdisjoint(concepts_of(first.SeriesDescription))
        )

    @cached_property
    def says_dynamic(self) -> bool:
        """The scanner's own words for a time point of a dynamic scan."""
        return says_dynamic(self.stack.first)

    @cached_property
    def is_fast_gradient_echo(self) -> bool:
        """A T1-weighted gradient echo as dynamic and variable-flip-angle scans use: short TR and TE."""
        first = self.stack.first
        sequence = {w.upper() for w in first.ScanningSequence}
        tr, te = first.RepetitionTime or 0.0, first.EchoTime or 0.0
        told = "GR" in sequence or first.EchoPulseSequence == "GRADIENT" or not sequence & {"SE", "IR"}
        gradient = told or 0 < tr <= SHORTEST_SPIN_ECHO_TR_MS
        return gradient and is_quick(tr, te, first.MRAcquisitionType) and "EP" not in sequence and not self.kind


def is_quick(tr: float, te: float, acquisition_type: str) -> bool:
    """Whether TR and TE (ms, 0 where not told) are short; one of them tells enough where it is shortest."""
    if tr == 0.0:
        return 0 < te <= EARLIEST_TE_MS and acquisition_type == "3D"
    return tr <= FAST_TR_MS and te <= FAST_TE_MS and (te > 0 or tr <= QUICKEST_TR_MS)


def rounded(value: float | None, digits: int) -> float | None:
    """A number without the noise of its writing."""
    return None if value is None else round(value, digits)
