"""What a finding calls one stack among others: words of the vocabulary and numbers, never an identifier."""

from __future__ import annotations

from ...harmonise import Harmonised


def place_of(h: Harmonised) -> str:
    """SeriesNumber with what tells the stack from others of its series: the same from run to run."""
    record, stack = h.record, h.stack
    parts = (
        f"series {stack.first.SeriesNumber or 0}",
        record.plane,
        record.dixon,
        record.part,
        *(f"{name} {index}" for name, index in indices(h) if index is not None),
    )
    return " ".join(parts)


def indices(h: Harmonised) -> tuple[tuple[str, int | None], ...]:
    """The indices of a stack within its acquisition."""
    return ("phase", h.stack.phase_index), ("echo", h.stack.echo_index), ("flip", h.stack.flip_index)
