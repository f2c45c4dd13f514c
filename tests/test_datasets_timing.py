"""The times of a dynamic image whose volumes are in one file: those of its sidecar, and no others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from treemaker import TreeMaker, voxels

from trialbids.datasets import CohortDataset, CohortError, Database, Q, Times

SERIES = voxels((6, 5, 4, 3), seed=1)
DCE = Q("DCE", phases=Times([0, 60], tolerance=5))


def series(tree: TreeMaker, subject: str = "01", *, time: float | None = 0.0, **sidecar: Any) -> None:
    record = {"sequence": "DCE", "phase_time_s": time, "phase_index": 1}
    tree.image(subject, "dce", record, datatype="perf", array=SERIES, sidecar=sidecar)


def sample_of(root: Path, query: Q) -> dict[str, Any]:
    return CohortDataset(Database(root).cohort(images={"dce": query}))[0]


@pytest.mark.parametrize(
    "sidecar",
    [{}, {"VolumeTiming": [0, 30]}, {"VolumeTiming": [0, 30, 30]}, {"VolumeTiming": 30}, {"VolumeTiming": ["0"] * 3}],
)
def test_one_time_for_several_volumes_is_no_time_of_any(tmp_path: Path, sidecar: dict[str, Any]) -> None:
    tree = TreeMaker(tmp_path)
    series(tree, **sidecar)
    root = tree.finish()
    with pytest.raises(CohortError, match=r"sub-01_ses-01_dce\.nii\.gz: the times of its 3 volumes are not known; its"):
        sample_of(root, Q("DCE", phases=Times([0], tolerance=5)))
    whole = sample_of(root, Q("DCE"))
    assert whole["dce"].shape == (3, 6, 5, 4) and torch.isnan(whole["dce.times"]).all()


@pytest.mark.parametrize("field", ["VolumeTiming", "FrameTimesStart"])
def test_volumes_have_the_times_of_the_sidecar(tmp_path: Path, field: str) -> None:
    tree = TreeMaker(tmp_path)
    series(tree, "01", time=None, **{field: [12.0, 41.5, 73.0]})
    root = tree.finish()
    whole = sample_of(root, Q("DCE"))
    assert whole["dce.times"].tolist() == [0.0, 29.5, 61.0]
    assert torch.equal(whole["dce"].as_tensor(), torch.from_numpy(SERIES).permute(3, 0, 1, 2))
    chosen = sample_of(root, DCE)
    assert chosen["dce.times"].tolist() == [0.0, 61.0]
    assert torch.equal(chosen["dce"].as_tensor(), torch.from_numpy(SERIES[..., [0, 2]]).permute(3, 0, 1, 2))
    with pytest.raises(CohortError, match="no phase within 5 s of 100 s, nearest at 61 s"):
        sample_of(root, Q("DCE", phases=Times([0, 100], tolerance=5)))


def test_a_list_of_times_may_be_inherited(tmp_path: Path) -> None:
    tree = TreeMaker(tmp_path)
    series(tree)
    (tmp_path / "dce.json").write_text(json.dumps({"VolumeTiming": [0.0, 30.0, 60.0]}))
    assert sample_of(tree.finish(), DCE)["dce.times"].tolist() == [0.0, 60.0]


def test_participants_with_one_file_and_with_several_are_read_alike(tmp_path: Path) -> None:
    tree = TreeMaker(tmp_path)
    series(tree, "01", VolumeTiming=[0.0, 30.0, 60.0])
    for phase in range(3):
        record = {"sequence": "DCE", "phase_time_s": 31.0 * phase, "phase_index": phase + 1}
        tree.image("02", f"run-{phase + 1:02d}_dce", record, datatype="perf", array=SERIES[..., phase])
    cohort = Database(tree.finish()).cohort(images={"dce": DCE})
    for dataset in (CohortDataset(cohort), CohortDataset(cohort, stack="image")):
        one, several = dataset[0], dataset[1]
        key = "image" if "image" in one else "dce"
        assert torch.equal(one[key].as_tensor(), several[key].as_tensor()) and one[key].shape[0] == 2
        assert several["dce.times"].tolist() == [0.0, 62.0]
