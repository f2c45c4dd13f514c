"""Ways to read the same samples, timed in turn and compared within one run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class Goal:
    """``way`` shall be this many times as fast as ``against``: what was promised, and what was hoped for."""

    way: str
    against: str
    least: float
    aim: float


@dataclass(frozen=True)
class Timed:
    """Seconds of every repeat by way, in the order they were taken, and how many samples that was."""

    title: str
    seconds: Mapping[str, list[float]]
    samples: int

    def ratios(self, way: str, against: str) -> list[float]:
        """How many times faster, repeat by repeat."""
        return [theirs / ours for ours, theirs in zip(self.seconds[way], self.seconds[against], strict=True)]

    def lines(self, base: str, goals: Iterable[Goal]) -> list[str]:
        """A table of rates and ratios to ``base``, and then the goals."""
        out = ["", f"{self.title:44}{'samples/s':>10}{'ratio':>8}{'min':>8}{'max':>8}"]
        for way, taken in self.seconds.items():
            rate = self.samples / statistics.median(taken)
            out.append(f"{way:44}{rate:10.1f}{spread(self.ratios(way, base))}")
        for goal in goals:
            ratios = self.ratios(goal.way, goal.against)
            said = "reached" if statistics.median(ratios) >= goal.least else "MISSED"
            out.append(
                f"  {goal.way} : {goal.against}{spread(ratios)}   at least {goal.least:g} {said}, aim {goal.aim:g}"
            )
        return out


def spread(ratios: list[float]) -> str:
    """Median, smallest and largest."""
    return f"{statistics.median(ratios):8.2f}{min(ratios):8.2f}{max(ratios):8.2f}"


def in_turn(title: str, ways: Mapping[str, Callable[[], object]], repeats: int, samples: int) -> Timed:
    """Run each way once in every repeat, so that a slow minute of the machine falls on all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    return Timed(title, seconds, samples)


def epoch(batches: Iterable[Any]) -> int:
    """One epoch, every image of every batch looked at by the main process; how many batches."""
    count = 0
    for batch in batches:
        count += 1
        for value in batch.values():
            image = value["data"] if isinstance(value, dict) and "data" in value else value
            if isinstance(image, torch.Tensor) and image.ndim > 3:
                image[0, 0, 0, 0, 0].item()
    return count
