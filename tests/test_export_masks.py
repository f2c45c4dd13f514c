"""Masks of a session: each beside its image under a name of its own, and none lost without a word."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel
import numpy as np
import pytest

from trialbids.exporter.annotations.table import MaskRow
from trialbids.exporter.release.image import Image
from trialbids.exporter.release.masks import stage_masks
from trialbids.exporter.release.session import StagedMasks
from trialbids.exporter.release.unplaced import unplaced

AFFINE = np.diag([2.0, 2.0, 3.0, 1.0])
UID = "1.2.3"
PATH = "sub-A/ses-01/anat/sub-A_ses-01_T2w.nii.gz"
IMAGE = Image(
    path=PATH, participant_id="sub-A", session_id="ses-01", site="S1", acq_time="n/a", acquisition_id="a01",
    datatype="anat", suffix="T2w", record={}, qc_verdict="pass", shape=(4, 4, 3), zooms=(2.0, 2.0, 3.0),
    affine=tuple(AFFINE.ravel()),
    dtype="int16", slope=1.0, inter=0.0, voxels_sha256="", file_bytes=0,
)  # fmt: skip


def stage(folder: Path, *labels_and_readers: tuple[str, str]) -> StagedMasks:
    """Stage one mask file under several labels and readers, all drawn on one series."""
    drawn = folder / "drawn.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 4, 3), np.uint8), AFFINE), drawn)
    rows = [
        MaskRow(line, drawn, UID, label, reader, "manual")
        for line, (label, reader) in enumerate(labels_and_readers, start=2)
    ]
    stack: Any = SimpleNamespace(series_uids=(UID,))
    planned: Any = SimpleNamespace(row=SimpleNamespace(bids_path=PATH), harmonised=SimpleNamespace(stack=stack))
    return stage_masks(folder / "staged", [planned], [IMAGE], {UID: rows})


def test_labels_and_readers_give_masks_of_their_own(tmp_path: Path) -> None:
    staged = stage(tmp_path, ("lesion", "R1"), ("lesion", "R2"), ("gland", "R1"))
    assert len(staged.paths) == 3 and not staged.faults


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (("lesion", "R1"), "same label by the same reader"),
        (("Lesion", "R1"), "upper and lower case"),
        (("lesion", "r1"), "upper and lower case"),
    ],
)
def test_names_that_are_one_name_on_some_disks_are_refused(tmp_path: Path, second: tuple[str, str], words: str) -> None:
    staged = stage(tmp_path, ("lesion", "R1"), second)
    (fault,) = staged.faults
    assert len(staged.paths) == 1 and words in fault.message and "line 3" in fault.message


def test_masks_of_series_that_became_no_image_are_listed_in_the_order_of_the_table() -> None:
    def row(line: int, uid: str) -> MaskRow:
        return MaskRow(line, Path("m.nii"), uid, "lesion", "R1", "manual")

    masks = {"9": [row(5, "9")], UID: [row(2, UID)], "8": [row(3, "8"), row(6, "8")]}
    faults = unplaced(masks, {UID})
    assert [(f.check, f.series_uid) for f in faults] == [("A01", "8"), ("A01", "9"), ("A01", "8")]
    assert [f.message.partition(":")[0] for f in faults] == ["line 3", "line 5", "line 6"]
    assert all("not among the exported images" in f.message for f in faults)
