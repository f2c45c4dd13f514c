"""The history of cycles as a picture: how many issues were open after each, by severity, and what became of the others.

Each count stands from its cycle to the next one, so the curves are stairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...select.drawing import Box, Page, Shape, Text, width_of
from ...tables import write_private
from ..check import ERROR, INFO, WARNING
from .cycles import Cycle
from .row import OPEN, RESOLVED, WAIVED

CURVE_FILES = ("qc-history.svg", "qc-history.png")
WIDTH, HEIGHT = 720.0, 190.0
LEFT, RIGHT, TOP, GAP = 56.0, 130.0, 68.0, 54.0
LINE, DOT, SIZE, SMALL = 1.2, 5.0, 9.0, 8.0
INK, GREY, PALE = "#0f172a", "#64748b", "#e2e8f0"
MOST_TICKS = 5
LABEL_ROOM = 12.0
DAY_WIDTH = 62.0


@dataclass(frozen=True, slots=True)
class Curve:
    """One count by cycle, with its name and colour."""

    name: str
    color: str
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """The place of one diagram on the page: ``bottom`` is its axis, ``highest`` the number at its top."""

    bottom: float
    highest: int
    cycles: int

    def x(self, position: float) -> float:
        """Where a cycle stands, counted from 0; the last one is held for a step as well."""
        return LEFT + (WIDTH - LEFT - RIGHT) * position / self.cycles

    def y(self, value: float) -> float:
        """How high a count stands."""
        return self.bottom - HEIGHT * value / self.highest


def history_page(cycles: Sequence[Cycle], title: str) -> Page:
    """The two diagrams: what is open by severity, and what was waived and resolved in all. Needs a cycle at least."""
    opened = [
        Curve("errors", "#b91c1c", _values(cycles, OPEN, ERROR)),
        Curve("warnings", "#b45309", _values(cycles, OPEN, WARNING)),
        Curve("infos", "#475569", _values(cycles, OPEN, INFO)),
    ]
    settled = [
        Curve("resolved", "#15803d", tuple(c.total(RESOLVED) for c in cycles)),
        Curve("waived", "#6d28d9", tuple(c.total(WAIVED) for c in cycles)),
    ]
    shapes: list[Shape] = [Text(LEFT, 24, title, 13.0, is_bold=True)]
    bottom = TOP + HEIGHT
    shapes += _diagram("Open issues, by severity", opened, Frame(bottom, _top(opened), len(cycles)), cycles)
    bottom += GAP + HEIGHT + 20
    shapes += _diagram("Settled issues", settled, Frame(bottom, _top(settled), len(cycles)), cycles)
    return Page(WIDTH, bottom + 44, tuple(shapes))


def write_curve(work: Path, cycles: Sequence[Cycle], title: str) -> tuple[Path, ...]:
    """``qc-history.svg`` and ``qc-history.png`` in the work folder."""
    page = history_page(cycles, title)
    paths = tuple(work / name for name in CURVE_FILES)
    for path, data in zip(paths, (page.to_svg(), page.to_png()), strict=True):
        write_private(path, data)
    return paths


def _values(cycles: Sequence[Cycle], state: str, severity: str) -> tuple[int, ...]:
    return tuple(c.counts.get((state, severity), 0) for c in cycles)


def _top(curves: Sequence[Curve]) -> int:
    """The number at the top of the axis: a round one above all values."""
    step = _step(max((max(c.values, default=0) for c in curves), default=0))
    highest = max((max(c.values, default=0) for c in curves), default=0)
    return max(step, -(-highest // step) * step)


def _step(highest: int) -> int:
    """The distance of ticks: 1, 2 or 5 times a power of ten, so that there are few.

    >>> _step(3), _step(17), _step(4200)
    (1, 5, 1000)
    """
    power = 1
    while True:
        for factor in (1, 2, 5):
            if highest <= factor * power * MOST_TICKS:
                return factor * power
        power *= 10


def _diagram(title: str, curves: Sequence[Curve], frame: Frame, cycles: Sequence[Cycle]) -> Iterator[Shape]:
    yield Text(LEFT, frame.bottom - HEIGHT - 12, title, SIZE + 1, is_bold=True)
    for value in range(0, frame.highest + 1, _step(max(max(c.values) for c in curves))):
        color = GREY if value == 0 else PALE
        yield Box(LEFT, frame.y(value), WIDTH - LEFT - RIGHT, 0.1, color, color)
        yield Text(LEFT - 8, frame.y(value) + 3, f"{value:,}", SMALL, color=GREY, anchor="end")
    yield from _axis(frame, cycles)
    for curve in reversed(curves):  # the gravest lies on top
        yield from _stairs(curve, frame)
    yield from _names(curves, frame)


def _axis(frame: Frame, cycles: Sequence[Cycle]) -> Iterator[Shape]:
    """The numbers of the cycles, as many as there is room for, with the day of each."""
    yield Text(LEFT - 8, frame.bottom + 15, "cycle", SMALL, color=GREY, anchor="end")
    between = max(1, round(DAY_WIDTH / (frame.x(1) - frame.x(0)) + 0.49))
    for position in range(0, len(cycles), between):
        cycle = cycles[position]
        yield Text(frame.x(position), frame.bottom + 15, str(cycle.number), SMALL, color=INK)
        yield Text(frame.x(position), frame.bottom + 27, cycle.when[:10], SMALL, color=GREY)


def _stairs(curve: Curve, frame: Frame) -> Iterator[Shape]:
    before = None
    for position, value in enumerate(curve.values):
        x, y = frame.x(position), frame.y(value)
        yield Box(x, y - LINE / 2, frame.x(position + 1) - x, LINE, curve.color, curve.color)
        if before is not None and before != value:
            high, low = sorted((y, frame.y(before)))
            yield Box(x - LINE / 2, high, LINE, low - high, curve.color, curve.color)
        if frame.x(1) - frame.x(0) > 3 * DOT:
            yield Box(x - DOT / 2, y - DOT / 2, DOT, DOT, curve.color, curve.color)
        before = value


def _names(curves: Sequence[Curve], frame: Frame) -> Iterator[Shape]:
    """The name of every curve at its right end, pushed apart where they would lie on each other."""
    lowest = frame.bottom
    ranks = {curve.name: -position for position, curve in enumerate(curves)}
    for curve in sorted(curves, key=lambda c: (c.values[-1], ranks[c.name])):
        y = min(frame.y(curve.values[-1]), lowest)
        lowest = y - LABEL_ROOM
        name = f"{curve.name}: {curve.values[-1]:,}"
        size = SIZE if width_of(name, SIZE, is_bold=True) < RIGHT - 12 else SMALL
        yield Text(WIDTH - RIGHT + 8, y + 3, name, size, is_bold=True, color=curve.color)
