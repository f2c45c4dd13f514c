"""The annotations table: every line is a mask, a box or a point on a named image, or the line is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from trialbids.exporter.annotations.files import state_of
from trialbids.exporter.annotations.readers import NOBODY, Readers
from trialbids.exporter.annotations.region import Drawing, Marked, Region
from trialbids.exporter.annotations.table import read_drawings
from trialbids.exporter.errors import UsageError
from trialbids.exporter.trial import Annotations
from trialbids.mappings.labels import Labels, shipped_labels

HEAD = "file,series_uid,label,reader,method\n"
BOXES = "series_uid,label,reader,method,x1,y1,z1,x2,y2,z2\n"


def read(folder: Path, text: str, labels: Labels | None = None) -> tuple[Drawing, ...]:
    table = folder / "a.csv"
    table.write_text(text, encoding="utf-8")
    readers = Readers(folder / "readers.tsv")
    found = read_drawings(table, labels or Labels(shipped_labels().values()), readers)
    readers.write()
    return found


def test_readers_leave_as_codes_that_stay(tmp_path: Path) -> None:
    text = HEAD + "a.nii,1.2,lesion,Dr Grey,manual\nb.nii,1.3,lesion,Dr Black,manual\n"
    assert [d.reader for d in read(tmp_path, text)] == ["R1", "R2"]
    assert [d.reader for d in read(tmp_path, HEAD + "b.nii,1.3,lesion,Dr Black,manual\n")] == ["R2"]


def test_a_reader_who_is_not_named_is_nobody_for_ever(tmp_path: Path) -> None:
    found = read(tmp_path, HEAD + "a.nii,1.2,lesion,,manual\nb.nii,1.2,lesion,Dr Grey,manual\n")
    assert [d.reader for d in found] == [NOBODY, "R1"]
    assert NOBODY not in (tmp_path / "readers.tsv").read_text(encoding="utf-8")


def test_a_reader_is_the_same_in_the_order_of_dicom_and_after_a_run(tmp_path: Path) -> None:
    readers = Readers(tmp_path / "readers.tsv")
    assert [readers.code(name) for name in ("Anna Black", "Black^Anna", "Anna Black-Grey", "…", "…")] == [
        "R1", "R1", "R2", "R3", "R3",
    ]  # fmt: skip
    readers.write()
    again = Readers(tmp_path / "readers.tsv")
    assert [again.code(name) for name in ("BLACK^ANNA", "…", "New")] == ["R1", "R3", "R4"]


@pytest.mark.parametrize(
    ("table", "dicom"),
    [
        ("Rowena Ashgrove", "Ashgrove^Rowena^^Dr"),
        ("Prof. Dr. med. Élise Noir", "NOIR^ELISE"),
        ("M. Jean Dupont", "Dupont^Jean"),
        ("Bianca Rossi, M.D., Ph.D.", "Rossi^Bianca^^Dott.ssa^MD"),
        ("M. Grey", "Grey^M"),
        ("Black, Dra. Ana", "Black^Ana^^Mrs"),
    ],
)
def test_a_title_makes_no_second_reader(tmp_path: Path, table: str, dicom: str) -> None:
    for n, names in enumerate([(table, dicom), (dicom, table)]):
        readers = Readers(tmp_path / f"{n}.tsv")
        assert [readers.code(name) for name in names] == ["R1", "R1"]
        readers.write()
        again = Readers(tmp_path / f"{n}.tsv")
        assert [again.code(name) for name in (*names, "Ann Other")] == ["R1", "R1", "R2"]


def test_readers_of_one_family_and_titles_alone_stay_apart(tmp_path: Path) -> None:
    readers = Readers(tmp_path / "readers.tsv")
    names = ("Dr Anna Black", "Dr Berta Black", "Black^A", "Black^M", "Dr", "Prof", "LIDC-IDRI reading 1")
    assert len({readers.code(name) for name in names}) == len(names)


def test_a_label_of_the_dictionary_has_its_code_and_another_leaves_without_one(tmp_path: Path) -> None:
    known, other = read(tmp_path, HEAD + "a.nii,1.2,prostate,X,manual\na.nii,1.2,hotspot,X,manual\n")
    assert (known.label.code, known.is_listed) == ("41216001", True)
    assert (other.label.name, other.label.code, other.is_listed) == ("hotspot", "", False)


def test_lines_that_share_a_label_map_belong_together(tmp_path: Path) -> None:
    head = "file,series_uid,label,reader,method,value\n"
    found = read(tmp_path, head + "m.nii,1,prostate,X,manual,1\nm.nii,1,rectum,X,manual,2\nn.nii,1,cyst,X,manual,3\n")
    assert all(isinstance(d, Region) for d in found)
    assert [(d.source, d.value) for d in found if isinstance(d, Region)] == [("m.nii", 1), ("m.nii", 2), ("", 3)]


def test_an_image_may_be_named_by_subject_visit_and_words(tmp_path: Path) -> None:
    head = "file,subject,visit,image,label,reader,method\n"
    (found,) = read(tmp_path, head + "a.nii,P1,2,T2w ax,lesion,X,manual\n")
    words = found.target.words
    assert words is not None and (words.subject, words.visit) == ("P1", "2")
    assert dict(words.term.wanted) == {"sequence": ("T2w",), "plane": ("ax",)}


def test_numbers_are_a_box_or_a_point_and_need_no_third_one_on_a_slice(tmp_path: Path) -> None:
    head = BOXES.replace("z2\n", "z2,sop_uid\n")
    box, point, pixels = read(
        tmp_path,
        head + "1,nodule,X,manual,1,2,3,4,5,6,\n1,nodule,X,manual,1,2,3,,,,\n1,nodule,X,manual,1,2,,4,5,,9.9\n",
    )
    assert isinstance(box, Marked) and (box.low, box.high) == ((1, 2, 3), (4, 5, 6))
    assert isinstance(point, Marked) and point.high is None
    assert isinstance(pixels, Marked) and (pixels.high, pixels.sop_uid) == ((4, 5, 0), "9.9")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD + "a.nii,1.2,le/sion,X,manual\n", "line 2: label"),
        (HEAD + "a.nii,1.2,lesion,X,by eye\n", "line 2: method"),
        (HEAD + ",1.2,lesion,X,manual\n", "line 2: neither a file nor x1"),
        (HEAD + "a.nii,,lesion,X,manual\n", "line 2: which image"),
        ("file,series_uid,reader,method\na.nii,1,X,manual\n", "has no column label"),
        ("file,label,reader,method\na.nii,lesion,X,manual\n", "has no column series_uid"),
        ("file,subject,image,label,reader,method\na.nii,P1,T2w by eye,lesion,X,manual\n", "line 2: image: .*legal"),
        ("lesion," + HEAD + "le/sion,a.nii,1.2,lesion,X,manual\n", "line 2: lesion: expected"),
        (BOXES + "1,nodule,X,manual,by eye,2,3,4,5,6\n", "line 2: x1, y1, z1: expected a number"),
        (BOXES + "1,nodule,X,manual,1,2,3,4,nan,6\n", "line 2: x2, y2, z2: expected finite"),
    ],
)  # fmt: skip
def test_an_illegal_line_is_named_and_its_cell_is_not_repeated(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as refused:
        read(tmp_path, text)
    assert "le/sion" not in str(refused.value) and "by eye" not in str(refused.value), "a cell may hold a name"


def test_the_state_of_a_file_whose_name_no_file_can_have_is_absent(tmp_path: Path) -> None:
    assert state_of(tmp_path / "a\0b") == "absent"


def test_what_a_drawing_is_made_from_decides_whether_it_is_made_anew(tmp_path: Path) -> None:
    line = HEAD + "a.nii,1.2,spot,X,manual\n"
    first = read(tmp_path, line)[0].fingerprint
    assert read(tmp_path, line)[0].fingerprint == first
    labels = Annotations.model_validate({"labels": {"spot": {"code": "1234", "meaning": "Spot"}}}).dictionary
    assert read(tmp_path, line, labels)[0].fingerprint != first
    (tmp_path / "a.nii").write_bytes(b"other")
    assert read(tmp_path, line)[0].fingerprint != first
