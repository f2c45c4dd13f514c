"""Whose drawings are compared in a consensus, and where one can arise."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import TypeGuard

from .readers import NOBODY
from .region import Drawing, Region
from .resolve import Placed


def has_voice(drawing: Drawing) -> TypeGuard[Region]:
    """Whether a drawing counts in a consensus: a region, inside or outside, by somebody.

    Algorithms and readers who are not named have no voice: nobody knows whether they are one or several.
    """
    is_region = isinstance(drawing, Region) and drawing.kind == "binary"
    return is_region and drawing.method != "automatic" and drawing.reader != NOBODY


def compared(region: Region) -> Region:
    """The region under the name that readers share: where each numbers anew, all that one drew under the label."""
    return replace(region, lesion=None) if region.is_own_number else region


def may_agree(drawn: Iterable[Placed]) -> bool:
    """Whether two readers or more drew under one name on what may be one image."""
    readers: dict[tuple[str, str], set[str]] = defaultdict(set)
    for placed in drawn:
        if has_voice(placed.drawing):
            for stack in placed.stacks:
                readers[stack, compared(placed.drawing).name].add(placed.drawing.reader)
    return any(len(found) > 1 for found in readers.values())
