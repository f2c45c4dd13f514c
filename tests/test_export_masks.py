"""Annotations of every kind in a whole export: what leaves, what is listed, and what a second run does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
from drawnmaker import LESION, ORGAN, T2, Drawn, Segment, block, drawn_voxels, rectangle
from pydicom import dcmread
from pydicom.sr.codedict import codes
from test_export_tree import contents, rows

from trialbids.exporter.release.export import Exported
from trialbids.exporter.release.validate import validate

BOX = {"x1": -5, "y1": -4, "z1": 4, "x2": 0, "y2": 0, "z2": 12}
POINT = {"x1": -5, "y1": -4, "z1": 4}


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Drawn, Exported]]:
    """One trial with all kinds of annotations, exported once. Read it, do not change it."""
    drawn = Drawn(tmp_path_factory.mktemp("drawn"))
    one, two = drawn.mask("one.nii.gz", block(3, 3, 3)), drawn.mask("two.nii.gz", block(3, 3, 3, size=3))
    organs = drawn.mask("organs.nii.gz", block(3, 3, 3) + 2 * block(8, 8, 2))
    drawn.table(
        {"file": one, "series_uid": T2},
        {"file": two, "subject": "P1", "visit": "1", "image": "T2w ax", "reader": "Dr Black"},
        {"file": organs, "series_uid": T2, "value": 1, "label": "prostate", "reader": "Dr Lee", "set": "organs"},
        {"file": organs, "series_uid": T2, "value": 2, "label": "rectum", "reader": "Dr Lee", "set": "organs"},
        {"series_uid": T2, **BOX},
        {"series_uid": T2, **POINT, "reader": "Dr Black"},
        {"series_uid": T2, **BOX, "subject": "P2"},
    )
    drawn.seg([Segment(block(2, 2, 2)), Segment(block(9, 3, 3)), Segment(block(5, 5, 5), "Hot spot", ORGAN)])
    drawn.seg([Segment(block(2, 2, 2) * 0.5, "Cyst", codes.SCT.Cyst)], kind="FRACTIONAL")
    drawn.rtstruct({"GTV 7": rectangle((-5.6, -0.6), (-5.0, 1.0), 8.0)})
    yield drawn, drawn.export("{table: drawn.csv, consensus: majority, labels: {lesion: {match: [GTV]}}}")


def named(drawn: Drawn, ending: str) -> Path:
    (path,) = drawn.files(f"*_{ending}")
    return path


def issues(drawn: Drawn) -> list[tuple[str, str]]:
    return [(r["check"], r["message"]) for r in rows(drawn.folder / "work" / "issues.tsv") if r["state"] == "open"]


def test_the_tree_and_its_derivative_are_valid_and_nothing_private_stands_in_them(
    everything: tuple[Drawn, Exported],
) -> None:
    drawn, done = everything
    found = validate(drawn.folder / "out")
    assert found.problems == () and found.datasets == 2
    assert done.run.leaks == {} and done.run.sessions_stopped == 0
    text = b"".join(path.read_bytes() for path in drawn.files("*") if not path.name.endswith(".gz")).decode()
    assert not any(word in text for word in ("Grey", "Black", "Lee", "Hot spot", "GTV", "1.2.3", "P1"))


def test_masks_of_files_and_objects_keep_their_voxels(everything: tuple[Drawn, Exported]) -> None:
    drawn, _ = everything
    assert np.array_equal(drawn_voxels(named(drawn, "label-lesion_desc-R1_mask.nii.gz")), block(3, 3, 3))
    assert np.array_equal(drawn_voxels(named(drawn, "label-rectum_desc-R3_mask.nii.gz")), block(8, 8, 2))
    assert np.array_equal(drawn_voxels(named(drawn, "label-lesion2_desc-R4_mask.nii.gz")), block(9, 3, 3))
    fraction = drawn_voxels(named(drawn, "label-cyst_desc-R4_probseg.nii.gz"))
    assert fraction.dtype == np.float32 and np.allclose(fraction, 0.5 * block(2, 2, 2), atol=0.01)


def test_contours_enclose_the_voxels_whose_centres_they_enclose(everything: tuple[Drawn, Exported]) -> None:
    drawn, _ = everything
    inside = np.argwhere(drawn_voxels(named(drawn, "label-lesion7_desc-R4_mask.nii.gz")))
    # centres of columns at -10 + 1.25 i, of rows at -9 + 1.5 j, the slice at 8 mm is the third
    assert sorted({i for i, _, _ in inside}) == [4, 5, 6, 7] and sorted({j for _, j, _ in inside}) == [3, 4, 5, 6]
    assert {k for _, _, k in inside} == {2}


def test_a_label_map_has_its_table_with_codes(everything: tuple[Drawn, Exported]) -> None:
    drawn, _ = everything
    voxels = drawn_voxels(named(drawn, "seg-organs_desc-R3_dseg.nii.gz"))
    assert np.array_equal(voxels, block(3, 3, 3) + 2 * block(8, 8, 2))
    table = rows(named(drawn, "seg-organs_desc-R3_dseg.tsv"))
    assert [(r["index"], r["name"], r["code"]) for r in table] == [
        ("1", "prostate", "41216001"),
        ("2", "rectum", "34402009"),
    ]


def test_two_readers_are_kept_apart_and_their_consensus_is_named_as_such(everything: tuple[Drawn, Exported]) -> None:
    drawn, _ = everything
    assert named(drawn, "label-lesion_desc-R2_mask.nii.gz").is_file()
    mask = named(drawn, "label-lesion_desc-consensus_mask.nii.gz")
    content = json.loads(mask.with_name(mask.name.replace(".nii.gz", ".json")).read_bytes())
    assert content["Reader"] == "consensus" and content["Method"].startswith("majority of ")


def test_boxes_and_points_leave_as_voxels(everything: tuple[Drawn, Exported]) -> None:
    drawn, _ = everything
    path = named(drawn, "desc-R1_boxes.tsv")
    (box,) = rows(path)
    (point,) = rows(named(drawn, "desc-R2_points.tsv"))
    assert json.loads(path.with_suffix(".json").read_bytes())["Reader"] == "R1"
    size = [int(box[f"{axis}2"]) - int(box[f"{axis}1"]) + 1 for axis in "ijk"]
    assert size == [5, 4, 3] and float(point["k"]) == 1.0 and float(point["i"]) == 4.0


def test_readers_stay_in_the_private_folder(everything: tuple[Drawn, Exported]) -> None:
    drawn, _ = everything
    readers = {r["code"]: r["reader"] for r in rows(drawn.folder / "work" / "readers.tsv")}
    assert readers == {"R1": "Dr Grey", "R2": "Dr Black", "R3": "Dr Lee", "R4": "Black^Anna"}


def test_what_is_not_taken_is_listed_with_the_reason(everything: tuple[Drawn, Exported]) -> None:
    drawn, _ = everything
    said = issues(drawn)
    assert any(
        check == "A01" and message.startswith("line 8: ") and "another patient" in message for check, message in said
    )
    (unknown,) = [message for check, message in said if check == "A03"]
    assert "'Hot spot'" in unknown and "match: ['Hot spot']" in unknown
    assert not drawn.files("*otspot*")


def test_a_second_run_makes_nothing_anew(everything: tuple[Drawn, Exported]) -> None:
    drawn, _ = everything
    before = contents(drawn.folder / "out")
    again = drawn.export("{table: drawn.csv, consensus: majority, labels: {lesion: {match: [GTV]}}}")
    assert again.run.sessions_written == 0 and contents(drawn.folder / "out") == before


def test_a_changed_or_removed_source_makes_its_session_anew(tmp_path: Path) -> None:
    drawn = Drawn(tmp_path)
    drawn.table({"file": drawn.mask("one.nii.gz", block(3, 3, 3)), "series_uid": T2})
    path = drawn.seg([Segment(block(5, 5, 5), "Hot spot", ORGAN)])
    drawn.export()
    assert len(drawn.files("*mask.nii.gz")) == 1
    drawn.mask("one.nii.gz", block(3, 3, 3, size=3))
    assert drawn.export().run.sessions_written == 1
    assert drawn_voxels(named(drawn, "desc-R1_mask.nii.gz")).sum() == 27
    labels = "{table: drawn.csv, labels: {spot: {match: [Hot spot]}}}"
    assert drawn.export(labels).run.sessions_written == 1
    assert json.loads(named(drawn, "label-spot_desc-R2_mask.json").read_bytes())["Label"] == "spot"
    path.unlink()
    assert drawn.export(labels).run.sessions_written == 1
    assert len(drawn.files("*mask.nii.gz")) == 1
    (drawn.folder / "one.nii.gz").unlink()
    assert drawn.export(labels).run.sessions_written == 1
    assert not drawn.files("*mask*") and any("is not there" in message for _, message in issues(drawn))


def test_a_structure_set_with_odd_numbers_stops_nothing(tmp_path: Path) -> None:
    drawn = Drawn(tmp_path)
    one, other = (rectangle((x, x + 5), (-5.0, 1.0), 8.0) for x in (-9.6, 0.4))
    path = drawn.rtstruct({"Lesion 1": one, "Lesion 2": other})
    data = dcmread(path)
    for items, keyword in (
        (data.StructureSetROISequence, "ROINumber"),
        (data.ROIContourSequence, "ReferencedROINumber"),
    ):
        for item, number in zip(items, (0, 70_000), strict=True):
            setattr(item, keyword, number)
    data.save_as(path)
    done = drawn.export("{objects: true}")
    assert done.run.sessions_stopped == 0 and done.run.sessions_written == 1
    assert [r["index"] for r in rows(named(drawn, "dseg.tsv"))] == ["1", "2"]
    assert set(np.unique(drawn_voxels(named(drawn, "dseg.nii.gz")))) == {0, 1, 2}


def test_the_rule_of_consensus_touches_only_sessions_in_which_one_can_arise(tmp_path: Path) -> None:
    drawn = Drawn(tmp_path)
    alone = {"file": drawn.mask("one.nii.gz", block(3, 3, 3)), "series_uid": T2}
    other = {"file": drawn.mask("two.nii.gz", block(3, 3, 3, size=3)), "series_uid": T2}
    mute = {**other, "reader": "net", "method": "automatic"}

    def written(rule: str, more: Mapping[str, object]) -> int:
        drawn.table(alone, more)
        return drawn.export(f"{{table: drawn.csv, consensus: {rule}}}").run.sessions_written

    assert [written(rule, mute) for rule in ("majority", "staple", "none")] == [1, 0, 0]
    two = {**other, "reader": "Dr Black"}
    assert [written(rule, two) for rule in ("none", "majority", "majority", "staple", "none")] == [1, 1, 0, 1, 1]
    assert not drawn.files("*consensus*")


def test_objects_that_do_not_belong_to_an_exported_image_have_none(tmp_path: Path) -> None:
    drawn = Drawn(tmp_path)
    mask = [Segment(block(2, 2, 2), "Lesion", LESION)]
    gone = drawn.series("gone", SeriesInstanceUID="1.2.3.99")
    drawn.seg(mask, paths=gone)
    for file in gone:
        file.unlink()
    drawn.seg(mask, PatientID="P2")
    drawn.seg(mask, FrameOfReferenceUID="1.2.3.77")
    _, assigned = drawn.found()
    assert not assigned.by_visit and {(f.check, f.severity) for f in assigned.faults} == {("A01", "error")}
    said = [f.message for f in assigned.faults]
    for words in ("not among the exported", "another patient", "frame of reference"):
        assert sum(words in message and message.startswith("segment 1 of the object") for message in said) == 1, words


def test_another_study_of_the_same_patient_is_said_and_taken(tmp_path: Path) -> None:
    drawn = Drawn(tmp_path)
    drawn.seg([Segment(block(2, 2, 2))], StudyInstanceUID="1.2.3.55")
    _, assigned = drawn.found()
    ((placed,),) = assigned.by_visit.values()
    assert [(note.check, note.severity) for note in placed.notes] == [("C01", "warning")]


def test_objects_are_left_alone_where_the_trial_says_so(tmp_path: Path) -> None:
    drawn = Drawn(tmp_path)
    drawn.seg([Segment(block(2, 2, 2))])
    assert drawn.found("{objects: false}")[0].all == ()
