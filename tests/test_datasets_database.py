"""The index: what is in a tree, ours or foreign, and what pybids says of it."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from treemaker import AFFINE, TreeMaker, small_trial, voxels, write_json, write_nifti

from trialbids.datasets import Database, DatasetError, Q
from trialbids.datasets.files.trees import LocalTree


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_trial(tmp_path_factory.mktemp("trial") / "bids")


def foreign_tree(root: Path) -> Path:
    """A tree of somebody else: no manifest, no Harmonised, inherited sidecars, a subject without sessions."""
    write_json(root / "dataset_description.json", {"Name": "foreign", "BIDSVersion": "1.8.0"})
    write_json(root / "task-rest_bold.json", {"TaskName": "rest", "RepetitionTime": 2.0, "EchoTime": 0.03})
    write_json(root / "sub-A" / "sub-A_task-rest_bold.json", {"EchoTime": 0.04})
    write_nifti(root / "sub-A" / "anat" / "sub-A_T1w.nii.gz", voxels((4, 4, 3)), AFFINE)
    write_nifti(root / "sub-A" / "anat" / "sub-A_ce-gad_T1w.nii", voxels((4, 4, 3)), AFFINE)
    write_nifti(root / "sub-A" / "func" / "sub-A_task-rest_run-1_bold.nii.gz", voxels((4, 4, 3, 6)), AFFINE)
    write_nifti(root / "sub-B" / "ses-1" / "dwi" / "sub-B_ses-1_dwi.nii.gz", voxels((4, 4, 3, 3)), AFFINE)
    (root / "sub-B" / "ses-1" / "dwi" / "sub-B_ses-1_dwi.bval").write_text("0 500 1000\n")
    (root / "sub-B" / "ses-1" / "dwi" / "sub-B_ses-1_dwi.bvec").write_text("0 1 0\n0 0 1\n0 0 0\n")
    return root


def pybids_paths(root: Path) -> set[str]:
    from bids import BIDSLayout

    files = BIDSLayout(root).get(extension=[".nii", ".nii.gz"], return_type="file")
    return {Path(file).relative_to(root).as_posix() for file in files}


def test_pybids_lists_the_same_images(trial: Path, tmp_path: Path) -> None:
    ours = {image.path for image in Database(trial).images}
    assert len(ours) == 6 * 7 + 5
    assert ours == pybids_paths(trial)
    foreign = foreign_tree(tmp_path / "foreign")
    assert {image.path for image in Database(foreign).images} == pybids_paths(foreign)


def test_an_image_carries_record_geometry_and_site(trial: Path) -> None:
    (image,) = (i for i in Database(trial).query(Q("T2w")) if i.participant_id == "sub-04")
    assert (image.session_id, image.site, image.qc, image.acquisition_id) == ("ses-01", "S02", "warn", "a01")
    assert (image.record.plane, image.record.technique, image.entity["acq"]) == ("sag", "tse", "tseSag")
    assert image.shape == (6, 5, 4) and image.dtype == "int16" and image.voxels_sha256
    assert np.allclose(np.reshape(image.affine, (4, 4)), AFFINE)


def test_masks_are_labels_not_images(trial: Path) -> None:
    db = Database(trial)
    assert all(image.scope == "raw" for image in db.images)
    masks = db.query(Q(label="lesion", scope="annotations", reader="consensus"))
    assert len(masks) == 6 == len(db.annotations)
    assert masks[0].sources[0] in {image.path for image in db.images}


def test_tables_are_typed_and_complete(trial: Path) -> None:
    db = Database(trial)
    assert db.participants["sub-02"] == {"participant_id": "sub-02", "site": "S01", "age": 32}
    assert db.sessions["sub-05", "ses-01"]["orads_score"] is None
    assert db.sessions["sub-06", "ses-01"]["orads_score"] == 2


def test_headers_are_not_opened_where_the_manifest_has_them(trial: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    real = LocalTree.head
    monkeypatch.setattr(LocalTree, "head", lambda tree, path, *state: opened.append(path) or real(tree, path))
    Database(trial, index=None)
    assert len(opened) == 6
    assert all("/annotations/" in path for path in opened)


def test_the_manifest_is_not_believed_for_a_file_that_changed(trial: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(trial, root)
    path = root / Database(root).query(Q("T2w"))[0].path
    write_nifti(path, voxels((7, 5, 4)), AFFINE)
    later = time.time() + 5
    os.utime(path, (later, later))
    image = Database(root).query(Q("T2w"))[0]
    assert image.shape == (7, 5, 4) and not image.voxels_sha256


def test_a_foreign_tree_answers_by_suffix_and_inherits_metadata(tmp_path: Path) -> None:
    db = Database(foreign_tree(tmp_path))
    assert [i.stem for i in db.query(Q("T1w", ce=None))] == ["sub-A_T1w"]
    assert db.query(Q("T1w", agent="with"))[0].stem == "sub-A_ce-gad_T1w"
    (dwi,) = db.query(Q(family="diffusion"))
    assert dwi.record.bvalues == (0, 500, 1000) and dwi.shape == (4, 4, 3, 3)
    assert ("sub-A", "") in db.sessions and ("sub-B", "ses-1") in db.sessions
    assert not db.problems


def test_the_nearest_sidecar_wins(tmp_path: Path) -> None:
    root = foreign_tree(tmp_path)
    write_json(root / "adc.json", {})
    write_json(root / "ADC.json", {"ADCScale": 1e-6, "Units": "mm2/s"})
    for subject in ("A", "B"):
        write_nifti(root / f"sub-{subject}" / "dwi" / f"sub-{subject}_ADC.nii.gz", voxels((4, 4, 3)), AFFINE)
    write_json(root / "sub-B" / "sub-B_ADC.json", {"ADCScale": 1e-3})
    scales = {image.participant_id: (image.adc_scale, image.units) for image in Database(root).query(Q("ADC"))}
    assert scales == {"sub-A": (1e-6, "mm2/s"), "sub-B": (1e-3, "mm2/s")}


def test_what_cannot_be_read_is_listed(tmp_path: Path) -> None:
    root = small_trial(tmp_path / "bids", manifest=False)
    folder = root / "sub-01" / "ses-01" / "anat"
    (folder / "sub-01_ses-01_PDw.nii.gz").write_bytes(b"no image")
    (folder / "copy of T2.nii.gz").write_bytes(b"")
    (folder / "sub-01_ses-01_acq-tseSag_T2w.json").write_text("{")
    (root / "curation").mkdir()
    (root / "curation" / "manifest.parquet").write_bytes(b"PAR1")
    problems = {Path(problem.path).name: problem.reason for problem in Database(root).problems}
    assert set(problems) == {
        "sub-01_ses-01_PDw.nii.gz", "copy of T2.nii.gz", "sub-01_ses-01_acq-tseSag_T2w.json", "manifest.parquet",
    }  # fmt: skip
    assert "does not follow BIDS" in problems["copy of T2.nii.gz"]


def test_a_record_outside_the_vocabulary_is_listed(tmp_path: Path) -> None:
    tree = TreeMaker(tmp_path / "bids")
    path = tree.image("01", "T2w", {"sequence": "T2w"})
    sidecar = path.with_name("sub-01_ses-01_T2w.json")
    sidecar.write_text(json.dumps({"Harmonised": {"sequence": "T9w"}}))
    db = Database(tree.finish())
    assert "'T9w' is not in the vocabulary" in db.problems[0].reason
    assert db.images[0].record.sequence == "T2w"


def test_not_a_tree(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        Database(tmp_path / "none")
    with pytest.raises(DatasetError, match="not the root of a BIDS tree"):
        Database(tmp_path)
