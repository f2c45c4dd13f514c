"""Derived copies that can be computed again: left out where what they were made from is kept in the same session.

A projection or a reformat of a 3D image, and a subtraction of two images, say nothing that those images do not. Where
the source is not kept the copy is all there is, so it stays. Computed b-values (``calc``) stay in any case: the model
and the images that they were computed with are not told.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import product
from math import isclose
from types import MappingProxyType

from ..harmonise import Harmonised
from ..stacks.geometry import agree
from ..stacks.stack import Stack
from .decide import Decision, sentence_of
from .parsimony import COMPUTABLE, KEEP_COPIES

OWN = ("sequence", "agent")
"""What a copy has in common with its source in any case."""
WHERE_TOLD = ("bodypart", "laterality", "kernel", "recon", "dixon")
"""What a copy has in common with its source where both tell."""
OF_A_PAIR = ("sequence", "plane", "dim", "technique", "fatsat", "dixon", "part")
"""What the images before and after contrast have in common that one is subtracted from the other."""

SAME_MM = 0.1
NOBODY: Mapping[str, str] = MappingProxyType({})


def without_copies(
    session: Sequence[Harmonised],
    decisions: Sequence[Decision],
    keep: Collection[str],
    decided: Mapping[str, str] = NOBODY,
) -> list[Decision]:
    """The decisions of one session's stacks with every computable copy excluded, reason ``computable``.

    ``keep`` are the words of the trial's ``keep:``; ``decided`` holds, by ``stack_id``, what a person decided: such a
    stack stays as it is, and serves as a source where it is kept. The order of the stacks makes no difference.
    """
    if KEEP_COPIES in keep:
        return list(decisions)
    kept = [h for h, d in zip(session, decisions, strict=True) if d.decision == "keep"]
    sources = [h for h in kept if not h.record.derived]
    copies = {h.stack.stack_id for h in kept if h.stack.stack_id not in decided and is_computable(h, sources)}
    out = Decision("exclude", COMPUTABLE, sentence_of(COMPUTABLE))
    return [out if h.stack.stack_id in copies else d for h, d in zip(session, decisions, strict=True)]


def is_computable(copy: Harmonised, sources: Sequence[Harmonised]) -> bool:
    """Whether a stack is derived, and each step that made it can be done again from these images."""
    steps = copy.record.derived
    return bool(steps) and all(step in SOURCES and SOURCES[step](copy, sources) for step in steps)


def has_volume(copy: Harmonised, sources: Iterable[Harmonised]) -> bool:
    """Is there the 3D image that a projection or a reformat was made from?"""
    return any(
        s.record.dim == "3d" and _alike(copy, s, OWN) and _not_unlike(copy, s) and _same_frame(copy.stack, s.stack)
        for s in sources
    )


def has_minuends(copy: Harmonised, sources: Sequence[Harmonised]) -> bool:
    """Are there the images that a subtraction was made from: a DCE's phases, or one without and one with agent?

    A subtraction that nothing else was done to lies on the grid of its sources.
    """
    is_plain = copy.record.derived == ("sub",)
    near = [
        s
        for s in sources
        if _not_unlike(copy, s)
        and _same_frame(copy.stack, s.stack)
        and (not is_plain or has_same_grid(copy.stack, s.stack))
    ]
    phases = [s for s in near if s.record.sequence == "DCE" and copy.record.sequence in ("DCE", "T1w", "angio")]
    before = [s for s in near if s.record.agent == "without" and s.record.sequence == copy.record.sequence]
    after = [s for s in near if s.record.agent == "with"]
    return len(phases) > 1 or any(
        _alike(b, a, OF_A_PAIR) and has_same_grid(b.stack, a.stack) for b, a in product(before, after)
    )


SOURCES: Mapping[str, Callable[[Harmonised, Sequence[Harmonised]], bool]] = {
    "sub": has_minuends,
    "mip": has_volume,
    "minip": has_volume,
    "mpr": has_volume,
}
"""By the word of ``derived``, whether the session's kept images hold what such a copy is computed from."""


def has_same_grid(one: Stack, other: Stack) -> bool:
    """Whether two stacks have their voxels at the same places; without a position in both headers they have not."""
    a, b = one.first, other.first
    return (
        (a.Rows, a.Columns, one.n_slices) == (b.Rows, b.Columns, other.n_slices)
        and bool(a.ImagePositionPatient)
        and agree(a.ImageOrientationPatient, b.ImageOrientationPatient)
        and _close(a.ImagePositionPatient, b.ImagePositionPatient)
        and _close(one.instances[-1].ImagePositionPatient, other.instances[-1].ImagePositionPatient)
        and _close(a.PixelSpacing, b.PixelSpacing)
    )


def _close(one: Sequence[float], other: Sequence[float]) -> bool:
    return len(one) == len(other) and all(isclose(x, y, abs_tol=SAME_MM) for x, y in zip(one, other, strict=True))


def _alike(one: Harmonised, other: Harmonised, names: Iterable[str]) -> bool:
    return all(getattr(one.record, name) == getattr(other.record, name) for name in names)


def _not_unlike(one: Harmonised, other: Harmonised) -> bool:
    """Whether two records never say different things of what both tell."""
    pairs = ((getattr(one.record, name), getattr(other.record, name)) for name in WHERE_TOLD)
    return all(a == b or "unknown" in (a, b) for a, b in pairs)


def _same_frame(one: Stack, other: Stack) -> bool:
    """Whether two stacks lie in one frame of reference, as far as both tell theirs."""
    a, b = one.first.FrameOfReferenceUID, other.first.FrameOfReferenceUID
    return a == b or not (a and b)
