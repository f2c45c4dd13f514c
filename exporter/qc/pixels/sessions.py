"""The checks of voxels that look at all images of a session together (codes B06 to B09, T06 and T07)."""

from __future__ import annotations

from collections.abc import Mapping

from ..check import INFO, NO_TOLERANCES, WARNING, Check, Finding, run_checks
from .diffusion import STILL, does_not_fall, odd_units, other_adc, other_grid
from .dynamic import agent_in_vain, agent_not_named, not_enhancing
from .siblings import Siblings

ENHANCED = 1.2

SIBLINGS: tuple[Check[Siblings], ...] = (
    Check("B06", "acquisition", WARNING, "ADC map on another grid than its diffusion", other_grid),
    Check("B07", "acquisition", WARNING, "ADC units implausible", odd_units, source="0.2 to 4e-3 mm2/s"),
    Check("B08", "acquisition", WARNING, "the scanner's ADC differs from that of the b-values", other_adc, 0.8, "r"),
    Check("B09", "acquisition", WARNING, "signal does not fall with b", does_not_fall, STILL, "ratio"),
    Check("T06", "acquisition", WARNING, "no enhancement", not_enhancing, ENHANCED, "ratio"),
    Check("T07", "acquisition", WARNING, "contrast agent without enhancement", agent_in_vain, ENHANCED, "ratio"),
    Check("T07", "acquisition", INFO, "enhancement without a contrast agent", agent_not_named, ENHANCED, "ratio"),
)


def check_siblings(
    siblings: Siblings, name: str = "", tolerances: Mapping[str, float] = NO_TOLERANCES
) -> tuple[Finding, ...]:
    """Every finding on the images of one session, whose (private) id is ``name``. Findings name their stacks."""
    return run_checks(SIBLINGS, siblings, name, tuple(siblings.sketches), tolerances)
