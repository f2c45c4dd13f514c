"""A pelvis of smooth ellipsoids with a texture that changes slowly from slice to slice, and what a scanner sees of it.

Spin echo, spoiled gradient echo and diffusion weighting as in Bernstein, King and Zhou, Handbook of MRI Pulse Sequences
(2004), chapters 14 to 17; the noise of a magnitude image is Rician (Gudbjartsson and Patz 1995,
doi:10.1002/mrm.1910340618).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .grids import Grid

Image = NDArray[np.float32]

FULL_SCALE = 1800.0  # what the brightest tissue of a magnitude image is stored as, in 12 bits
INJECTION_S = 22.0  # contrast arrives this long after a dynamic scan began


@dataclass(frozen=True)
class Tissue:
    """Proton density (relative), T1 and T2 (ms), ADC (10⁻³ mm²/s), share of fat, uptake of agent (1/s), CT (HU)."""

    density: float
    t1: float
    t2: float
    adc: float
    fat: float
    uptake: float
    hounsfield: float


AIR = Tissue(0.0, 1000, 50, 1.0, 0.0, 0.0, -1000)
FAT = Tissue(0.95, 350, 70, 0.35, 0.9, 0.05, -100)
MUSCLE = Tissue(0.8, 1200, 40, 1.3, 0.05, 0.6, 55)
BLADDER = Tissue(1.0, 3500, 900, 2.6, 0.0, 0.0, 5)
GLAND = Tissue(0.9, 1450, 95, 1.55, 0.03, 1.8, 45)
LESION = Tissue(0.85, 1350, 75, 0.75, 0.0, 4.0, 50)
BONE = Tissue(0.5, 600, 45, 0.5, 0.4, 0.2, 350)
VESSEL = Tissue(0.85, 1600, 150, 1.8, 0.0, 6.0, 45)

# Centre and half axes in mm (LPS), from the outside in.
PARTS: tuple[tuple[Tissue, tuple[float, float, float], tuple[float, float, float]], ...] = (
    (FAT, (0, 0, 0), (132, 98, 330)),
    (MUSCLE, (0, 2, 0), (116, 80, 300)),
    (BONE, (-78, 20, -10), (22, 26, 70)),
    (BONE, (78, 20, -10), (22, 26, 70)),
    (VESSEL, (-48, -45, 0), (9, 9, 250)),
    (VESSEL, (48, -45, 0), (9, 9, 250)),
    (BLADDER, (0, -42, 12), (34, 26, 42)),
    (GLAND, (0, 8, -4), (36, 28, 48)),
    (LESION, (12, 12, -6), (13, 12, 24)),
    (FAT, (0, 62, -8), (22, 14, 90)),
)


@dataclass(frozen=True)
class Anatomy:
    """One patient in one grid: every property as an array (slices, rows, columns)."""

    density: Image
    t1: Image
    t2: Image
    adc: Image
    fat: Image
    uptake: Image
    hounsfield: Image
    body: NDArray[np.bool_]


def draw(grid: Grid, patient: int) -> Anatomy:
    """The patient of that number, seen on a grid. Two scans of one patient show the same organs."""
    rng = np.random.default_rng([patient, 77])
    points = grid.points()
    size = 1 + rng.uniform(-0.08, 0.08)
    shape = points.shape[:3]
    names = ("density", "t1", "t2", "adc", "fat", "uptake", "hounsfield")
    maps = {name: np.full(shape, getattr(AIR, name), np.float32) for name in names}
    body = np.zeros(shape, bool)
    for tissue, centre, axes in PARTS:
        wander = rng.uniform(-3, 3, 3)
        away = ((points - np.array(centre) - wander).astype(np.float32) / (np.array(axes, np.float32) * size)) ** 2
        radius = np.sqrt(away.sum(-1))
        inside = np.clip((1 - radius) * min(axes) * size / (1.5 * grid.pixel) + 0.5, 0, 1)
        body |= inside > 0.5
        for name in names:
            maps[name] += inside * (getattr(tissue, name) - maps[name])
    grain = texture(points, rng)
    maps["density"] *= 1 + 0.07 * grain
    maps["adc"] *= 1 + 0.05 * texture(points, rng)
    maps["hounsfield"] += np.where(body, 12 * grain, 0)
    return Anatomy(**maps, body=body)


def texture(points: Image, rng: np.random.Generator) -> Image:
    """A sum of plane waves of 12 to 40 mm in plane and 60 mm or more from head to feet, of unit variance."""
    total = np.zeros(points.shape[:3], np.float32)
    for _ in range(6):
        across, angle, along = rng.uniform(12, 40), rng.uniform(0, 2 * np.pi), rng.uniform(60, 200)
        wave = 2 * np.pi * np.array([np.cos(angle) / across, np.sin(angle) / across, 1 / along], np.float32)
        total += np.cos(points @ wave + np.float32(rng.uniform(0, 6.3)))
    return total / np.float32(np.sqrt(3))


def spin_echo(a: Anatomy, tr: float, te: float, fatsat: bool = False) -> Image:
    """A spin-echo signal; ``tr`` and ``te`` in ms."""
    return a.density * (1 - np.exp(-tr / a.t1)) * np.exp(-te / a.t2) * _suppressed(a, fatsat)


def gradient_echo(
    a: Anatomy, tr: float, te: float, flip: float, fatsat: bool = False, after_s: float | None = None, dose: float = 1.0
) -> Image:
    """A spoiled gradient echo, so many seconds after a dynamic scan began; without time, before any contrast."""
    rate = 1000.0 / a.t1
    if after_s is not None and after_s > INJECTION_S:
        rate = rate + dose * a.uptake * np.float32(1 - np.exp(-(after_s - INJECTION_S) / 25.0))
    recovery, angle = np.exp(-tr * rate / 1000.0), np.deg2rad(flip)
    signal = a.density * np.sin(angle) * (1 - recovery) / (1 - np.cos(angle) * recovery)
    return signal * np.exp(-te / (a.t2 * 0.5)) * _suppressed(a, fatsat)


def diffusion(a: Anatomy, b: float, te: float) -> Image:
    """A fat-suppressed diffusion-weighted signal; ``b`` in s/mm²."""
    return spin_echo(a, 6000, te, fatsat=True) * np.exp(-b * a.adc * 1e-3)


def dixon(a: Anatomy, tr: float, flip: float) -> dict[str, Image]:
    """Water, fat, in-phase and opposed-phase signals."""
    signal = gradient_echo(a, tr, 1.3, flip)
    water, fat = signal * (1 - a.fat), signal * a.fat
    return {"water": water, "fat": fat, "inphase": water + fat, "opposed": np.abs(water - fat)}


def measured(
    signals: Mapping[str, Image], rng: np.random.Generator, snr: float = 45.0, like: Sequence[str] = ()
) -> dict[str, Image]:
    """Rician images on one common scale; ``snr`` is that of the brightest tissue of those in ``like`` (all)."""
    top = max(float(np.percentile(signals[name], 99.5)) for name in (like or signals))
    gain, noise = FULL_SCALE / top, FULL_SCALE / snr / 2
    return {name: magnitude(gain * signal, noise, rng) for name, signal in signals.items()}


def magnitude(signal: Image, noise: float, rng: np.random.Generator) -> Image:
    """The modulus of a signal with complex Gaussian noise."""
    real, imaginary = rng.standard_normal((2, *signal.shape), np.float32) * np.float32(noise)
    return np.hypot(signal + real, imaginary)


def fitted_adc(images: Mapping[float, Image], floor: float) -> Image:
    """The log-linear fit over acquired b, in 10⁻⁶ mm²/s; 0 where the lowest b gives less than ``floor``."""
    bs = np.array(sorted(images), np.float32)
    logs = np.log(np.maximum(np.stack([images[b] for b in sorted(images)]), 1.0))
    centred = bs - bs.mean()
    slope = np.tensordot(centred, logs, axes=1) / (centred @ centred)
    return np.where(images[float(bs[0])] > floor, np.clip(-slope * 1e6, 1, 4000), 0).astype(np.float32)


def _suppressed(a: Anatomy, fatsat: bool) -> Image:
    return 1 - a.fat * 0.95 if fatsat else np.ones_like(a.fat)
