"""The index says of every image what pybids says of it: name, entities and inherited metadata."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from treemaker import AFFINE, small_trial, voxels, write_json, write_nifti

from trialbids.datasets import Database
from trialbids.datasets.files.names import entity_keys

IMAGES = (
    "sub-A/anat/sub-A_T1w.nii.gz",
    "sub-A/anat/sub-A_ce-gad_T1w.nii",
    "sub-A/func/sub-A_task-rest_run-1_bold.nii.gz",
    "sub-A/func/sub-A_task-rest_run-02_bold.nii.gz",
    "sub-B/ses-1/dwi/sub-B_ses-1_acq-hi_dir-AP_dwi.nii.gz",
    "sub-B/ses-1/anat/sub-B_ses-1_T1w.nii.gz",
    "sub-B/ses-2/anat/sub-B_ses-2_echo-1_part-mag_T2w.nii.gz",
    "sub-B/ses-2/perf/sub-B_ses-2_asl.nii.gz",
    "sub-B/ses-2/fmap/sub-B_ses-2_dir-PA_epi.nii.gz",
    "sub-C10/ses-1/anat/sub-C10_ses-1_T1w.nii.gz",
    "sub-C10/ses-1/func/sub-C10_ses-1_task-rest_bold.nii.gz",
)
SIDECARS: dict[str, dict[str, Any]] = {
    "T1w.json": {"Manufacturer": "root", "FlipAngle": 8},
    "task-rest_bold.json": {"TaskName": "rest", "RepetitionTime": 2.0, "EchoTime": 0.03},
    "dwi.json": {"PhaseEncodingDirection": "j"},
    "sub-A/sub-A_T1w.json": {"FlipAngle": 9},
    "sub-A/sub-A_task-rest_bold.json": {"EchoTime": 0.04},
    "sub-A/func/sub-A_task-rest_run-1_bold.json": {"EchoTime": 0.05, "SliceTiming": [0, 1]},
    "sub-B/sub-B_T1w.json": {"FlipAngle": 10},
    "sub-B/ses-1/sub-B_ses-1_T1w.json": {"FlipAngle": 11, "MagneticFieldStrength": 3},
    "sub-B/ses-1/anat/sub-B_ses-1_T1w.json": {"EchoTime": 0.002},
    "sub-B/ses-1/dwi/sub-B_ses-1_acq-hi_dir-AP_dwi.json": {"TotalReadoutTime": 0.1},
    "sub-C10/ses-1/sub-C10_ses-1_task-rest_bold.json": {"RepetitionTime": 3.0},
}


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree of somebody else: with and without sessions, sidecars at every level, none beside most images."""
    root = tmp_path_factory.mktemp("foreign") / "tree"
    write_json(root / "dataset_description.json", {"Name": "foreign", "BIDSVersion": "1.8.0"})
    for path in IMAGES:
        shape = (4, 4, 3, 2) if path.split("_")[-1][:3] in ("bol", "dwi", "asl") else (4, 4, 3)
        write_nifti(root / path, voxels(shape), AFFINE)
    for path, content in SIDECARS.items():
        write_json(root / path, content)
    (root / "sub-B/ses-1/dwi/sub-B_ses-1_acq-hi_dir-AP_dwi.bval").write_text("0 500\n")
    (root / "sub-B/ses-1/dwi/sub-B_ses-1_acq-hi_dir-AP_dwi.bvec").write_text("0 1\n0 0\n0 0\n")
    return root


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_trial(tmp_path_factory.mktemp("export") / "bids")


@pytest.mark.parametrize("which", ["foreign", "export"])
def test_pybids_agrees(which: str, request: pytest.FixtureRequest) -> None:
    db = Database(request.getfixturevalue(which))
    layout = db.layout()
    theirs = {
        Path(file.path).relative_to(db.root).as_posix(): file  # type: ignore[arg-type]
        for file in layout.get(extension=[".nii", ".nii.gz"])
    }
    assert {image.path for image in db.images} == set(theirs)
    for image in db.images:
        file = theirs[image.path]
        assert entities(dict(image.entities)) == entities(
            {entity_keys()[name]: value for name, value in file.get_entities().items() if name in entity_keys()}
        )
        assert (image.suffix, image.datatype) == (file.entities["suffix"], file.entities["datatype"])
        assert db.metadata(image) == file.get_metadata(), image.path


def entities(pairs: dict[str, Any]) -> dict[str, Any]:
    """Entities with index labels as numbers, as pybids has some of them."""
    return {key: int(value) if str(value).isdigit() else value for key, value in pairs.items()}


def test_what_is_inherited_is_in_the_index(foreign: Path) -> None:
    images = {image.stem: image for image in Database(foreign).images}
    assert images["sub-A_T1w"].sidecar_fields == {"Manufacturer": "root", "FlipAngle": 9}
    assert images["sub-B_ses-1_T1w"].sidecar_fields["FlipAngle"] == 11
    assert images["sub-C10_ses-1_task-rest_bold"].sidecar_fields == {"RepetitionTime": 3.0, "EchoTime": 0.03}
    assert images["sub-B_ses-1_acq-hi_dir-AP_dwi"].record.bvalues == (0, 500)
