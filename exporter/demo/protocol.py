"""The trial's protocol: grids and physics all centres share, and the words a reader would find."""

from __future__ import annotations

from .geometry import Grid
from .series import Expected

PHASES = 6

T2_SAG = Grid("sag", (96, 96), 2.6, 20, 5.0, 4.0, (0.0, 0.0, 12.0))
T2_AX = Grid("ax", (96, 96), 2.7, 16, 5.5, 4.5, (0.0, 0.0, 12.0), tilt_deg=6.0)
T1_AX = Grid("ax", (64, 64), 5.4, 12, 6.0, 6.0, (0.0, 0.0, 12.0))
DWI_AX = Grid("ax", (64, 64), 5.4, 12, 6.5, 5.5, (0.0, 0.0, 12.0))
LOCALIZER = tuple(Grid(plane, (64, 64), 6.0, 3, 20.0, 8.0, (0.0, 0.0, 10.0)) for plane in ("ax", "sag", "cor"))


def t2w(plane: str, **changes: str) -> Expected:
    """A T2-weighted turbo spin echo."""
    return Expected(sequence="T2w", plane=plane, dim="2d", technique="tse", fatsat="none", **changes)


def localizer(plane: str, technique: str) -> Expected:
    """One orientation of the localizer."""
    return Expected(
        sequence="localizer",
        plane=plane,
        dim="2d",
        technique=technique,
        fatsat="none",
        decision="exclude",
        stack_key=plane,
    )


def dixon(product: str, *, key: str = "all", technique: str = "vibe") -> Expected:
    """One product of the T1-weighted Dixon."""
    return Expected(
        sequence="T1w", plane="ax", dim="3d", technique=technique, fatsat="none", dixon=product, stack_key=key,
        acquisition="dixon",
    )  # fmt: skip


def trace(bvalues: tuple[float, ...]) -> Expected:
    """The trace-weighted images of all b-values: one 4D stack."""
    return Expected(
        sequence="trace", plane="ax", dim="2d", technique="epi", fatsat="fs", acquisition="dwi",
        bvalues=" ".join(f"{b:g}" for b in bvalues),
    )  # fmt: skip


def adc() -> Expected:
    """The map fitted to the trace-weighted images."""
    return Expected(sequence="ADC", plane="ax", dim="2d", technique="epi", fatsat="fs", part="*", acquisition="dwi")


def dce(index: int, time_s: float, source: str, *, key: str = "all") -> Expected:
    """One phase (from 1) of the dynamic acquisition; the first is before the contrast agent."""
    return Expected(
        sequence="DCE", plane="ax", dim="3d", technique="vibe", fatsat="fs", acquisition="dce", stack_key=key,
        agent="with" if index > 1 else "without|unknown",
        phase_index=str(index), phase_time_s=f"{time_s:g}", phase_time_source=source,
    )  # fmt: skip


def late() -> Expected:
    """The fat-suppressed T1 after the dynamic acquisition."""
    return Expected(sequence="T1w", plane="ax", dim="3d", technique="vibe", fatsat="fs", agent="with")
