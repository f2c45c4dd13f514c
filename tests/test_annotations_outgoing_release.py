"""Predictions in a released tree: exports leave them, the proof looks into them, they leave with their session."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.data.meta_tensor import MetaTensor
from nibabel.loadsave import load
from pixelmaker import body
from stackmaker import axial, write_series
from typer.testing import CliRunner

from trialbids.datasets.predictions.writer import PredictionWriter
from trialbids.exporter.cli import app
from trialbids.exporter.deidentify.layout import is_folder, kind_of
from trialbids.exporter.tables import read_tsv

SLICES = 14
STEM = "sub-A/ses-01/anat/sub-A_ses-01_acq-x_label-lesion_desc-m1"


class Case:
    """A trial of two patients, exported, with what a model said of each image."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.tree = folder, folder / "bids"
        self.trial = folder / "trial.yaml"
        self.trial.write_text("sources: [dicom]\noutput: bids\nwork: work\n", encoding="utf-8")
        for patient in ("PA", "PB"):
            voxels = np.clip(body(ord(patient[-1]), SLICES).T, 0, 4095).astype(np.uint16)
            write_series(
                folder / "dicom" / patient,
                axial(SLICES),
                PatientID=f"{patient}-77321",
                PatientName=f"Quandt^{patient}",
                SeriesDescription="t2_tse_tra",
                BodyPartExamined="PELVIS",
                Rows=voxels.shape[1],
                Columns=voxels.shape[2],
                PixelData=[image.tobytes() for image in voxels],
            )

    def run(self, *words: str) -> int:
        return CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False).exit_code

    def export(self) -> int:
        return self.run("export", str(self.trial), "--engine", "serial")

    def verify(self) -> int:
        return self.run("deid", "verify", str(self.tree), "--trial", str(self.trial), "--engine", "serial")

    def leaks(self) -> set[tuple[str, str, str]]:
        rows = read_tsv(self.folder / "work" / "leaks.tsv")
        return {(Path(row["path"]).name, row["place"], row["kind"]) for row in rows}

    def predict(self) -> list[Path]:
        writer = PredictionWriter(
            self.tree, "unet-v1", kind="dseg", labels={1: "lesion"}, version="1.0", parameters={"lr": 0.001}
        )
        written: list[Path] = []
        for path in sorted(self.tree.glob("sub-*/ses-*/anat/*.nii.gz")):
            image = load(path)
            said = torch.zeros(1, *image.shape, dtype=torch.uint8)
            said[:, 3:6, 3:6, 3:6] = 1
            meta = {"filename_or_obj": str(path)}
            seen = MetaTensor(said, affine=torch.from_numpy(image.affine), meta=meta)
            written += writer.write(said, {"image": seen, "sample_id": path.name})
        return written


def test_predictions_survive_an_export_are_proven_and_leave_with_their_session(tmp_path: Path) -> None:
    case = Case(tmp_path)
    assert case.export() == 0
    written = case.predict()
    before = {path: path.read_bytes() for path in written}
    assert len(written) == 2 and case.verify() == 0
    assert case.export() == 0 and case.verify() == 0
    assert {path: path.read_bytes() for path in written} == before

    sidecar = written[0].with_name(written[0].name.replace(".nii.gz", ".json"))
    good = sidecar.read_bytes()
    for change, leak in (
        ({"Model": "of Dr Quandt"}, ("/Model", "odd-value")),
        ({"Note": "x"}, (" (key)", "unknown-key")),
        ({"ModelVersion": "seen by Quandt^PA"}, ("/ModelVersion", "patient_name")),
        ({"Sources": ["bids:raw:sub-X/ses-01/anat/sub-X_ses-01_T2w.nii.gz"]}, ("/Sources", "odd-value")),
    ):
        sidecar.write_text(json.dumps({**json.loads(good), **change}))
        assert case.verify() == 5
        assert (sidecar.name, *leak) in case.leaks()
    sidecar.write_bytes(good)
    folder = case.tree / "derivatives" / "unet-v1"
    described = folder / "dataset_description.json"
    sound = described.read_text()
    described.write_text(sound.replace('"Version": "1.0"', '"Version": "1.0", "Description": "tuned on Quandt^PA"'))
    (folder / "sub-Quandt").mkdir()
    (folder / "code.zip").write_bytes(b"PK")
    (case.tree / "derivatives" / ".cached").write_text("x")
    shutil.copytree(folder / sidecar.parts[-4], case.tree / "derivatives" / "Quandt-PA" / sidecar.parts[-4])
    with gzip.open(written[1], "ab") as image:
        image.write(b"Quandt of Berlin")
    assert case.verify() == 5
    assert case.leaks() >= {
        ("dataset_description.json", "/GeneratedBy/Description", "patient_name"),
        ("sub-Quandt", "name", "empty-folder"),
        ("code.zip", "name", "unknown-file"),
        (".cached", "name", "unknown-file"),
        (written[1].name, "behind the gzip stream", "odd-bytes"),
    }
    assert any((place, kind) == ("name", "patient_name") for _, place, kind in case.leaks()), sorted(case.leaks())
    described.write_text(sound)
    (folder / "sub-Quandt").rmdir()
    (folder / "code.zip").unlink()
    (case.tree / "derivatives" / ".cached").unlink()
    shutil.rmtree(case.tree / "derivatives" / "Quandt-PA")
    written[1].write_bytes(before[written[1]])
    assert case.verify() == 0
    stray = written[0].with_name(written[0].name.replace("_dseg.nii.gz", "_notes.txt"))
    stray.write_text("hello")
    assert case.verify() == 5 and (stray.name, "name", "unknown-file") in case.leaks()
    stray.unlink()

    shutil.rmtree(tmp_path / "dicom" / "PA")
    assert case.export() == 0
    left = [path for path in written if path.exists()]
    assert len(left) == 1 and len([*case.tree.glob("sub-*")]) == 1 and case.verify() == 0


def test_a_prediction_of_a_session_that_no_export_made_is_a_leak(tmp_path: Path) -> None:
    case = Case(tmp_path)
    case.export()
    written = case.predict()
    subject = written[0].parts[-4]
    other = case.tree / "derivatives" / "unet-v1" / "sub-GHOST" / Path(*written[0].parts[-3:-1])
    other.mkdir(parents=True)
    ghost = other / written[0].name.replace(subject, "sub-GHOST")
    ghost.write_bytes(written[0].read_bytes())
    assert case.verify() == 5 and (ghost.name, "name", "unlisted-file") in case.leaks()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (f"derivatives/unet-v1/{STEM}_mask.nii.gz", "nifti"),
        (f"derivatives/unet-v1/{STEM}_map.json", "predicted"),
        (f"derivatives/unet-v1/{STEM}_dseg.tsv", "drawn"),
        (f"derivatives/unet-v1/{STEM}_mask.tsv", ""),
        (f"derivatives/unet-v1/{STEM}_T2w.nii.gz", ""),
        (f"derivatives/unet-v1/{STEM.replace('sub-A_', 'sub-B_')}_mask.nii.gz", ""),
        (f"derivatives/annotations/{STEM}_map.nii.gz", ""),
        (f"derivatives/a b/{STEM}_mask.nii.gz", ""),
        ("derivatives/unet-v1/dataset_description.json", "predicted"),
        ("derivatives/unet-v1/weights.pt", ""),
    ],
)
def test_only_what_a_writer_writes_belongs_there(path: str, kind: str) -> None:
    assert kind_of(path) == kind


def test_folders_of_models_are_those_of_the_tree() -> None:
    names: Callable[[str], str] = "derivatives/unet-v1/{}".format
    assert all(is_folder(names(below)) for below in ("", "sub-A", "sub-A/ses-01", "sub-A/ses-01/anat") if below)
    assert is_folder("derivatives/unet-v1") and is_folder("derivatives/annotations/sub-A/ses-01/anat")
    assert not any(is_folder(names(below)) for below in ("logs", "sub-A/anat", "sub-A/ses-01/anat/more", "sub-A/x"))
