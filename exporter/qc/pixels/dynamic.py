"""Checks of the phases of a dynamic acquisition beside each other: does anything enhance (codes T06 and T07)?"""

from __future__ import annotations

from collections.abc import Iterator

from ..check import Evidence
from .siblings import Dynamic, Siblings


def not_enhancing(siblings: Siblings, least: float) -> Iterator[Evidence]:
    """Nothing gets brighter by ``least`` in a dynamic acquisition that was made to show it."""
    for dynamic, gain in _measured(siblings):
        if gain < least and dynamic.should_enhance:
            yield _said("no enhancement", gain, dynamic)


def agent_in_vain(siblings: Siblings, least: float) -> Iterator[Evidence]:
    """The header names a contrast agent, and nothing enhances."""
    for dynamic, gain in _measured(siblings):
        if gain < least and dynamic.says_contrast:
            yield _said("the header names a contrast agent, and there is no enhancement", gain, dynamic)


def agent_not_named(siblings: Siblings, least: float) -> Iterator[Evidence]:
    """Tissue enhances, and no header names a contrast agent."""
    for dynamic, gain in _measured(siblings):
        if gain >= least and not dynamic.says_contrast:
            yield _said("no header names a contrast agent, and there is enhancement", gain, dynamic)


def _measured(siblings: Siblings) -> Iterator[tuple[Dynamic, float]]:
    """The dynamic images in which tissue can enhance, each with how much it does."""
    for dynamic in siblings.dynamic:
        if dynamic.shows_water and dynamic.gain is not None:
            yield dynamic, dynamic.gain


def _said(words: str, gain: float, dynamic: Dynamic) -> Evidence:
    message = f"{words}: the brightest hundredth of the tissue becomes {gain:.2f} times as bright"
    stacks = tuple(s.stack_id for s in dynamic.phases)
    return Evidence(message, min(stacks), (("enhancement", gain),), stacks=stacks)
