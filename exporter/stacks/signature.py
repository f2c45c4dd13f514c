"""What two stacks must share to be parts of one scan, read once a stack."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from .geometry import normal, position
from .headers import clock, content_of, described_time, dixon_of, is_calculated_b, map_kind, part, upper
from .headers import is_diffusion_weighted as weighted
from .stack import Stack

DERIVED_TEXT = re.compile(r"(?:^|[^a-z])(?:m?ip|mpr|sub(?:tr\w*)?|reformat\w*|screen ?save)(?:[^a-z]|$)")
DYNAMIC_TEXT = re.compile(r"(?:^|[^a-z])(?:dyn\w*|dce|twist|tricks|disco|perf\w*|multi ?phase|ph ?\d+/)|tt ?= ?\d")
PRODUCT_TEXT = re.compile(
    r"(?<![a-z])(water|fat|in ?phase|out ?phase|opp(?:osed)? ?phase|opp|in|w|f|ip|op|"
    r"pha?s?e?|mag\w*|swi|mip|minip)(?![a-z])"
)


@dataclass(frozen=True)
class Signature:
    """One stack, with the properties that the join rules compare. Times are seconds of the day."""

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
        first = self.stack.first
        start = position(first)
        return (
            first.FrameOfReferenceUID,
            first.Rows,
            first.Columns,
            tuple(round(s, 2) for s in first.PixelSpacing),
            self.orientation,
            None if start is None else round(start),
            self.stack.n_slices,
        )

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
        """The earliest acquisition time."""
        times = [t for i in self.stack.instances if (t := clock(i.AcquisitionTime)) is not None]
        return min(times, default=None)

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
        if not any(weighted(i) for i in self.stack.instances):
            return ""
        return "calc" if is_calculated_b(first) else "weighted"

    @cached_property
    def bvalues(self) -> frozenset[float]:
        """The b-values above zero."""
        return frozenset(b for b in self.stack.bvalues if b >= 10)

    @cached_property
    def image(self) -> tuple[object, ...]:
        """What kind of image of the scan it is: Dixon product, part, content, and the description's words for them."""
        first = self.stack.first
        words = tuple(sorted(set(PRODUCT_TEXT.findall(self.text))))
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
        return bool(content_of(first.ImageType)) or "SECONDARY" in words or bool(DERIVED_TEXT.search(self.text))

    @cached_property
    def says_dynamic(self) -> bool:
        """The scanner's own words for a time point of a dynamic scan."""
        first = self.stack.first
        name = first.SequenceName.lower()
        told = described_time(first) is not None or "dyn" in name or "twist" in name
        many = (first.NumberOfTemporalPositions or 0) >= 3
        return told or many or bool(DYNAMIC_TEXT.search(f"{self.text} {first.ProtocolName.lower()}"))

    @cached_property
    def is_fast_gradient_echo(self) -> bool:
        """A T1-weighted gradient echo as dynamic and variable-flip-angle scans use: short TR and TE."""
        first = self.stack.first
        sequence = {w.upper() for w in first.ScanningSequence}
        gradient = "GR" in sequence or first.EchoPulseSequence == "GRADIENT" or not sequence
        quick = 0 < (first.RepetitionTime or 0) <= 60 and 0 < (first.EchoTime or 0) <= 8
        return gradient and quick and "EP" not in sequence and not self.kind


def rounded(value: float | None, digits: int) -> float | None:
    """A number without the noise of its writing."""
    return None if value is None else round(value, digits)
