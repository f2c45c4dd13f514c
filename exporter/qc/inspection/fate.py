"""What becomes of what was judged wrong: it is taken out, it stays by a waiver, or it has changed since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

from ..ledger.waivers import waived_ids
from ..verdict import Waived, is_waived
from .judged import INSPECTION, Wrong, read_wrong
from .population import Released, basis_of

NO_STACK, BY_WAIVER, LEAVES, CHANGED = "no stack", "waived", "taken out", "changed"
WORDS = {
    NO_STACK: "no stack of the plan: it cannot be taken out",
    BY_WAIVER: "waived: this does not keep it out of the release",
    LEAVES: "the next export takes it out, unless it is repaired or waived before",
    CHANGED: "the release no longer holds it as it was judged",
}


def fate_of(wrong: Wrong, waived: Waived, images: Mapping[str, Released]) -> str:
    """A key of :data:`WORDS`. ``images`` are those of the tree by path."""
    name = next(aspect.name for aspect in INSPECTION if aspect.code == wrong.code)
    image = images.get(wrong.image)
    if image is None or basis_of(name, image.voxels_sha256, image.affine, image.words) != wrong.basis:
        return CHANGED
    if not wrong.stack_id:
        return NO_STACK
    return BY_WAIVER if is_waived(wrong.finding(), waived) else LEAVES


def staying(work: Path, today: date) -> int:
    """How many images that were judged wrong no export takes out: all that is wrong with them is waived, or they belong
    to no stack of the plan. Raises ``UsageError`` where verdicts or waivers cannot be read."""
    return _staying(read_wrong(work), waived_ids(work, today))


def _staying(wrong: Iterable[Wrong], waived: Waived) -> int:
    """Of an image that was judged twice the later inspection counts: it may have been repaired between them."""
    found = list(wrong)
    latest = {w.image: w.inspection for w in sorted(found, key=lambda w: w.inspection)}
    stays: dict[str, list[bool]] = defaultdict(list)
    for w in found:
        if w.inspection == latest[w.image]:
            stays[w.image].append(not w.stack_id or is_waived(w.finding(), waived))
    return sum(map(all, stays.values()))
