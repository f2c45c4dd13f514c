"""Checks of voxels in an export: what they hold back, what a waiver lets out, what a repair resolves, what leaves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from pixelmaker import body
from stackmaker import axial, write_series
from typer.testing import CliRunner

from trialbids.exporter.cli import app
from trialbids.exporter.qc.pixels import checks
from trialbids.exporter.tables import read_tsv

SLICES = 14


def write(folder: Path, patient: str, empty: Sequence[int] = ()) -> None:
    """One patient's T2, with a body in it; the slices of ``empty`` hold nothing."""
    voxels = np.clip(body(ord(patient[-1]), SLICES).T, 0, 4095).astype(np.uint16)
    voxels[list(empty)] = 0
    shutil.rmtree(folder / patient, ignore_errors=True)
    number = ord(patient[-1])
    write_series(
        folder / patient,
        axial(SLICES),
        PatientID=patient,
        PatientName=patient,
        SeriesDescription="t2_tse_tra",
        BodyPartExamined="PELVIS",
        StudyInstanceUID=f"1.2.9.{number}",
        SeriesInstanceUID=f"1.2.3.{number}",
        Rows=voxels.shape[1],
        Columns=voxels.shape[2],
        PixelData=[image.tobytes() for image in voxels],
    )


class Case:
    """A trial of two patients, exported and looked at."""

    def __init__(self, folder: Path, empty: Sequence[int]) -> None:
        self.folder, self.work, self.tree = folder, folder / "work", folder / "bids"
        self.trial = folder / "trial.yaml"
        self.trial.write_text("sources: [dicom]\noutput: bids\nwork: work\n", encoding="utf-8")
        write(folder / "dicom", "PA", empty)
        write(folder / "dicom", "PB")

    def run(self, *words: str) -> None:
        done = CliRunner().invoke(app, [*words], catch_exceptions=False)
        assert done.exit_code == 0, done.output

    def export(self) -> None:
        self.run("export", str(self.trial), "--engine", "serial", "--json")

    def issues(self, check: str) -> list[dict[str, str]]:
        return [row for row in read_tsv(self.work / "issues.tsv") if row["check"] == check]

    def row(self, patient: str = "A") -> dict[str, str]:
        (row,) = [r for r in read_tsv(self.work / "plan.tsv") if r["series_uid"] == f"1.2.3.{ord(patient)}"]
        return row

    def files(self) -> dict[str, int]:
        """The files of the subjects, and when each was written."""
        paths = (path for path in self.tree.glob("sub-*/ses-*/**/*") if path.is_file())
        return {path.relative_to(self.tree).as_posix(): path.stat().st_mtime_ns for path in paths}


def test_an_empty_slice_is_held_back_waived_repaired_and_found_again(tmp_path: Path) -> None:
    case = Case(tmp_path, empty=[6])
    case.export()
    (issue,) = case.issues("P01")
    assert (issue["severity"], issue["state"], issue["step"]) == ("error", "open", "pixel")
    row = case.row()
    assert (row["decision"], row["final_decision"], row["reason"], row["qc_verdict"]) == (
        *("keep", "quarantine", "P01", "fail"),
    )
    assert case.row("B")["qc_verdict"] == "pass"
    before = case.files()
    assert before and not any(row["bids_path"] in path for path in before)

    grave = [r["issue_id"] for r in read_tsv(case.work / "issues.tsv") if r["stack_id"] == row["stack_id"]]
    assert issue["issue_id"] in grave
    case.run("qc", "waive", str(case.trial), *grave, "--by", "AB", "--reason", "a gap of the scanner")
    case.export()
    assert (case.row()["final_decision"], case.row()["qc_verdict"]) == ("keep", "waived")
    sidecar = json.loads((case.tree / case.row()["bids_path"].replace(".nii.gz", "_qc.json")).read_bytes())
    told = {check["check"]: check["state"] for check in sidecar["checks"]}
    assert (sidecar["verdict"], told["P01"]) == ("waived", "waived")
    assert {path: time for path, time in case.files().items() if path in before} == before, (
        "the other session is left alone"
    )

    write(case.folder / "dicom", "PA")
    case.export()
    assert case.issues("P01")[0]["state"] == "resolved" and case.row()["qc_verdict"] == "pass"
    write(case.folder / "dicom", "PA", empty=[6, 7])
    case.export()
    (again,) = [row for row in case.issues("P01") if row["state"] != "resolved"]
    assert again["state"] == "open" and case.row()["final_decision"] == "quarantine"


def test_a_second_run_changes_no_issue_and_no_file(tmp_path: Path) -> None:
    case = Case(tmp_path, empty=[6])
    case.export()
    first = {row["issue_id"]: row["state"] for row in read_tsv(case.work / "issues.tsv")}
    files = {path: path.read_bytes() for path in case.tree.rglob("*") if path.is_file()}
    case.export()
    assert {row["issue_id"]: row["state"] for row in read_tsv(case.work / "issues.tsv")} == first
    assert {path: path.read_bytes() for path in case.tree.rglob("*") if path.is_file()} == files
    assert [row["new"] for row in read_tsv(case.work / "cycles.tsv")] == [str(len(first)), "0"]


def test_qc_run_leaves_what_the_export_found_in_voxels(tmp_path: Path) -> None:
    case = Case(tmp_path, empty=[6])
    case.export()
    case.run("qc", "run", str(case.trial), "--engine", "serial", "--json")
    assert [row["state"] for row in case.issues("P01")] == ["open"]


def test_a_check_that_fails_to_run_is_an_issue_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(pixels: object, tolerance: float) -> object:
        raise RuntimeError("Doe^Jane")

    table = tuple(
        check if check.code != "P05" else type(check)(**{**_fields(check), "run": broken}) for check in checks.PIXELS
    )
    monkeypatch.setattr(checks, "PIXELS", table)
    case = Case(tmp_path, empty=[])
    case.export()
    failed = case.issues("Q99")
    assert len(failed) == 2 and {row["severity"] for row in failed} == {"warning"}
    assert all(
        "P05" in row["message"] and "RuntimeError" in row["message"] and "Doe" not in row["message"] for row in failed
    )
    assert case.row()["final_decision"] == "keep" and case.row()["qc_verdict"] == "warn"


def _fields(check: object) -> dict[str, object]:
    return {name: getattr(check, name) for name in type(check).__slots__}


def test_two_patients_with_the_same_pixels_are_found_and_the_table_of_quality_lists_all_images(tmp_path: Path) -> None:
    case = Case(tmp_path, empty=[])
    voxels = [path.read_bytes() for path in sorted((tmp_path / "dicom" / "PA").iterdir())]
    assert voxels
    import pydicom

    for mine, theirs in zip(
        sorted((tmp_path / "dicom" / "PA").iterdir()), sorted((tmp_path / "dicom" / "PB").iterdir()), strict=True
    ):
        other = pydicom.dcmread(theirs)
        other.PixelData = pydicom.dcmread(mine).PixelData
        other.save_as(theirs)
    splits = tmp_path / "splits.tsv"
    case.export()
    assert [row["severity"] for row in case.issues("C03")] == ["warning"]
    table = pq.read_table(case.tree / "curation" / "qc.parquet").to_pylist()
    assert [row["path"] for row in table] == sorted(case.row(p)["bids_path"] for p in "AB")
    assert all(row["snr"] > 0 and row["qc_verdict"] in ("pass", "warn") for row in table)

    names = [row["participant_id"] for row in table]
    splits.write_text(f"participant_id\tsplit\n{names[0]}\ttrain\n{names[1]}\ttest\n", encoding="utf-8")
    case.trial.write_text(case.trial.read_text() + "qc: {splits: splits.tsv}\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["export", str(case.trial), "--engine", "serial", "--json"])
    assert done.exit_code == 3, "the release as a whole has an error"
    (issue,) = case.issues("S02")
    assert issue["severity"] == "error"
    case.run("qc", "run", str(case.trial), "--engine", "serial", "--json")
    assert [row["state"] for row in case.issues("S02")] == ["open"], "headers alone cannot resolve it"
    case.run("qc", "waive", str(case.trial), issue["issue_id"], "--by", "AB", "--reason", "twins of a phantom")
    case.export()
