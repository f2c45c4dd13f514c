"""CheXpert, RSNA and PI-CAI: what their tables and file names say, as plain rows."""

from __future__ import annotations

from pathlib import Path

import pytest
from collectionmaker import CHEXPERT, write

from trialbids.exporter.annotations.collections.picai import (
    Meaning,
    algorithm_of,
    is_automatic,
    list_cases,
    meanings_in,
)
from trialbids.exporter.clinical.collections import FORMS
from trialbids.exporter.clinical.collections.rsna import read_rsna
from trialbids.exporter.errors import UsageError


def rows_of(form: str, file: Path) -> list[dict[str, str]]:
    """The rows that a form makes of a file."""
    columns = FORMS[form](file).columns
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


TRAIN = "CheXpert-v1.0/train"
LABELS = "patientId,x,y,width,height,Target"


def test_a_study_of_chexpert_is_one_row_with_words_for_its_numbers(tmp_path: Path) -> None:
    said = "1.0,,-1.0,0.0,,,,,,,1.0,,,"
    file = write(
        tmp_path / "train.csv",
        CHEXPERT,
        f"{TRAIN}/patient00001/study1/view1_frontal.jpg,Female,68,Frontal,AP,{said}",
        f"{TRAIN}/patient00001/study1/view2_lateral.jpg,Female,68,Lateral,,{said}",
        f"{TRAIN}/patient00001/study2/view1_frontal.jpg,Female,69,Frontal,PA,,,,,,,,,,,,,,1.0",
    )
    first, second = rows_of("chexpert", file)
    assert list(FORMS["chexpert"](file).lines) == [2, 4]
    assert (first["patient"], first["study"], first["sex"], first["age"]) == ("patient00001", "study1", "F", "68")
    assert first["views"] == "2" and second["views"] == "1"
    assert (first["no_finding"], first["cardiomegaly"], first["lung_opacity"]) == ("positive", "uncertain", "negative")
    assert first["pleural_effusion"] == "positive" and first["edema"] == ""
    assert second["study"] == "study2" and second["support_devices"] == "positive"


@pytest.mark.parametrize(
    ("row", "words", "says"),
    [
        ("somebody/view1_frontal.jpg,Female,68,Frontal,AP,,,,,,,,,,,,,,", "line 3: Path", ["positive"]),
        ("patient2/study1/view1_frontal.jpg,Male,,Frontal,AP,2.0,,,,,,,,,,,,,", "line 3: no_finding", ["positive", ""]),
        ("patient00001/study1/view2_lateral.jpg,Female,68,Lateral,,,,,,,,,,,,,,,", "line 3: no_finding", [""]),
    ],
)  # fmt: skip
def test_a_value_of_chexpert_that_cannot_be_used_is_blank_for_its_study_and_named(
    tmp_path: Path, row: str, words: str, says: list[str]
) -> None:
    good = f"{TRAIN}/patient00001/study1/view1_frontal.jpg,Female,68,Frontal,AP,1.0,,,,0.0,,,,,,,,,"
    row = row.replace("Lateral,,,,,,", "Lateral,,,,,,0.0")
    sheet = FORMS["chexpert"](write(tmp_path / "train.csv", CHEXPERT, good, f"{TRAIN}/{row}"))
    (remark,) = sheet.remarks
    assert remark.startswith(words) and sheet["no_finding"] == says
    assert sheet["lung_lesion"][0] == "negative", "what the views agree in stays"


def test_a_table_without_one_path_of_chexpert_is_none_of_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="line 2: Path"):
        FORMS["chexpert"](write(tmp_path / "train.csv", CHEXPERT, "a.jpg,Female,68,Frontal,AP,,,,,,,,,,,,,,"))


def test_a_patient_of_rsna_is_one_row_with_all_its_boxes(tmp_path: Path) -> None:
    labels = write(tmp_path / "l.csv", LABELS, "a,264.0,152.0,213.0,379.0,1", "b,,,,,0", "a,562.0,152.0,256.0,453.0,1")
    write(
        tmp_path / "stage_2_detailed_class_info.csv",
        "patientId,class", "a,Lung Opacity", "b,No Lung Opacity / Not Normal", "a,Lung Opacity",
    )  # fmt: skip
    assert rows_of("rsna", labels) == [
        {"patient": "a", "target": "1", "opacities": "2", "finding": "opacity"},
        {"patient": "b", "target": "0", "opacities": "0", "finding": "other"},
    ]
    boxes = read_rsna(labels).boxes
    assert [(box.line, box.patient, box.x, box.width) for box in boxes] == [(2, "a", 264, 213), (4, "a", 562, 256)]


def test_without_its_file_of_classes_the_finding_is_blank(tmp_path: Path) -> None:
    assert rows_of("rsna", write(tmp_path / "l.csv", LABELS, "b,,,,,0"))[0]["finding"] == ""


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["a,1,2,3,4,0"], "line 2"),
        (["a,,,,,1"], "line 2"),
        (["a,1,2,3,,1"], "line 2"),
        (["a,1,2,three,4,1"], "line 2: x, y, width and height"),
        (["a,1,2,-3,4,1"], "no area"),
        (["a,nan,2,3,4,1"], "no area"),
        (["a,,,,,0", "a,1,2,3,4,1"], "line 3: Target"),
        (["a,1,2,3,4,yes"], "line 2"),
    ],
)
def test_a_row_of_rsna_that_cannot_be_used_is_named(tmp_path: Path, rows: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_rsna(write(tmp_path / "l.csv", LABELS, *rows))


@pytest.mark.parametrize("second", ["a,,,,,0", "a,1,2,3,,1", "a,1,2,-3,4,1", "a,1,2,3,4,0"])
def test_one_patient_of_rsna_who_contradicts_himself_costs_nobody_else(tmp_path: Path, second: str) -> None:
    labels = write(tmp_path / "l.csv", LABELS, "a,1,2,3,4,1", "b,5,6,7,8,1", second)
    assert [(row["patient"], row["target"], row["opacities"]) for row in rows_of("rsna", labels)] == [
        ("a", "", ""), ("b", "1", "1"),
    ]  # fmt: skip
    read = read_rsna(labels)
    assert [box.patient for box in read.boxes] == ["b"] and read.remarks[0].startswith("line 4: ")


def test_a_class_of_rsna_that_differs_is_blank_and_named(tmp_path: Path) -> None:
    labels = write(tmp_path / "l.csv", LABELS, "a,,,,,0", "b,,,,,0", "c,,,,,0")
    name = "stage_2_detailed_class_info.csv"
    write(tmp_path / name, "patientId,class", "a,Normal", "b,Normal", "a,Lung Opacity", "c,odd", "a,Normal")
    sheet = FORMS["rsna"](labels)
    assert sheet["finding"] == ["", "normal", ""]
    assert [remark.split(": ")[0] for remark in sheet.remarks] == [f"{name} line 4", f"{name} line 5"]


def test_the_file_name_of_picai_says_whose_a_lesion_map_is(tmp_path: Path) -> None:
    for name in ("10001_1000001.nii.gz", "10000_1000000.nii.gz", "10002.nii.gz", "notes.txt"):
        (tmp_path / name).touch()
    cases, strange = list_cases(tmp_path)
    assert [(case.patient, case.study) for case in cases] == [("10000", "1000000"), ("10001", "1000001")]
    assert [file.name for file in strange] == ["10002.nii.gz"]


def test_the_value_of_a_voxel_is_a_grade_an_organ_or_an_algorithm_s_word(tmp_path: Path) -> None:
    human = tmp_path / "human_expert/resampled/1_2.nii.gz"
    machine = tmp_path / "csPCa_lesion_delineations/AI/Bosma22a/1_2.nii.gz"
    zones = tmp_path / "anatomical_delineations/zonal_pz_tz/AI/HeviAI23/1_2.nii.gz"
    assert meanings_in(human, (2, 5)) == {2: Meaning("lesion", 2), 5: Meaning("lesion", 5)}
    assert meanings_in(machine, (1,)) == {1: Meaning("lesion", None)}
    assert meanings_in(zones, (1, 2)) == {1: Meaning("peripheralzone"), 2: Meaning("transitionzone")}
    assert [is_automatic(f) for f in (human, machine)] == [False, True]
    assert (algorithm_of(human), algorithm_of(machine)) == ("PI-CAI human expert", "PI-CAI AI Bosma22a")
    with pytest.raises(ValueError, match="value 7"):
        meanings_in(human, (2, 7))
