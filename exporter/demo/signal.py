"""What a scanner would measure of the phantom: textbook signal equations, and the noise of a magnitude image.

Spin echo and spoiled gradient echo as in Bernstein, King and Zhou, Handbook of MRI Pulse Sequences (2004), chapters
14 and 16; a magnitude of complex Gaussian noise is Rician (Gudbjartsson and Patz 1995, doi:10.1002/mrm.1910340618).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .geometry import Grid
from .phantom import Phantom

Image = NDArray[np.float64]

FAT_LEFT = 0.05  # what fat suppression leaves of the fat signal
INJECTION_S = 25.0  # contrast arrives this long after the first phase of a dynamic acquisition


@dataclass
class Scanner:
    """One patient in the bore. Every call draws new noise from ``rng``; all images are (slices, rows, columns)."""

    phantom: Phantom
    rng: np.random.Generator
    _labels: dict[Grid, NDArray[np.uint8]] = field(default_factory=dict)
    _coil: dict[Grid, Image] = field(default_factory=dict)

    def __post_init__(self) -> None:
        tissues = self.phantom.tissues
        self._density = np.array([t.density for t in tissues])
        self._t1 = np.array([t.t1 for t in tissues])
        self._t2 = np.array([t.t2 for t in tissues])
        self._adc = np.array([t.adc for t in tissues])
        self._fat = np.array([t.fat for t in tissues])
        self._uptake = np.array([t.uptake for t in tissues])
        self._wash_in = np.array([t.wash_in for t in tissues])

    def spin_echo(self, grid: Grid, tr: float, te: float, *, fatsat: bool = False) -> Image:
        """A (turbo) spin-echo image; ``tr`` and ``te`` (effective) in ms."""
        signal = self._density * (1 - np.exp(-tr / self._t1)) * np.exp(-te / self._t2)
        return self._measure(grid, signal * self._suppression(fatsat), gain=2200, noise=18)

    def gradient_echo(
        self, grid: Grid, tr: float, flip: float, *, fatsat: bool = True, after_s: float | None = None
    ) -> Image:
        """A spoiled gradient echo; ``flip`` in degrees; ``after_s`` seconds after the first dynamic phase."""
        signal = self._spoiled(tr, flip, after_s) * self._suppression(fatsat)
        return self._measure(grid, signal, gain=9000, noise=16)

    def dixon(self, grid: Grid, tr: float, flip: float) -> dict[str, Image]:
        """The four products of a two-point Dixon, made of one water and one fat measurement."""
        signal = self._spoiled(tr, flip, None)
        water = self._measure(grid, signal * (1 - self._fat), gain=7000, noise=14)
        fat = self._measure(grid, signal * self._fat, gain=7000, noise=14)
        return {"inphase": water + fat, "opposed": np.abs(water - fat), "water": water, "fat": fat}

    def diffusion(self, grid: Grid, bvalues: Sequence[float], te: float) -> tuple[dict[float, Image], Image]:
        """Trace-weighted images by b (s/mm²), and the ADC (10⁻⁶ mm²/s) fitted to them; 0 outside the body."""
        rest = self._density * np.exp(-te / self._t2) * self._suppression(True)
        traces = {b: self._measure(grid, rest * np.exp(-b * self._adc), gain=4000, noise=7) for b in bvalues}
        return traces, fit_adc(traces, floor=60.0)

    def _spoiled(self, tr: float, flip: float, after_s: float | None) -> Image:
        rate = 1000.0 / self._t1
        if after_s is not None and after_s > INJECTION_S:
            rate = rate + self._uptake * (1 - np.exp(-(after_s - INJECTION_S) / self._wash_in))
        recovery, angle = np.exp(-tr * rate / 1000.0), np.deg2rad(flip)
        return self._density * np.sin(angle) * (1 - recovery) / (1 - np.cos(angle) * recovery)

    def _suppression(self, fatsat: bool) -> Image:
        return 1 - self._fat * (1 - FAT_LEFT) if fatsat else np.ones_like(self._fat)

    def _measure(self, grid: Grid, signal: Image, gain: float, noise: float) -> Image:
        if grid not in self._labels:
            points = grid.points()
            self._labels[grid] = self.phantom.labels(points)
            self._coil[grid] = 1 + 0.12 * np.tanh(-points[..., 1] / 80.0).astype(np.float64)
        clean = (gain * signal)[self._labels[grid]] * self._coil[grid]
        real, imaginary = self.rng.standard_normal((2, *clean.shape)) * noise
        return np.hypot(clean + real, imaginary)


def fit_adc(traces: dict[float, Image], floor: float) -> Image:
    """The least-squares slope of ln S over b, in 10⁻⁶ mm²/s; 0 where the lowest b gives less than ``floor``."""
    bvalues = np.array(sorted(traces))
    logs = np.log(np.maximum(np.stack([traces[b] for b in bvalues]), 1.0))
    centred = bvalues - bvalues.mean()
    slope = np.tensordot(centred, logs, axes=1) / (centred @ centred)
    adc = np.clip(-slope * 1e6, 0, 4000)
    return np.where(traces[bvalues[0]] > floor, adc, 0.0)
