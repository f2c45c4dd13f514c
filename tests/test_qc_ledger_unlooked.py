"""What was found in voxels stays open while no run looks at those voxels; splits are read before any work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from stackmaker import axial, write_series
from test_export_again import add_patient, export

from trialbids.exporter.errors import UsageError
from trialbids.exporter.qc.ledger.row import read_issues
from trialbids.exporter.trial import trial_for

SPLITS = "participant_id\tsplit\n"


def states(work: Path, *checks: str) -> dict[str, str]:
    return {row.check: row.state for row in read_issues(work).values() if row.check in checks}


def test_a_fault_of_voxels_stays_while_the_stack_cannot_be_converted(tmp_path: Path) -> None:
    source = tmp_path / "in"
    add_patient(source, "PA", 1)
    study = {"StudyInstanceUID": "1.2.9.9", "SeriesInstanceUID": "1.2.3.99"}
    write_series(source / "PB", axial(8), PatientID="PB", PatientName="PB", SeriesDescription="t2_tse_tra", **study)
    files = sorted(path for path in (source / "PB").rglob("*") if path.is_file())
    empty = pydicom.dcmread(files[3])
    original = empty.PixelData
    empty.PixelData = np.zeros_like(empty.pixel_array).tobytes()
    empty.save_as(files[3])
    trial = trial_for(source, tmp_path / "out")
    export(trial)
    assert states(trial.work, "P01", "G04") == {"P01": "open"}
    kept = files[5].read_bytes()
    files[5].unlink()
    export(trial)
    assert states(trial.work, "P01", "G04") == {"P01": "open", "G04": "open"}, "nobody has looked at the voxels"
    files[5].write_bytes(kept)
    empty.PixelData = original
    empty.save_as(files[3])
    export(trial)
    assert states(trial.work, "P01", "G04") == {"P01": "resolved", "G04": "resolved"}


def test_a_split_of_somebody_without_images_is_told_and_stops_nothing(tmp_path: Path) -> None:
    add_patient(tmp_path / "in", "PA", 1)
    table = tmp_path / "splits.tsv"
    configuration = tmp_path / "trial.yaml"
    table.write_text(SPLITS + "sub-NOBODY\ttrain\n", encoding="utf-8")
    configuration.write_text("trial: t\nsources: [in]\noutput: out\nqc: {splits: splits.tsv}\n", encoding="utf-8")
    from trialbids.exporter.trial import load_trial

    trial = load_trial(configuration)
    export(trial)
    found = [row for row in read_issues(trial.work).values() if row.check == "N01" and "splits" in row.message]
    assert [(row.severity, row.state) for row in found] == [("warning", "open")]
    assert found[0].message == "1 participants of the table of splits have no image in the release"


def test_a_table_of_splits_that_cannot_be_read_stops_before_any_work(tmp_path: Path) -> None:
    from trialbids.exporter.trial import load_trial

    add_patient(tmp_path / "in", "PA", 1)
    (tmp_path / "splits.tsv").write_text(SPLITS + "sub-A\t\n", encoding="utf-8")
    configuration = tmp_path / "trial.yaml"
    configuration.write_text("trial: t\nsources: [in]\noutput: out\nqc: {splits: splits.tsv}\n", encoding="utf-8")
    with pytest.raises(UsageError, match="line 2: split is empty"):
        export(load_trial(configuration))
    assert not (tmp_path / "out" / "participants.tsv").exists()


def test_a_slot_named_after_a_patient_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    from trialbids.exporter.trial import load_trial

    study = {"StudyInstanceUID": "1.2.9.9", "SeriesInstanceUID": "1.2.3.99"}
    write_series(
        tmp_path / "in",
        axial(8),
        PatientID="P1",
        PatientName="Goodperson^Anna",
        SeriesDescription="t2_tse_tra",
        **study,
    )
    (tmp_path / "p.yaml").write_text(
        "protocol: p\nslots:\n  - slot: goodperson\n    match: {sequence: T2w}\n    limits: {}\n", encoding="utf-8"
    )
    configuration = tmp_path / "trial.yaml"
    configuration.write_text("trial: t\nsources: [in]\noutput: out\nprotocol: p.yaml\n", encoding="utf-8")
    with pytest.raises(UsageError, match="slot 1 holds a known identifier") as refused:
        export(load_trial(configuration))
    assert "goodperson" not in str(refused.value)
    assert not (tmp_path / "out" / "participants.tsv").exists()
