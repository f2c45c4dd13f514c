"""A small trial in the form of each public collection: its configuration is written, and it becomes a valid tree."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import openpyxl
import pytest
from collectionmaker import CHEXPERT, SCORES, Scan, border, lidc_xml, nodule, non_nodule, roi, write, write_series
from dicommaker import ct_object, file_bytes, mr_object
from nibabel.loadsave import load, save
from nibabel.nifti1 import Nifti1Image
from pydicom.dataset import Dataset
from pydicom.uid import UID, SecondaryCaptureImageStorage

from trialbids.exporter.cli import run_export
from trialbids.exporter.engine import Serial
from trialbids.exporter.errors import UsageError
from trialbids.exporter.initialise import write_trial
from trialbids.exporter.progress import Silent
from trialbids.exporter.tables import read_tsv
from trialbids.exporter.trial import load_trial

T2 = {"SeriesDescription": "t2_tse_tra", "MagneticFieldStrength": 3.0, "PatientSex": "M"}
PLACED = np.array([[-1, 0, 0, 16], [0, -1, 0, 20], [0, 0, 2.5, -10], [0, 0, 0, 1.0]])
"""The affine of the series of the tests, in the order of DICOM's rows."""


def release(tmp_path: Path, like: str, source: Path, annotations: Path | None = None, *, also: str = "") -> Path:
    """The tree of a trial whose configuration is written by ``init --like``; 0 errors, nothing that may not leave."""
    with Serial() as engine:
        configuration = write_trial([source], tmp_path / "trial", engine, Silent(), like, annotations)
        configuration.write_text(configuration.read_text("utf-8").replace("# consensus:", "consensus:") + also, "utf-8")
        assert run_export(load_trial(configuration), engine, json=True) == 0
    return tmp_path / "trial" / "bids"


def masks(root: Path) -> dict[str, tuple[int, dict[str, object]]]:
    """Voxels inside and JSON of every mask, by ``label desc``."""
    found = {}
    for file in sorted(root.glob("derivatives/annotations/sub-*/ses-*/*/*_mask.nii.gz")):
        parts = dict(part.split("-", 1) for part in file.name.split("_") if "-" in part)
        content = json.loads(file.with_name(file.name.replace(".nii.gz", ".json")).read_text("utf-8"))
        image = _image(file)
        found[f"{parts['label']} {parts['desc']}"] = (int(np.asanyarray(image.dataobj).sum()), content)
    return found


def _image(file: Path) -> Nifti1Image:
    image = load(file)
    assert isinstance(image, Nifti1Image)
    return image


def said(root: Path) -> str:
    """The private list of issues."""
    return (root.parent / "work" / "issues.tsv").read_text("utf-8")


@pytest.fixture
def lidc(tmp_path: Path) -> tuple[Path, Scan]:
    """A CT scan with the readings of two readers beside it, and a reading of a radiograph."""
    folder = tmp_path / "source" / "LIDC-IDRI-0001" / "scan"
    scan = write_series(folder, ct_object(), "LIDC-IDRI-0001", BodyPartExamined="CHEST")
    (a, z), (b, y), (c, x), (d, w) = list(scan.slices.items())[:4]
    two_slices = nodule("Nodule 001", roi(a, z, border(8, 9, 14, 13)), roi(b, y, border(8, 9, 14, 13)), scores=SCORES)
    outer, inner = roi(c, x, border(18, 18, 28, 28)), roi(c, x, border(20, 20, 24, 24), "FALSE")
    hollow = nodule("2", outer, inner, scores=SCORES | {"malignancy": 1})
    elsewhere = nodule("3", roi("1.2.3", z, border(2, 2, 6, 6)), scores=SCORES)
    moved = nodule("4", roi(d, w + 5, border(2, 2, 6, 6)), scores=SCORES)
    first = [two_slices, hollow, elsewhere, moved, nodule("5", roi(d, w, [(5, 7)])), non_nodule("6", a, z, 9, 10)]
    second = [nodule("a", roi(c, x, border(20, 20, 26, 26)), scores=SCORES), two_slices]
    write(folder / "069.xml", lidc_xml(scan.series, scan.study, first, second))
    write(folder / "070.xml", '<IdriReadMessage xmlns="http://www.nih.gov/idri"/>')
    return tmp_path / "source", scan


def test_lidc_readers_are_apart_with_what_they_say_of_each_nodule(tmp_path: Path, lidc: tuple[Path, Scan]) -> None:
    root = release(tmp_path, "lidc", lidc[0])
    drawn = masks(root)
    assert {name: voxels for name, (voxels, _) in drawn.items()} == {
        "nodule1 R1": 2 * 5 * 3, "nodule2 R1": 9 * 9 - 3 * 3, "nodule1 R2": 5 * 5, "nodule2 R2": 2 * 5 * 3,
        "nodule consensus": 2 * 5 * 3 + 5 * 5 - 3 * 3,
    }  # fmt: skip
    hollow = drawn["nodule2 R1"][1]
    assert hollow["Characteristics"] == SCORES | {"malignancy": 1} and (hollow["Label"], hollow["Lesion"]) == (
        "nodule",
        2,
    )
    assert "Characteristics" not in drawn["nodule consensus"][1]
    (points,) = root.glob("derivatives/annotations/sub-*/ses-*/ct/*_desc-R1_points.tsv")
    assert [(p["label"], p["lesion"], p["i"], p["j"], p["k"]) for p in read_tsv(points)] == [
        ("nodule", "5", "5.00", "24.00", "3.00"),
        ("nonnodule", "n/a", "9.00", "21.00", "0.00"),
    ]
    issues = said(root)
    assert "nodule 3: an outline lies on an image that is not in the series" in issues
    assert "nodule 4: an outline is said to lie at z" in issues and "chest radiograph" in issues


def picai(tmp_path: Path) -> Path:
    """Two patients, one with two studies; the maps and the marksheet of the collection."""
    for n, (patient, day, study) in enumerate(
        [("10000", "20190314", "1000000"), ("10001", "20190315", "1000001"), ("10001", "20200315", "1000002")]
    ):
        days = dict.fromkeys(("StudyDate", "SeriesDate", "AcquisitionDate"), day)
        folder = tmp_path / "source" / patient / study
        write_series(folder, mr_object(), patient, number=n + 1, StudyID=study, **days, **T2)
    labels = tmp_path / "picai_labels"
    maps = labels / "csPCa_lesion_delineations" / "human_expert" / "resampled"
    maps.mkdir(parents=True)
    graded = np.zeros((32, 32, 6), np.uint8)
    graded[4:8, 4:8, 2], graded[20:24, 20:25, 3:5], graded[12:15, 25:28, 1] = 3, 3, 2
    late = np.zeros_like(graded)
    late[4:8, 4:8, 2] = 5
    maps_by_name = {
        "10000_1000000": graded, "10001_1000001": 0 * late, "10001_1000002": late, "10001_1000009": late,
        "10077_1000077": late,
    }  # fmt: skip
    for name, voxels in maps_by_name.items():
        save(Nifti1Image(voxels, PLACED), maps / f"{name}.nii.gz")
    write(
        labels / "clinical_information" / "marksheet.csv",
        "patient_id,study_id,mri_date,patient_age,psa,psad,prostate_volume,histopath_type,lesion_GS,lesion_ISUP,"
        "case_ISUP,case_csPCa,center",
        '10000,1000000,2019-03-14,73,7.7,,55,MRBx,"4+3,3+4","3,2",3,YES,PCNN',
        "10001,1000001,2019-03-15,64,8.7,0.09,102,,,,0,NO,RUMC",
        "10001,1000002,2020-03-15,65,,,,SysBx+MRBx,4+5,5,5,YES,ZGT",
    )
    return labels


def test_picai_lesions_leave_with_their_grade_and_the_marksheet_with_its_visits(tmp_path: Path) -> None:
    labels = picai(tmp_path)
    root = release(tmp_path, "picai", tmp_path / "source", labels)
    subject = {row["case_ISUP"]: file.parent for file in root.glob("sub-*/*_sessions.tsv") for row in read_tsv(file)}
    grades = {
        (file.parents[2].name, parts, json.loads(file.read_text("utf-8"))["Characteristics"]["ISUP"])
        for file in root.glob("derivatives/annotations/sub-*/ses-*/anat/*_mask.json")
        for parts in [file.name.split("_label-")[1].split("_")[0]]
    }
    assert grades == {
        (subject["3"].name, "lesion1", 2), (subject["3"].name, "lesion2", 3), (subject["3"].name, "lesion3", 3),
        (subject["5"].name, "lesion1", 5),
    }  # fmt: skip
    both = read_tsv(next(subject["5"].glob("*_sessions.tsv")))
    assert [(r["days"], r["psa"], r["case_csPCa"], r["center"]) for r in both] == [
        ("0", "8.7", "NO", "RUMC"), ("366", "n/a", "YES", "ZGT"),
    ]  # fmt: skip
    assert "lesion_GS" not in both[0]
    issues = said(root)
    assert "no lesion is drawn in 10001_1000001.nii.gz" in issues
    assert "10001_1000009.nii.gz: the study cannot be told" in issues
    assert "10077_1000077.nii.gz: no image of this patient" in issues


def test_picai_map_on_the_grid_that_it_was_drawn_on_is_refused(tmp_path: Path) -> None:
    labels = picai(tmp_path)
    original = labels / "csPCa_lesion_delineations" / "human_expert" / "original" / "10000_1000000.nii.gz"
    original.parent.mkdir()
    voxels = np.zeros((16, 16, 6), np.uint8)
    voxels[4:8, 4:8, 2] = 3
    save(Nifti1Image(voxels, PLACED @ np.diag([2, 2, 1, 1])), original)
    root = release(tmp_path, "picai", tmp_path / "source", original)
    assert not masks(root) and "the mask has shape 16×16×6, its image 32×32×6" in said(root)


def test_tcia_spreadsheet_becomes_columns_of_participants(tmp_path: Path) -> None:
    for n, patient in enumerate(("ABC-001", "ABC-002", "ABC-003")):
        write_series(tmp_path / "source" / patient, mr_object(), patient, number=n + 1, **T2)
    book = openpyxl.Workbook()
    sheet = book.create_sheet("Clinical")
    rows = [
        ("Case ID", "Age at Diagnosis (years)", "Stage", "Comment"),
        ("ABC-001", 61, "II", "phoned Mr Miller on Monday"),
        ("ABC-002", "Not Available", "III", "lives with her daughter"),
        ("ABC-003", 92, "II", "none of the above, see letter"),
    ]
    for row in rows:
        sheet.append(row)
    book.save(tmp_path / "clinical.xlsx")
    root = release(tmp_path, "tcia", tmp_path / "source", tmp_path / "clinical.xlsx")
    people = read_tsv(root / "participants.tsv")
    assert sorted((p["Age_at_Diagnosis_years"], p["Stage"]) for p in people) == [
        ("61", "II"),
        ("89", "II"),
        ("n/a", "III"),
    ]
    everything = "".join(file.read_text("utf-8") for file in root.rglob("*.tsv"))
    assert "Miller" not in everything and "Comment" not in everything


def radiograph(patient: str, number: int) -> Dataset:
    """A radiograph as the challenges store them: a secondary capture of modality CR without a place in space."""
    ds = mr_object()
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "SliceThickness", "FrameOfReferenceUID"):
        delattr(ds, keyword)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    ds.Modality, ds.ConversionType, ds.BodyPartExamined, ds.ViewPosition = "CR", "WSD", "CHEST", "PA"
    ds.PatientID = ds.PatientName = patient
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"2.25.1{number}", f"2.25.2{number}"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID(f"2.25.3{number}")
    ds.Rows, ds.Columns, ds.PixelSpacing = 40, 30, [0.2, 0.2]
    ds.PixelData = np.arange(1200, dtype=np.uint16).tobytes()
    return ds


def write_object(path: Path, ds: Dataset) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file_bytes(ds))


def test_rsna_boxes_lie_on_their_radiograph_and_its_finding_stands_with_the_patient(tmp_path: Path) -> None:
    images = tmp_path / "source" / "stage_2_train_images"
    write_object(images / "aaa.dcm", radiograph("aaa", 1))
    write_object(images / "bbb.dcm", radiograph("bbb", 2))
    write(
        tmp_path / "source" / "stage_2_train_labels.csv",
        "patientId,x,y,width,height,Target",
        "aaa,4.0,6.0,10.0,20.0,1", "aaa,20.0,30.0,10.0,10.0,1", "bbb,,,,,0", "ccc,1.0,1.0,5.0,5.0,1",
    )  # fmt: skip
    write(
        tmp_path / "source" / "stage_2_detailed_class_info.csv",
        "patientId,class", "aaa,Lung Opacity", "bbb,No Lung Opacity / Not Normal", "ccc,Lung Opacity",
    )  # fmt: skip
    root = release(tmp_path, "rsna", tmp_path / "source")
    people = {p["finding"]: p for p in read_tsv(root / "participants.tsv")}
    assert sorted(people) == ["opacity", "other"]
    assert (people["opacity"]["target"], people["opacity"]["opacities"], people["other"]["target"]) == ("1", "2", "0")
    (table,) = root.glob("derivatives/annotations/sub-*/ses-*/xray/*_boxes.tsv")
    assert table.parents[2].name == people["opacity"]["participant_id"]
    corners = [tuple(row[c] for c in ("i1", "j1", "k1", "i2", "j2", "k2")) for row in read_tsv(table)]
    assert corners == [("4", "14", "0", "13", "33", "0"), ("20", "0", "0", "29", "9", "0")]
    image = _image(next(root.glob(f"{table.parents[2].name}/ses-*/xray/*_xray.nii.gz")))
    assert image.header.get_zooms()[:2] == pytest.approx((0.2, 0.2))
    stored = np.arange(1200).reshape(40, 30)[6:26, 4:14]
    assert (np.asanyarray(image.dataobj)[4:14, 14:34, 0] == stored[::-1].T).all()
    assert "line 5: the patient has no image" in said(root)


def test_chexpert_observations_stand_with_the_study_whatever_their_number_of_views(tmp_path: Path) -> None:
    source = tmp_path / "source" / "CheXpert-v1.0" / "train"
    for number, place in enumerate(("patient00001/study1", "patient00001/study2", "patient00002/study1"), start=1):
        patient = place.partition("/")[0]
        write_object(source / place / "view1_frontal.dcm", radiograph(patient, number))
    write(
        tmp_path / "source" / "CheXpert-v1.0" / "train.csv",
        CHEXPERT,
        "CheXpert-v1.0/train/patient00001/study1/view1_frontal.jpg,Female,68,Frontal,AP,1.0,,-1.0,0.0,,,,,,,,,,",
        "CheXpert-v1.0/train/patient00001/study1/view2_lateral.jpg,Female,68,Lateral,,1.0,,-1.0,0.0,,,,,,,,,,",
        "CheXpert-v1.0/train/patient00001/study2/view1_frontal.jpg,Female,69,Frontal,PA,,,,,,,,,,,,,,1.0",
        "CheXpert-v1.0/train/patient00002/study1/view1_frontal.jpg,Male,91,Frontal,AP,,,,,,,,,,,,,,0.0",
    )
    root = release(tmp_path, "chexpert", tmp_path / "source")
    rows = [row for file in root.glob("sub-*/*_sessions.tsv") for row in read_tsv(file)]
    assert sorted((r["support_devices"], r["cardiomegaly"], r["lung_opacity"], r["views"]) for r in rows) == [
        ("n/a", "uncertain", "negative", "2"), ("negative", "n/a", "n/a", "1"), ("positive", "n/a", "n/a", "1"),
    ]  # fmt: skip
    assert {row["age"] for row in rows} == {"68", "69", "89"}
    assert {row["sex"] for row in rows} == {"F", "M"} and {row["edema"] for row in rows} == {"n/a"}
    assert len(list(root.glob("sub-*/ses-*/xray/*_xray.nii.gz"))) == 3


def test_pictures_become_objects_with_the_same_pixels(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    grey = cv2.GaussianBlur(random.integers(0, 255, (40, 30)).astype(np.uint8), (9, 9), 0)
    source = tmp_path / "source" / "train"
    pictures = {
        "patient00001/study1/view1_frontal.jpg": grey,
        "patient00001/study2/view1_frontal.png": np.repeat(grey[..., None], 3, axis=2),
        "patient00002/study1/view1_frontal.png": grey.astype(np.uint16) * 100,
    }
    rows = []
    for name, image in pictures.items():
        (source / name).parent.mkdir(parents=True)
        assert cv2.imwrite(str(source / name), image)
        rows.append(f"CheXpert-v1.0/train/{name},Male,50,Frontal,AP,1.0,,,,,,,,,,,,,")
    write(source.parent / "train.csv", CHEXPERT, *rows)
    root = release(tmp_path, "chexpert", tmp_path / "source")
    images = [np.asanyarray(_image(f).dataobj)[..., 0].T[::-1] for f in root.glob("sub-*/ses-*/xray/*.nii.gz")]
    assert sorted(int(image.max()) > 255 for image in images) == [False, False, True]
    from_jpeg = cv2.imread(str(source / "patient00001/study1/view1_frontal.jpg"), cv2.IMREAD_UNCHANGED)
    assert from_jpeg is not None
    for expected in (grey, grey.astype(np.uint16) * 100):
        assert any(np.array_equal(expected, image) for image in images)
    # Two decoders of JPEG may differ by one (ISO/IEC 10918-2).
    assert any(np.abs(from_jpeg.astype(int) - image).max() <= 1 for image in images)


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff\xc0\x00"])
def test_a_picture_that_is_none_is_named_and_nothing_stays(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "source" / "patient00001" / "study1" / "view1_frontal.jpg"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    with Serial() as engine, pytest.raises(UsageError, match=r"view1_frontal\.jpg: is no image"):
        write_trial([tmp_path / "source"], tmp_path / "trial", engine, Silent(), "chexpert")
    assert not (tmp_path / "trial" / "dicom").exists()


def test_radiographs_stay_back_without_keep_and_inverted_ones_always(tmp_path: Path) -> None:
    inverted = radiograph("bbb", 2)
    inverted.PhotometricInterpretation = "MONOCHROME1"
    write_object(tmp_path / "source" / "a.dcm", radiograph("aaa", 1))
    write_object(tmp_path / "source" / "b.dcm", inverted)
    decisions = {}
    for keep in ("", "keep: [projection]\nsourcedata: dicom"):
        folder = tmp_path / (keep[:4] or "none")
        trial = write(folder / "trial.yaml", f"sources: [{tmp_path / 'source'}]", "output: bids", keep)
        with Serial() as engine:
            assert run_export(load_trial(trial), engine, json=True) == 0
        rows = read_tsv(folder / "bids.work" / "plan.tsv")
        decisions[keep] = sorted((row["decision"], row["reason"]) for row in rows)
    assert decisions[""] == [("exclude", "not-needed"), ("exclude", "not-needed")]
    assert not (tmp_path / "keep" / "bids" / "sourcedata").exists()  # none is written as DICOM
    assert decisions["keep: [projection]\nsourcedata: dicom"] == [("keep", ""), ("quarantine", "inverted")]


@pytest.mark.parametrize(
    ("form", "words"), [("lidc", "no XML file"), ("picai", "no NIfTI file"), ("rsna", "cannot be")]
)
def test_a_collection_without_files_of_its_form_is_no_empty_one(tmp_path: Path, form: str, words: str) -> None:
    write_series(tmp_path / "source", mr_object(), "P1", slices=2)
    (tmp_path / "labels").mkdir()
    for path, said in (("nowhere", "annotations.collections.0.path: there is no file or folder"), ("labels", words)):
        collection = f"annotations: {{collections: [{{form: {form}, path: {path}}}]}}"
        trial = write(tmp_path / "trial.yaml", "sources: [source]", f"output: {path}.bids", collection)
        with Serial() as engine, pytest.raises(UsageError, match=said):
            run_export(load_trial(trial), engine, json=True)


def test_a_collection_must_be_known_and_its_files_must_be_there(tmp_path: Path) -> None:
    write_series(tmp_path / "source", mr_object(), "P1", slices=2)
    for like, place, words in (
        ("brats", None, "no known collection; they are lidc, picai, chexpert, rsna, tcia"),
        ("lidc", None, "holds no XML file"),
        ("picai", None, "patient_id"),
        ("rsna", None, "stage_2_train_labels.csv"),
        ("tcia", None, "no spreadsheet"),
        ("lidc", tmp_path / "nowhere", "is not there"),
        (None, tmp_path, "say which collection"),
    ):
        with Serial() as engine, pytest.raises(UsageError, match=words):
            write_trial([tmp_path / "source"], tmp_path / "trial", engine, Silent(), like, place)
    assert not (tmp_path / "trial").exists()
