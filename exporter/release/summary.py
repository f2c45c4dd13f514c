"""What a run came to, in counts: for the screen, for machines and for the release."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..pipeline import Plan
from ..plan.row import PlanRow
from ..select.parsimony import KEPT
from .image import Image
from .parsimony import Account, Weight

NO_WEIGHT = Weight(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of a run. Objects are DICOM files, those inside archives counted one by one and unpacked: "re-packed" ones
    became part of an image, "dropped" ones are in no image of the tree.

    ``reasons`` counts stacks and set-aside instances by decision and reason. ``categories`` weighs what became of the
    objects: those of all categories add up to the sources. ``fields_before`` counts the distinct attributes of all
    headers, ``fields_after`` the fields of the allow-list that the re-packed objects have, of ``fields_listed``.
    """

    patients: int
    studies: int
    series: int
    stacks: int
    kept: int
    quarantined: int
    excluded: int
    instances_set_aside: int
    files_before: int
    folders_before: int
    bytes_before: int
    objects: int
    objects_repacked: int
    objects_dropped: int
    bytes_repacked: int
    bytes_dropped: int
    fields_before: int
    fields_after: int
    fields_listed: int
    unreadable: int
    images: int
    images_by_sequence: Mapping[str, int]
    reasons: Mapping[str, int]
    categories: Mapping[str, Weight]

    def to_json(self) -> dict[str, Any]:
        """Plain values; nothing in it is private."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Tree:
    """Size of the released tree."""

    files: int
    folders: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Changed:
    """What one run did to the tree. With ``access_denied`` some sessions that were there before were left as they
    were: those whose files lay where something could not be opened. ``sessions_stopped`` did not enter the tree because
    something stood in their files that may not leave; ``leaks`` counts such things by kind, there and in the tree. With
    ``card_dropped`` the data card spoke of the tree as it was before, and was taken away.
    """

    tree: Tree
    sessions_written: int
    sessions_withdrawn: int
    sessions_failed: int
    sessions_stopped: int
    files_verified: int
    leaks: Mapping[str, int]
    access_denied: bool
    card_dropped: bool = False


def summarise(plan: Plan, rows: Sequence[PlanRow], images: Sequence[Image], account: Account) -> Summary:
    """The counts of a plan and of the images that it became; ``account`` is that of the same plan and rows."""
    inventory, stacking = plan.inventory, plan.stacking
    decisions = Counter(row.final_decision or row.decision for row in rows)
    reasons = Counter(f"{row.final_decision or row.decision}: {row.reason}" for row in rows if row.reason)
    reasons.update(f"set aside: {aside.reason}" for aside in stacking.set_aside)
    repacked = account.weights.get(KEPT.id, NO_WEIGHT)
    objects = sum(weight.files for weight in account.weights.values())
    n_bytes = sum(weight.bytes for weight in account.weights.values())
    return Summary(
        patients=_distinct(v.subject for v in plan.visits.all),
        studies=_distinct(i.StudyInstanceUID for i in inventory.instances),
        series=_distinct(i.SeriesInstanceUID for i in inventory.instances),
        stacks=len(rows),
        kept=decisions["keep"],
        quarantined=decisions["quarantine"],
        excluded=decisions["exclude"],
        instances_set_aside=len(stacking.set_aside),
        files_before=inventory.n_files,
        folders_before=inventory.n_folders,
        bytes_before=inventory.n_bytes,
        objects=objects,
        objects_repacked=repacked.files,
        objects_dropped=objects - repacked.files,
        bytes_repacked=repacked.bytes,
        bytes_dropped=n_bytes - repacked.bytes,
        fields_before=account.fields.before,
        fields_after=account.fields.after,
        fields_listed=account.fields.listed,
        unreadable=len(inventory.unreadable),
        images=len(images),
        images_by_sequence=dict(sorted(Counter(image.record["sequence"] for image in images).items())),
        reasons=dict(reasons.most_common()),
        categories=account.weights,
    )


def measure_tree(root: Path) -> Tree:
    """Files, folders that hold files, and bytes below a folder."""
    files = folders = size = 0
    for folder, _, names in os.walk(root):
        folders += bool(names)
        files += len(names)
        size += sum((Path(folder) / name).stat().st_size for name in names)
    return Tree(files, folders, size)


def _distinct(values: Iterable[object]) -> int:
    return len(set(values))
