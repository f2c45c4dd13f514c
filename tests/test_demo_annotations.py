"""Every form of annotation of the demo trial comes out with the measure that is known of it."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from trialbids.datasets import Database, Q
from trialbids.exporter.cli import run_export
from trialbids.exporter.demo.generate import DemoTrial, make_trial
from trialbids.exporter.engine import Processes
from trialbids.exporter.release.validate import validate
from trialbids.exporter.tables import read_tsv
from trialbids.exporter.trial import Trial, load_trial

pytestmark = pytest.mark.slow
PATIENTS = 6


@dataclass(frozen=True)
class Annotated:
    """The demo trial with all its patients, exported, and by the series that was drawn on the path of its image."""

    made: DemoTrial
    trial: Trial
    exit_code: int
    image_of: dict[str, str]

    def truth(self, *forms: str) -> list[dict[str, str]]:
        with self.made.drawn.open(encoding="utf-8", newline="") as opened:
            return [row for row in csv.DictReader(opened) if row["form"] in forms]

    def drawn_on(self, series_uid: str, ending: str) -> Iterator[tuple[Path, dict[str, object]]]:
        """Files of the derivative that name the image of this series as their source, with their sidecars."""
        for path in sorted((self.trial.output / "derivatives" / "annotations").rglob(f"*{ending}")):
            sidecar = json.loads(Path(re.sub(r"\.(nii\.gz|tsv)$", ".json", str(path))).read_text(encoding="utf-8"))
            if sidecar.get("Sources") == [f"bids:raw:{self.image_of[series_uid]}"]:
                yield path, sidecar


@pytest.fixture(scope="module")
def annotated(tmp_path_factory: pytest.TempPathFactory) -> Annotated:
    folder = tmp_path_factory.mktemp("annotated") / "trial"
    made = make_trial(folder, patients=PATIENTS)
    trial = load_trial(made.configuration)
    with Processes() as engine:
        code = run_export(trial, engine, json=True)
    plan = read_tsv(trial.work / "plan.tsv")
    images = {uid: row["bids_path"] for row in plan for uid in row["series_uid"].split(";") if row["bids_path"]}
    return Annotated(made, trial, code, images)


def mm3(path: Path) -> float:
    image = nib.load(path)
    assert isinstance(image, nib.Nifti1Image)
    return float(np.asanyarray(image.dataobj).sum() * abs(np.linalg.det(image.affine[:3, :3])))


def test_the_export_is_whole_and_both_datasets_are_valid(annotated: Annotated):
    assert annotated.exit_code == 0
    assert validate(annotated.trial.output).errors == 0


@pytest.mark.parametrize("form", ["nifti", "nrrd", "metaimage", "binary", "labelmap"])
def test_masks_hold_exactly_what_was_drawn(annotated: Annotated, form: str):
    truth = annotated.truth(form)
    assert truth
    for row in truth:
        counts = [
            int(np.asanyarray(nib.load(path).dataobj).sum())  # pyright: ignore[reportAttributeAccessIssue]
            for path, sidecar in annotated.drawn_on(row["series_uid"], "_mask.nii.gz")
            if sidecar["Label"] == row["label"]
        ]
        assert round(float(row["value"])) in counts, row


def test_a_reader_of_tables_and_objects_is_one_person(annotated: Annotated):
    with annotated.made.drawn.open(encoding="utf-8", newline="") as opened:
        people = {row["reader"] for row in csv.DictReader(opened)}
    assert "Rowena Ashgrove" in people
    codes = read_tsv(annotated.trial.work / "readers.tsv")
    assert len(codes) == len(people) and sum("Ashgrove" in row["reader"] for row in codes) == 1


def test_a_fraction_keeps_its_shares(annotated: Annotated):
    (row,) = annotated.truth("fractional")
    (found,) = annotated.drawn_on(row["series_uid"], "_probseg.nii.gz")
    shares = np.asanyarray(nib.load(found[0]).dataobj)  # pyright: ignore[reportAttributeAccessIssue]
    assert shares.sum() == pytest.approx(float(row["value"]), rel=1e-4)
    assert set(np.round(np.unique(shares), 3)) == {0.0, 0.5, 1.0}


def test_contours_measure_what_the_shapes_do(annotated: Annotated):
    truth = annotated.truth("rtstruct")
    assert {row["label"] for row in truth} == {"lesion", "uterus"}
    for row in truth:
        found = [p for p, s in annotated.drawn_on(row["series_uid"], "_mask.nii.gz") if s["Label"] == row["label"]]
        assert len(found) == 1
        assert mm3(found[0]) == pytest.approx(float(row["value"]), rel=0.01)


def test_a_label_map_is_written_as_one_too(annotated: Annotated):
    truth = annotated.truth("labelmap")
    (found,) = annotated.drawn_on(truth[0]["series_uid"], "_dseg.nii.gz")
    values = Counter(np.asanyarray(nib.load(found[0]).dataobj).ravel().tolist())  # pyright: ignore[reportAttributeAccessIssue]
    names = {int(row["index"]): row["name"] for row in read_tsv(Path(str(found[0]).replace(".nii.gz", ".tsv")))}
    assert {names[v]: n for v, n in values.items() if v} == {r["label"]: round(float(r["value"])) for r in truth}


def test_boxes_have_the_corners_of_the_lesion(annotated: Annotated):
    with annotated.made.annotations.open(encoding="utf-8", newline="") as opened:
        boxes = [row for row in csv.DictReader(opened) if row["x1"]]
    assert len(boxes) == len(annotated.truth("box")) == PATIENTS + 1
    for row in boxes:
        (found,) = annotated.drawn_on(row["series_uid"], "_boxes.tsv")
        (box,) = read_tsv(found[0])
        image = nib.load(annotated.trial.output / annotated.image_of[row["series_uid"]])
        assert isinstance(image, nib.Nifti1Image)
        lps = np.array([[float(row[f"{axis}{n}"]) for axis in "xyz"] for n in "12"])
        corners = nib.affines.apply_affine(np.linalg.inv(image.affine), lps * [-1, -1, 1])
        voxels = np.array([[int(box[f"{axis}{n}"]) for axis in "ijk"] for n in "12"])
        assert np.abs(np.sort(corners, axis=0) - voxels).max() <= 0.5 + 1e-3


def test_a_report_is_read_and_stays_private(annotated: Annotated):
    (row,) = annotated.truth("sr")
    (measured,) = read_tsv(annotated.trial.work / "measurements.tsv")
    assert float(measured["value"]) == float(row["value"])
    assert measured["unit"] == "mm"
    assert not [path for path in annotated.trial.output.rglob("*") if "measure" in path.name]


def test_what_the_dictionary_does_not_hold_is_named_and_stays(annotated: Annotated):
    found = [row for row in read_tsv(annotated.trial.work / "issues.tsv") if row["check"] == "A03"]
    assert found
    assert not list((annotated.trial.output / "derivatives").rglob("*label-bladder*desc-*RTSTRUCT*"))


def test_the_database_serves_the_masks(annotated: Annotated):
    db = Database(annotated.trial.output)
    cohort = db.cohort(images={"t2": Q("T2w", plane="sag")}, labels={"lesion": Q(label="lesion")}, duplicates="first")
    assert len(cohort) == PATIENTS + 1
    both = db.cohort(
        images={"t2": Q("T2w", plane="sag")},
        labels={"lesion": Q(label="lesion", reader="consensus")},
        missing="drop",
    )
    assert len(both) == 4
