"""All that is looked at in one converted image: its checks, its metrics, and what its session and the release need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trialbids.mappings.record import Record

from ...convert.volume import Volume
from ...stacks.stack import Stack
from ..check import NO_TOLERANCES, Finding
from ..metrics import measure
from . import checks
from .digests import slice_digests
from .picture import Picture
from .sketch import Sketch, sketch_of
from .stored import NO_FILES, Paths
from .view import Pixels


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found in one image. ``sketch`` is what the checks of its session look at, ``digests`` those of its
    slices, hexadecimal."""

    findings: tuple[Finding, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    sketch: Sketch | None = None
    digests: tuple[str, ...] = ()


def examine(
    volume: Volume,
    stack: Stack,
    record: Record,
    tolerances: Mapping[str, float] = NO_TOLERANCES,
    paths: Paths = NO_FILES,
    texts: int = 0,
    changed: bool = False,
) -> Examined:
    """Everything about a volume that is in memory. No check raises; one that fails is a finding.

    ``paths`` are the stack's files where they are at hand (:func:`.stored.files_at_hand`), ``texts`` the number of
    places where text was detected that a person has allowed; ``changed`` voxels are no longer those of the files.
    """
    picture = Picture(volume)
    pixels = Pixels(picture, stack, record, texts, paths, changed)
    findings = checks.check_pixels(pixels, tolerances)
    return Examined(findings, measure(picture), sketch_of(pixels), slice_digests(pixels))
