"""Checks of a session against its protocol: what is missing, what is outside its range, what there is twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from trialbids.mappings.parameters import PARAMETERS
from trialbids.mappings.protocol import PICKS

from ..check import WARNING, Check, Evidence
from .fill import SHARE, Examination, Filled, competing, outside

SOURCE = "the trial's protocol"


def slot_missing(examination: Examination, _tolerance: float) -> Iterator[Evidence]:
    """No image fills a slot that the protocol requires."""
    for slot in examination.protocol.slots:
        if slot.is_required and not examination.has(slot):
            yield Evidence(f"no image for the slot {slot.slot}, which the protocol requires", slot.slot)


def limits_of(code: str) -> Callable[[Filled, float], Iterator[Evidence]]:
    """The check of the parameters that belong to a code: the picked scan lies outside the slot's limits."""

    def outside_limits(filled: Filled, share: float) -> Iterator[Evidence]:
        """A parameter of the picked scan lies outside its range, beyond the tolerance."""
        for name in outside(filled.slot, filled.picked, {code: share}):
            parameter = PARAMETERS[name]
            if parameter.check != code:
                continue
            low, high = filled.picked.measured[name]
            wanted = filled.slot.limits[name].range_for(filled.picked.vendor).words()
            is_now = f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
            yield Evidence(
                f"{filled.slot.slot}: {parameter.meaning} is {is_now} {parameter.unit}; the protocol wants {wanted}",
                f"{filled.slot.slot}.{name}", ((f"{name}_min", low), (f"{name}_max", high)),
                stacks=filled.picked.ids,
            )  # fmt: skip

    return outside_limits


def too_small(filled: Filled, _tolerance: float) -> Iterator[Evidence]:
    """The picked scan has fewer slices, or covers less, than the slot wants."""
    return limits_of("G09")(filled, SHARE)


def other_bvalues(filled: Filled, share: float) -> Iterator[Evidence]:
    """A b-value that the protocol has not, or one that it wants and that is not there (5 %, at least 10 s/mm²)."""
    wanted, slot = filled.slot.bvalues, filled.slot.slot
    if wanted is None or not filled.bvalues:
        return
    for b in filled.bvalues:
        if not any(window.holds(b, share) for window in wanted.windows):
            yield Evidence(f"{slot}: b {b:.0f} s/mm2 is not in the protocol", f"{slot}.b{b:.0f}", (("b", b),))
    for n, window in enumerate(wanted.windows):
        there = (*filled.bvalues, *(filled.calculated if window.calculated else ()))
        if window.required and not any(window.holds(b, share) for b in there):
            how = " acquired or calculated" if window.calculated else ""
            yield Evidence(f"{slot}: no b-value of {window.words()} s/mm2{how}", f"{slot}.window{n + 1}")


def several_candidates(filled: Filled, at_most: float) -> Iterator[Evidence]:
    """Several scans are meant by one slot; the slot's rules pick one, or leave it open."""
    rivals = competing(filled)
    if len(rivals) <= at_most:
        return
    place = filled.candidates.index(filled.picked) + 1
    why = PICKS[filled.by] if filled.by else "no rule tells them apart"
    yield Evidence(
        f"{filled.slot.slot}: {len(rivals)} scans for one slot; number {place} of {len(filled.candidates)} in the "
        f"order of acquisition is picked: {why}",
        filled.slot.slot, (("candidates", len(rivals)), ("picked", place)),
        stacks=tuple(i for scan in rivals for i in scan.ids),
    )  # fmt: skip


EXAMINATION: tuple[Check[Examination], ...] = (
    Check("R01", "session", WARNING, "required sequence missing", slot_missing, source=SOURCE),
)
FILLED: tuple[Check[Filled], ...] = (
    Check("R02", "acquisition", WARNING, "parameter outside its range", limits_of("R02"), SHARE, "share", SOURCE),
    Check("G09", "acquisition", WARNING, "fewer slices or less coverage", too_small, source=SOURCE),
    Check("T04", "acquisition", WARNING, "temporal resolution or duration", limits_of("T04"), SHARE, "share", SOURCE),
    Check("B04", "acquisition", WARNING, "b-value not in the protocol", other_bvalues, SHARE, "share", SOURCE),
    Check("R05", "session", WARNING, "several candidates for one slot", several_candidates, 1, "candidates", SOURCE),
)
