"""All that is looked at in one converted image: its checks, its metrics, and what its session and the release need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trialbids.mappings.record import Record

from ...convert.volume import Volume
from ...stacks.stack import Stack
from ..check import NO_TOLERANCES, Finding, measured
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
    has_text: bool = False,
    changed: bool = False,
) -> Examined:
    """Everything about a volume that is in memory. No check and no measurement raises; one that fails is a finding.

    ``paths`` are the stack's files where they are at hand (:func:`.stored.files_at_hand`); ``has_text`` says that text
    was detected that a person let leave; ``changed`` voxels are no longer those of the files.
    """
    picture = Picture(volume)
    pixels = Pixels(picture, stack, record, has_text, paths, changed)
    findings = checks.check_pixels(pixels, tolerances)
    metrics, no_metrics = measured(lambda: measure(picture), {}, "metrics", stack.stack_id)
    sketch, no_sketch = measured(lambda: sketch_of(pixels), None, "small copies", stack.stack_id)
    digests, no_digests = measured(lambda: slice_digests(pixels), (), "digests", stack.stack_id)
    return Examined((*findings, *no_metrics, *no_sketch, *no_digests), metrics, sketch, digests)
