"""Checks of the phases of a dynamic acquisition beside each other: does anything enhance (codes T06 and T07)?"""

from __future__ import annotations

from collections.abc import Iterator

from ..check import Evidence
from .siblings import Dynamic, Siblings


def not_enhancing(siblings: Siblings, least: float) -> Iterator[Evidence]:
    """Nothing gets brighter by ``least`` in a dynamic acquisition that was made to show it."""
    for dynamic in siblings.dynamic:
        if dynamic.gain is not None and dynamic.gain < least and dynamic.should_enhance:
            yield _said("no enhancement", dynamic.gain, dynamic)


def agent_in_vain(siblings: Siblings, least: float) -> Iterator[Evidence]:
    """The header names a contrast agent, and nothing enhances."""
    for dynamic in siblings.dynamic:
        if dynamic.gain is not None and dynamic.gain < least and dynamic.says_contrast:
            yield _said("the header names a contrast agent, and there is no enhancement", dynamic.gain, dynamic)


def agent_not_named(siblings: Siblings, least: float) -> Iterator[Evidence]:
    """Tissue enhances, and no header names a contrast agent."""
    for dynamic in siblings.dynamic:
        if dynamic.gain is not None and dynamic.gain >= least and not dynamic.says_contrast:
            yield _said("no header names a contrast agent, and there is enhancement", dynamic.gain, dynamic)


def _said(words: str, gain: float, dynamic: Dynamic) -> Evidence:
    message = f"{words}: the brightest hundredth of the tissue becomes {gain:.2f} times as bright"
    stacks = tuple(s.stack_id for s in dynamic.phases)
    return Evidence(message, min(stacks), (("enhancement", gain),), stacks=stacks)
