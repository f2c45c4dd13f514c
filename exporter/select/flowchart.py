"""The flow as a diagram in the manner of CONSORT: what remains runs down, what leaves stands beside it, with why.

Schulz et al. 2010, doi:10.1136/bmj.c332, figure 1, with the units of an imaging trial.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .drawing import Arrow, Box, Page, Shape, Text, width_of, wrapped
from .flow import CRITERION, MILESTONE, UNITS, Counts, Flow, Line, Step

WIDTH, MARGIN = 800.0, 24.0
MAIN_WIDTH, SIDE_WIDTH = 320.0, 404.0
MAIN_LEFT, SIDE_LEFT = MARGIN, WIDTH - MARGIN - SIDE_WIDTH
AXIS = MAIN_LEFT + MAIN_WIDTH / 2
PADDING, LINE, GAP = 8.0, 13.0, 12.0
SIZE, SMALL = 9.0, 8.0
MOST_REASONS = 6
PALE, BLUE, WARM, GREY, AMBER = "#f8fafc", "#dbeafe", "#fff7ed", "#64748b", "#b45309"
WHITE = "#ffffff"
ONE = {"subjects": "subject", "sessions": "session", "series": "series", "stacks": "stack"}
NAME_WIDTH, COLUMN_GAP = 330.0, 12.0


@dataclass(frozen=True, slots=True)
class _Words:
    """One line of a box."""

    text: str
    size: float = SIZE
    is_bold: bool = False
    color: str = "#0f172a"


def flowchart(flow: Flow, title: str = "") -> Page:
    """The diagram of a flow. Steps of the tool at which nothing left are not drawn; criteria always are."""
    shapes: list[Shape] = []
    y = MARGIN
    if title:
        shapes.append(Text(MARGIN, y + 14, title, 13.0, is_bold=True))
        y += 30
    start, lines = y, list(_shown(flow))
    for number, line in enumerate(lines):
        is_criterion = line.step.kind == CRITERION
        if line.step.kind == MILESTONE:
            box = [_Words(line.step.sentence, SIZE + 1, is_bold=True), _Words(counted(line.total.remaining))]
            shapes += _boxed(box, MAIN_LEFT, y, MAIN_WIDTH, BLUE)
            y += _height(box) + GAP
            continue
        box = _side(line)
        shapes.append(Arrow(AXIS, y + _height(box) / 2, SIDE_LEFT, y + _height(box) / 2))
        shapes += _boxed(box, SIDE_LEFT, y, SIDE_WIDTH, WARM if is_criterion else PALE)
        y += _height(box) + GAP
        if is_criterion and lines[number + 1].step.kind != MILESTONE:
            box = [_Words(counted(line.total.remaining))]
            shapes += _boxed(box, MAIN_LEFT, y, MAIN_WIDTH, WHITE)
            y += _height(box) + GAP
    shapes.insert(0, Arrow(AXIS, start + 1, AXIS, y - GAP - 1, has_point=False))
    if flow.without_images:
        y += LINE
        shapes.append(Text(MARGIN, y, _without_images(flow.without_images), SIZE, color=GREY))
        y += GAP
    table, bottom = _by_site(lines, y + GAP)
    return Page(WIDTH, bottom + MARGIN, (*shapes, *table))


def _shown(flow: Flow) -> Iterator[Line]:
    for line in flow.lines:
        removed = line.total.removed
        if line.step.kind in (MILESTONE, CRITERION) or removed.series or removed.stacks:
            yield line


def _side(line: Line) -> list[_Words]:
    """The box of what left: why, how many, of how many it could not be told."""
    width = SIDE_WIDTH - 2 * PADDING
    words = [_Words(part, is_bold=True) for part in wrapped(line.step.sentence, width, SIZE, is_bold=True)]
    if line.step.kind == CRITERION:
        words.append(_Words(_asked(line.step), SMALL, color=GREY))
    out = counted(line.total.removed, only_some=True)
    words.append(_Words(f"out: {out}") if out else _Words("out: none", color=GREY))
    if doubt := counted(line.total.untold, only_some=True):
        untold = f"of these could not be told: {doubt}"
        words += [_Words(part, color=AMBER) for part in wrapped(untold, width, SIZE)]
    for reason in line.reasons[:MOST_REASONS]:
        n = reason.stacks or reason.series
        unit = "stacks" if reason.stacks else "series"
        text = f"{n:,} {ONE[unit] if n == 1 else unit}: {reason.sentence or reason.reason}"
        words += [_Words(part, SMALL, color=GREY) for part in wrapped(text, width, SMALL)]
    if len(line.reasons) > MOST_REASONS:
        words.append(_Words(f"and {len(line.reasons) - MOST_REASONS} more reasons", SMALL, color=GREY))
    return words


def _named(step: Step) -> str:
    """A step as a line of the table: sentences of criteria may begin alike."""
    name = step.id.partition("-")[2]
    return f"{name}: {step.sentence}" if step.kind == CRITERION else step.sentence


def _asked(step: Step) -> str:
    """The id of a criterion, and how its sentence is meant."""
    name = step.id.partition("-")[2]
    return f"{name}: no such {step.level}" if step.asks == "exclude" else f"{name}: asked of each {step.level}"


def counted(counts: Counts, *, only_some: bool = False) -> str:
    """Counts in words; with ``only_some`` without units of which there are none.

    >>> counted(Counts(1, 2, 1200, 3400)), counted(Counts(series=1), only_some=True)
    ('1 subject, 2 sessions, 1,200 series, 3,400 stacks', '1 series')
    """
    numbers = ((unit, getattr(counts, unit)) for unit in UNITS)
    return ", ".join(f"{n:,} {ONE[unit] if n == 1 else unit}" for unit, n in numbers if n or not only_some)


def _height(words: Sequence[_Words]) -> float:
    return len(words) * LINE + 2 * PADDING - 3


def _boxed(words: Sequence[_Words], x: float, y: float, width: float, fill: str) -> Iterator[Shape]:
    yield Box(x, y, width, _height(words), fill)
    for number, w in enumerate(words):
        yield Text(x + PADDING, y + PADDING + LINE * number + 8, w.text, w.size, w.is_bold, w.color)


def _without_images(n: int) -> str:
    """What stands beside the flow."""
    return f"{n:,} {'subject' if n == 1 else 'subjects'} of the clinical tables without images"


def _by_site(lines: Sequence[Line], y: float) -> tuple[list[Shape], float]:
    """A table of the subjects that remain after each step at each site, in as many parts as fit, and its lower end."""
    shapes: list[Shape] = []
    sites = list(lines[0].sites) if lines else []
    for part in _parts(sites):
        y += LINE
        cells = [["Subjects that remain, by site", *(site for site, _ in part)]]
        for line in lines:
            cells.append([_named(line.step), *(f"{line.sites[site].remaining.subjects:,}" for site, _ in part)])
        for number, (name, *numbers) in enumerate(cells):
            is_head = number == 0
            shapes.append(Text(MARGIN, y, _short(name, is_head), SMALL, is_bold=is_head))
            right = MARGIN + NAME_WIDTH
            for text, (_, width) in zip(numbers, part, strict=True):
                right += width
                shapes.append(Text(right, y, text, SMALL, is_bold=is_head, anchor="end"))
            y += LINE
    return shapes, y


def _parts(sites: Sequence[str]) -> Iterator[list[tuple[str, float]]]:
    """The sites with the widths of their columns, so many at a time as fit beside the steps."""
    part: list[tuple[str, float]] = []
    left = room = WIDTH - 2 * MARGIN - NAME_WIDTH
    for site in sites:
        width = max(width_of(site, SMALL, is_bold=True), width_of("10,000", SMALL)) + COLUMN_GAP
        if part and width > left:
            yield part
            part, left = [], room
        part.append((site, width))
        left -= width
    if part:
        yield part


def _short(name: str, is_bold: bool) -> str:
    """The beginning of a sentence that is too long for its column."""
    lines = wrapped(name, NAME_WIDTH - COLUMN_GAP, SMALL, is_bold=is_bold)
    return lines[0] if len(lines) == 1 else f"{lines[0]} …"
