"""nnU-Net's raw dataset: its rules, our folds, and the voxels of the cohort as SimpleITK reads them for nnU-Net."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from treemaker import AFFINE, TreeMaker, small_trial, voxels, write_json, write_nifti

from trialbids.datasets import Cohort, CohortDataset, Database, Q
from trialbids.datasets.cohorts.policies import Resample
from trialbids.datasets.errors import ExportError
from trialbids.datasets.exports import nnunet

SHAPE = (6, 5, 4)


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def voxels_of(path: Path) -> np.ndarray:
    """What nnU-Net's SimpleITKIO gives: physical values ``[Z, Y, X]``, here as ``[X, Y, Z]``."""
    return sitk.GetArrayFromImage(sitk.ReadImage(str(path))).transpose()


def cases(folder: Path) -> set[str]:
    return {path.name.removesuffix(".nii.gz") for path in folder.iterdir()}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_trial(tmp_path_factory.mktemp("tree") / "bids")


@pytest.fixture(scope="module")
def cohort(tree: Path) -> Cohort:
    return Database(tree).cohort(
        images={"t2": Q("T2w"), "adc": Q("ADC"), "trace": Q("trace")},
        labels={"lesion": Q(label="lesion")},
        qc="warn",
        missing="drop",
    )


def test_every_case_has_the_values_of_the_cohort(cohort: Cohort, tmp_path: Path) -> None:
    out = tmp_path / "Dataset501_Lesion"
    done = nnunet.write(cohort, None, out)
    told = read(out / "dataset.json")
    assert told["channel_names"] == {"0": "t2", "1": "adc", "2": "trace_0", "3": "trace_1", "4": "trace_2"}
    assert told["labels"] == {"background": 0, "lesion": 1}
    assert (told["numTraining"], told["file_ending"]) == (len(cohort), ".nii.gz")
    assert told["provenance"]["cohort"] == cohort.fingerprint
    for sample in CohortDataset(cohort):
        served = np.concatenate([sample[key].numpy() for key in ("t2", "adc", "trace")])  # type: ignore[index]
        for number, channel in enumerate(served):
            written = voxels_of(out / "imagesTr" / f"{sample['sample_id']}_{number:04d}.nii.gz")  # type: ignore[index]
            np.testing.assert_allclose(written, channel, rtol=1e-6)
        mask = voxels_of(out / "labelsTr" / f"{sample['sample_id']}.nii.gz")  # type: ignore[index]
        np.testing.assert_array_equal(mask, sample["lesion"][0].numpy())  # type: ignore[index]
    assert (out / "imagesTr" / "sub-01_ses-01_0000.nii.gz").is_symlink()
    assert not (out / "imagesTr" / "sub-02_ses-01_0001.nii.gz").is_symlink()  # its ADC is in mm²/s
    assert any("by case and not by participant" in note for note in done.notes)


def test_the_folds_are_ours_and_the_test_part_is_apart(cohort: Cohort, tmp_path: Path) -> None:
    out = tmp_path / "Dataset501_Lesion"
    splits = cohort.split(k=2, test=0.2)
    nnunet.write(cohort, splits, out)
    for fold, (train, val, test) in zip(read(out / "splits_final.json"), splits, strict=True):
        assert set(fold["train"]) == set(train.column("sample_id"))
        assert val is not None and set(fold["val"]) == set(val.column("sample_id"))
        assert test is not None and cases(out / "labelsTs") == set(test.column("sample_id"))
    assert cases(out / "labelsTr") | cases(out / "labelsTs") == set(cohort.column("sample_id"))
    assert cases(out / "labelsTr") & cases(out / "labelsTs") == set()
    assert read(out / "dataset.json")["numTraining"] == len(cases(out / "labelsTr"))


def test_leaving_out_a_site_at_a_time_is_a_fold_a_site(cohort: Cohort, tmp_path: Path) -> None:
    out = tmp_path / "Dataset502_Sites"
    nnunet.write(cohort, cohort.leave_one_out("site", val=0.3), out)
    folds = read(out / "splits_final.json")
    assert len(folds) == 2 and all(fold["val"] and fold["train"] for fold in folds)
    assert cases(out / "labelsTr") == set(cohort.column("sample_id"))


Make = Callable[..., Cohort]


@pytest.fixture
def labelled(tmp_path: Path) -> Make:
    """A cohort of two participants from arrays of labels: name of the file's end and voxels, for each participant."""

    def make(*tails: tuple[str, np.ndarray], labels: dict[str, Q], **options: Any) -> Cohort:
        maker = TreeMaker(tmp_path / "bids")
        for label in ("01", "02"):
            t2 = maker.image(label, "T2w", {"sequence": "T2w"})
            folder = maker.root / "derivatives" / "annotations" / f"sub-{label}" / "ses-01" / "anat"
            for tail, array in tails:
                path = folder / f"sub-{label}_ses-01_{tail}.nii.gz"
                write_nifti(path, array, AFFINE)
                source = f"bids:raw:{t2.relative_to(maker.root).as_posix()}"
                name = tail.partition("label-")[2].partition("_")[0].rstrip("12")
                write_json(path.with_name(f"{path.name[:-7]}.json"), {"Sources": [source], "Label": name})
                if tail.endswith("dseg"):
                    path.with_name(f"{path.name[:-7]}.tsv").write_text("index\tname\n2\tuterus\n7\tbladder\n")
        return Database(maker.finish()).cohort(images={"t2": Q("T2w")}, labels=labels, **options)

    return make


def box(*corner: int, value: int = 1, size: int = 2) -> np.ndarray:
    array = np.zeros(SHAPE, np.uint8)
    i, j, k = corner
    array[i : i + size, j : j + size, k : k + size] = value
    return array


def test_several_lesions_and_labels_become_one_map(labelled: Make, tmp_path: Path) -> None:
    cohort = labelled(
        ("label-lesion1_mask", box(0, 0, 0)), ("label-lesion2_mask", box(3, 3, 0)), ("label-uterus_mask", box(0, 0, 2)),
        labels={"lesion": Q(label="lesion"), "uterus": Q(label="uterus")},
    )  # fmt: skip
    done = nnunet.write(cohort, None, tmp_path / "Dataset001_Two")
    written = voxels_of(tmp_path / "Dataset001_Two" / "labelsTr" / "sub-01_ses-01.nii.gz")
    np.testing.assert_array_equal(written, box(0, 0, 0) + box(3, 3, 0) + box(0, 0, 2, value=2))
    assert read(tmp_path / "Dataset001_Two" / "dataset.json")["labels"] == {"background": 0, "lesion": 1, "uterus": 2}
    assert "label: 2 written anew: several labels as one map." in done.notes


def test_labels_that_lie_on_each_other_are_refused(labelled: Make, tmp_path: Path) -> None:
    cohort = labelled(
        ("label-lesion1_mask", box(0, 0, 0)), ("label-uterus_mask", box(1, 1, 1)),
        labels={"lesion": Q(label="lesion"), "uterus": Q(label="uterus")},
    )  # fmt: skip
    with pytest.raises(ExportError, match="sub-01 ses-01: uterus lies on voxels that another label has already"):
        nnunet.write(cohort, None, tmp_path / "Dataset001_Two")
    assert list(tmp_path.glob("*Dataset*")) == []


def test_a_label_map_with_gaps_is_numbered_anew_and_keeps_its_names(labelled: Make, tmp_path: Path) -> None:
    cohort = labelled(
        ("seg-organs_dseg", box(0, 0, 0, value=2) + box(3, 3, 2, value=7)), labels={"organs": Q(seg="organs")}
    )
    nnunet.write(cohort, None, tmp_path / "Dataset001_Organs")
    labels = read(tmp_path / "Dataset001_Organs" / "dataset.json")["labels"]
    assert labels == {"background": 0, "uterus": 1, "bladder": 2}
    written = voxels_of(tmp_path / "Dataset001_Organs" / "labelsTr" / "sub-02_ses-01.nii.gz")
    np.testing.assert_array_equal(written, box(0, 0, 0) + box(3, 3, 2, value=2))


def test_fractions_are_no_labels(labelled: Make, tmp_path: Path) -> None:
    cohort = labelled(
        ("label-lesion_probseg", box(0, 0, 0).astype(np.float32) / 3),
        labels={"lesion": Q(label="lesion", suffix="probseg")},
    )
    with pytest.raises(ExportError, match="sub-01 ses-01: lesion: its values are no whole numbers"):
        nnunet.write(cohort, None, tmp_path / "Dataset001_Part")


def test_channels_on_another_grid_are_named_or_resampled(tmp_path: Path) -> None:
    maker = TreeMaker(tmp_path / "bids")
    coarse = AFFINE.copy()
    coarse[:3, :3] *= 2
    for label in ("01", "02"):
        t2 = maker.image(label, "T2w", {"sequence": "T2w"}, array=voxels((8, 8, 6)))
        maker.mask(t2)
        maker.image(label, "T1w", {"sequence": "T1w"}, array=voxels((4, 4, 3)), affine=coarse, acquisition_id="a02")
    db = Database(maker.finish())
    asked: dict[str, Any] = {"images": {"t2": Q("T2w"), "t1": Q("T1w")}, "labels": {"lesion": Q(label="lesion")}}
    with pytest.raises(ExportError, match=r"sub-01 ses-01: t1: sub-01_ses-01_T1w.nii.gz is not on the grid of t2"):
        nnunet.write(db.cohort(**asked), None, tmp_path / "Dataset001_Grid")
    together = db.cohort(**asked, grid=Resample(to="t2"))
    nnunet.write(together, None, tmp_path / "Dataset001_Grid")
    served = CohortDataset(together)[0]
    moved = tmp_path / "Dataset001_Grid" / "imagesTr" / "sub-01_ses-01_0001.nii.gz"
    np.testing.assert_allclose(voxels_of(moved), served["t1"][0].numpy(), rtol=1e-5)
    first, second = (sitk.ReadImage(str(moved.with_name(f"sub-01_ses-01_000{n}.nii.gz"))) for n in (0, 1))
    assert first.GetSize() == second.GetSize()
    np.testing.assert_allclose(first.GetOrigin(), second.GetOrigin(), atol=1e-4)
    np.testing.assert_allclose(first.GetSpacing(), second.GetSpacing(), atol=1e-4)


def test_a_session_with_fewer_volumes_is_named(tmp_path: Path) -> None:
    maker = TreeMaker(tmp_path / "bids")
    for label, phases in (("01", 3), ("02", 3), ("03", 2)):
        for phase in range(phases):
            record = {"sequence": "DCE", "phase_index": phase + 1, "phase_time_s": 30.0 * phase}
            image = maker.image(label, f"run-{phase + 1}_T1w", record)
        maker.mask(image)
    cohort = Database(maker.finish()).cohort(images={"dce": Q("DCE")}, labels={"lesion": Q(label="lesion")})
    with pytest.raises(ExportError, match=r"most have 3(.|\n)*sub-03 ses-01: 2 channels \(dce_0, dce_1\)"):
        nnunet.write(cohort, None, tmp_path / "Dataset001_Dce")


def test_a_folder_with_another_name_and_a_cohort_without_labels_are_refused(tree: Path, tmp_path: Path) -> None:
    cohort = Database(tree).cohort(images={"t2": Q("T2w")}, qc="warn")
    with pytest.raises(ExportError, match="Dataset, three digits, _ and a word: Dataset501_Lesion"):
        nnunet.write(cohort, None, tmp_path / "lesions")
    with pytest.raises(ExportError, match="the cohort has no label"):
        nnunet.write(cohort, None, tmp_path / "Dataset501_Lesion")


def organs(root: Path, *tables: str) -> Cohort:
    """A participant a table of regions, each with the value 1 above the value 2."""
    maker = TreeMaker(root)
    for number, rows in enumerate(tables):
        image = maker.image(f"{number:02d}", "T2w", {"sequence": "T2w"})
        path = maker.root / f"derivatives/annotations/sub-{number:02d}/ses-01/anat/sub-{number:02d}_ses-01_dseg.nii.gz"
        write_nifti(path, box(0, 0, 0) + box(3, 3, 2, value=2), AFFINE)
        source = f"bids:raw:{image.relative_to(maker.root).as_posix()}"
        write_json(path.with_name(f"{path.name[:-7]}.json"), {"Sources": [source]})
        if rows:
            path.with_name(f"{path.name[:-7]}.tsv").write_text(f"index\tname\n{rows}")
    labels = {"seg": Q(suffix="dseg", scope="annotations")}
    return Database(maker.finish()).cohort(images={"t2": Q("T2w")}, labels=labels)


def test_each_label_map_is_read_by_its_own_table(tmp_path: Path) -> None:
    cohort = organs(tmp_path / "bids", "1\tliver\n2\ttumour\n", "1\ttumour\n2\tliver\n")
    out = tmp_path / "Dataset001_Organs"
    notes = nnunet.write(cohort, None, out).notes
    assert read(out / "dataset.json")["labels"] == {"background": 0, "liver": 1, "tumour": 2}
    first, second = (voxels_of(out / "labelsTr" / f"sub-0{n}_ses-01.nii.gz") for n in (0, 1))
    np.testing.assert_array_equal(first, box(0, 0, 0) + box(3, 3, 2, value=2))
    np.testing.assert_array_equal(second, box(0, 0, 0, value=2) + box(3, 3, 2))
    assert (out / "labelsTr" / "sub-00_ses-01.nii.gz").is_symlink()
    assert "label: 1 written anew: its values brought to those of dataset.json." in notes


def test_a_value_that_only_another_file_names_is_refused_with_both_files(tmp_path: Path) -> None:
    cohort = organs(tmp_path / "bids", "1\tliver\n2\ttumour\n", "")
    with pytest.raises(ExportError, match=r"sub-01_ses-01_dseg\.nii\.gz has the value 1 .*sub-00.* calls it liver"):
        nnunet.write(cohort, None, tmp_path / "Dataset001_Organs")


def test_images_with_voxels_that_are_no_numbers_are_named(tmp_path: Path) -> None:
    maker = TreeMaker(tmp_path / "bids")
    for label in ("01", "02"):
        values = np.ones(SHAPE, np.float32)
        values[0, 0, 0] = np.nan if label == "02" else 0
        maker.mask(maker.image(label, "T2w", {"sequence": "T2w"}, array=values))
    cohort = Database(maker.finish()).cohort(images={"t2": Q("T2w")}, labels={"lesion": Q(label="lesion")})
    notes = nnunet.write(cohort, None, tmp_path / "Dataset001_Nan").notes
    assert any(
        note.startswith("t2: 1 cases have voxels that are NaN or infinite, such as sub-02 ses-01") for note in notes
    )
