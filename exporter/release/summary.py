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
from .image import Image


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of a run. Objects are DICOM files, those inside archives counted one by one: "re-packed" ones became part
    of an image, "dropped" ones are in no image of the tree.

    ``reasons`` counts stacks and set-aside instances by decision and reason.
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
    unreadable: int
    images: int
    images_by_sequence: Mapping[str, int]
    reasons: Mapping[str, int]

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
class Run:
    """What one run did to the tree. With ``access_denied`` some sessions that were there before were left as they
    were: those whose files lay where something could not be opened. ``sessions_stopped`` did not enter the tree because
    something stood in their files that may not leave; ``leaks`` counts such things by kind, there and in the tree.
    """

    tree: Tree
    sessions_written: int
    sessions_withdrawn: int
    sessions_failed: int
    sessions_stopped: int
    files_verified: int
    leaks: Mapping[str, int]
    access_denied: bool


def summarise(plan: Plan, rows: Sequence[PlanRow], images: Sequence[Image]) -> Summary:
    """The counts of a plan and of the images that it became."""
    inventory, stacking = plan.inventory, plan.stacking
    decisions = Counter(row.final_decision or row.decision for row in rows)
    reasons = Counter(f"{row.final_decision or row.decision}: {row.reason}" for row in rows if row.reason)
    reasons.update(f"set aside: {aside.reason}" for aside in stacking.set_aside)
    kept = {row.stack_id for row in rows if (row.final_decision or row.decision) == "keep"}
    repacked = {(i.path, i.member) for s in stacking.stacks if s.stack_id in kept for i in s.instances}
    objects = _distinct((i.path, i.member) for i in inventory.instances)
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
        objects_repacked=len(repacked),
        objects_dropped=objects - len(repacked),
        unreadable=len(inventory.unreadable),
        images=len(images),
        images_by_sequence=dict(sorted(Counter(image.record["sequence"] for image in images).items())),
        reasons=dict(reasons.most_common()),
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
