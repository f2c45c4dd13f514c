"""The picture of the history says what the table of cycles says."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from test_qc_ledger import cycle, gap

from trialbids.exporter.qc.ledger.curve import history_page, write_curve
from trialbids.exporter.qc.ledger.cycles import Cycle, read_cycles
from trialbids.exporter.select.drawing import Box, Text

RED, GREEN = "#b91c1c", "#15803d"


def words(cycles: list[Cycle]) -> list[str]:
    return [shape.text for shape in history_page(cycles, "Title").shapes if isinstance(shape, Text)]


def heights(cycles: list[Cycle], color: str) -> list[float]:
    """How high the curve of a colour stands after each cycle."""
    flat = [s for s in history_page(cycles, "").shapes if isinstance(s, Box) and s.fill == color and s.height < 2]
    return [-step.y for step in sorted(flat, key=lambda s: s.x)]


def counted(number: int, **counts: int) -> Cycle:
    parts = {(name.split("_")[0], name.split("_")[1]): n for name, n in counts.items()}
    return Cycle(number, f"2026-03-{number % 28 + 1:02}T09:00:00", "1.0", ("header",), parts)


def test_the_curves_follow_the_counts() -> None:
    cycles = [counted(1, open_error=9), counted(2, open_error=4, resolved_error=5), counted(3, open_error=6)]
    first, second, third = heights(cycles, RED)
    assert first > third > second
    assert (first - second) / (third - second) == pytest.approx(5 / 2)
    before, at, after = heights(cycles, GREEN)
    assert at > before == after
    assert {"errors: 6", "warnings: 0", "resolved: 0", "1", "2", "3", "2026-03-02"} <= set(words(cycles))


def test_names_and_ticks_do_not_lie_on_each_other() -> None:
    for n in (1, 2, 40, 300):
        shapes = history_page([counted(k + 1, open_warning=n) for k in range(n)], "").shapes
        texts = [s for s in shapes if isinstance(s, Text)]
        named = sorted(s.y for s in texts if re.match("(errors|warnings|infos): ", s.text))
        assert min(b - a for a, b in pairwise(named)) >= 11
        days = sorted(s.x for s in texts if s.text.startswith("2026-"))[::2]
        assert all(b - a > 50 for a, b in pairwise(days))
        assert max(s.x for s in texts) < 720


def test_it_is_written_into_the_work_folder_and_the_same_twice(tmp_path: Path) -> None:
    cycle(tmp_path, gap())
    svg, png = write_curve(tmp_path, read_cycles(tmp_path), "Issues & cycles")
    drawn = svg.read_bytes(), png.read_bytes()
    assert b"Issues &amp; cycles" in drawn[0] and drawn[1].startswith(b"\x89PNG")
    write_curve(tmp_path, read_cycles(tmp_path), "Issues & cycles")
    assert (svg.read_bytes(), png.read_bytes()) == drawn
