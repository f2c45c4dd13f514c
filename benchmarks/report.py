"""Tables of a benchmark as text, as Markdown, and a curve as a small SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the report; all cells are text. ``note`` stands below it."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def as_text(table: Table) -> str:
    """The table with columns aligned."""
    rows = [table.columns, *table.rows]
    widths = [max(len(row[k]) for row in rows) for k in range(len(table.columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    rule = "-" * max(map(len, lines))
    return "\n".join(["", table.title, rule, lines[0], rule, *lines[1:], *([table.note] if table.note else [])])


def as_markdown(table: Table) -> str:
    """The table as Markdown under a heading."""

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    body = "\n".join([line(table.columns), line(["---"] * len(table.columns)), *map(line, table.rows)])
    note = f"\n{table.note}\n" if table.note else ""
    return f"### {table.title}\n\n{body}\n{note}"


def write_block(page: Path, text: str) -> None:
    """Replace what stands between the two marks of a page. Raises ``SystemExit`` where the page has no such marks."""
    old = page.read_text(encoding="utf-8")
    head, begin, rest = old.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{page}: there are no lines {BEGIN} and {END} to write between")
    page.write_text(f"{head}{BEGIN}\n\n{text.strip()}\n\n{END}{tail}", encoding="utf-8")


Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT, LEFT, BOTTOM = 520, 320, 60, 45
INKS = ("#00796b", "#c2185b", "#5e35b1", "#ef6c00")


def curve_svg(curves: Sequence[tuple[str, Points]], lowest: float) -> str:
    """Coverage (0 to 1) along x, accuracy (``lowest`` to 1) along y, one line a set."""
    across, up = WIDTH - LEFT - 15, HEIGHT - BOTTOM - 15

    def x(coverage: float) -> float:
        return LEFT + across * coverage

    def y(accuracy: float) -> float:
        return 15 + up * (1 - (max(accuracy, lowest) - lowest) / (1 - lowest))

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        'font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for tick in range(6):
        coverage, accuracy = tick / 5, lowest + (1 - lowest) * tick / 5
        parts.append(f'<path d="M{LEFT} {y(accuracy):.1f}h{across}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y(accuracy) + 4:.1f}" text-anchor="end">{100 * accuracy:.0f} %</text>')
        parts.append(
            f'<text x="{x(coverage):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{100 * coverage:.0f} %</text>'
        )
    parts.append(f'<text x="{LEFT + across / 2}" y="{HEIGHT - 8}" text-anchor="middle">answered</text>')
    middle = 15 + up / 2
    parts.append(
        f'<text x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">'
        "right among answered</text>"
    )
    for k, (name, points) in enumerate(curves):
        ink = INKS[k % len(INKS)]
        line = " ".join(f"{x(c):.1f},{y(a):.1f}" for c, a in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{ink}" stroke-width="2"/>')
        parts.extend(f'<circle cx="{x(c):.1f}" cy="{y(a):.1f}" r="3" fill="{ink}"/>' for c, a in points)
        parts.append(f'<text x="{LEFT + 10}" y="{HEIGHT - BOTTOM - 10 - 16 * k}" fill="{ink}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])
