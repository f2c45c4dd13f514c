"""The whole way on real DICOM of many vendors: what is kept, under which record, and that the tree is valid."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from pathlib import Path

import nibabel
import numpy as np
import pyarrow.parquet as pq
import pytest
from bids import BIDSLayout
from test_export_tree import rows

from trialbids.datasets import Database
from trialbids.exporter.cli import run_export
from trialbids.exporter.convert.dcm2niix import run_dcm2niix
from trialbids.exporter.engine import Processes, Serial
from trialbids.exporter.inventory.instance import Instance
from trialbids.exporter.inventory.objects import materialise
from trialbids.exporter.inventory.table import from_table, read
from trialbids.exporter.trial import trial_for
from trialbids.mappings.names import name_rules

FOLDERS = ["picai_prep", "dcm_qa_nih", "dcm_qa_ts", "dcm_qa_enh", "dcm_qa_12bit", "dcm_qa_agfa", "dicom2nifti", "dcmqi",
           "deid-data", "rt-utils"]  # fmt: skip
JUDGED = ("sequence", "plane", "dim", "technique", "fatsat", "dixon", "part", "agent", "bodypart", "kernel")
SEVERAL_STUDIES = "rt-utils/tests"  # one series under three studies: the truth keeps it, a conflict is never merged


def truth(real_data: Path) -> dict[str, list[dict[str, str]]]:
    """Hand-made truth by series."""
    by_series: dict[str, list[dict[str, str]]] = defaultdict(list)
    with (real_data / "expected_series.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            by_series[row["series_uid"]].append(row)
    return by_series


def agrees(expected: str, cell: str) -> bool:
    """A cell of the truth holds alternatives; * is not judged."""
    return expected in ("", "*") or (cell or "unknown") in expected.replace("-", "").split("|") or "*" in expected


@pytest.mark.parametrize("folder", [*FOLDERS, "."])
def test_every_folder_exports_to_a_valid_tree_with_nothing_lost(real_data: Path, tmp_path: Path, folder: str) -> None:
    trial = trial_for(real_data / "dicom" / folder, tmp_path / "bids").model_copy(update={"faces": "allow"})
    with Processes() if folder == "." else Serial() as engine:
        assert run_export(trial, engine, json=True) == 0
    plan = rows(trial.work / "plan.tsv")
    aside = [r for r in rows(trial.work / "quarantine.tsv") if not r["what"].startswith("stack ")]
    objects = pq.read_table(trial.work / "inventory" / "instances.parquet", columns=["frame"]).num_rows
    assert sum(int(r["n_instances"]) for r in plan) + len(aside) == objects
    assert all(r["final_decision"] == "keep" or r["reason"] for r in plan)

    expected = truth(real_data)
    for row in plan:
        for uid in row["series_uid"].split(";"):
            several = expected[uid]
            if len(several) != 1 or several[0]["path_prefix"] == SEVERAL_STUDIES:
                continue
            assert row["decision"] in several[0]["decision"].split("|"), several[0]["path_prefix"]
            if "keep" in several[0]["decision"] and row["decision"] == "keep":
                wrong = {a: (several[0][a], row[a]) for a in JUDGED if not agrees(several[0][a], row[a])}
                assert not wrong, several[0]["path_prefix"]
            if several[0]["sound"] == "yes" and row["decision"] == "keep":
                assert row["qc_verdict"] in ("pass", "warn"), several[0]["path_prefix"]


def volumes(voxels: np.ndarray) -> list[bytes]:
    """The volumes of an image, in an order of their own: ours are in ascending b-value."""
    return sorted(v.tobytes() for v in np.moveaxis(voxels.reshape(*voxels.shape[:3], -1), 3, 0))


def test_voxels_and_affines_are_those_of_bare_dcm2niix(real_data: Path, tmp_path: Path) -> None:
    """Every exported image against the bare converter on the same files; the gantry tilt it resamples is pydicom's."""
    trial = trial_for(real_data / "dicom", tmp_path / "bids").model_copy(update={"faces": "allow"})
    with Processes() as engine:
        assert run_export(trial, engine, json=True) == 0
    table, _ = read(Instance, trial.work / "inventory" / "instances.parquet")
    by_series: dict[str, list[Instance]] = defaultdict(list)
    for i in from_table(Instance, table):
        by_series[i.SeriesInstanceUID].append(i)
    kept = [r for r in rows(trial.work / "plan.tsv") if r["final_decision"] == "keep"]
    stacks_of = Counter(uid for r in kept for uid in r["series_uid"].split(";"))
    compared = 0
    for row in kept:
        if stacks_of[row["series_uid"]] != 1 or len(by_series[row["series_uid"]]) != int(row["n_instances"]):
            continue
        image = nibabel.load(trial.output / row["bids_path"])
        sidecar = (trial.output / row["bids_path"].replace(".nii.gz", ".json")).read_text()
        if '"ConversionSoftware": "pydicom"' in sidecar:
            continue
        scratch = tmp_path / row["stack_id"]
        (scratch / "in").mkdir(parents=True)
        instances = by_series[row["series_uid"]]
        materialise(instances, scratch / "in")
        outputs = run_dcm2niix(scratch / "in", scratch / "out", instances[0], sum(i.size for i in instances))
        stored = np.asarray(image.dataobj.get_unscaled())
        same = [
            volumes(o.voxels) == volumes(stored) and np.allclose(o.affine, image.affine, atol=1e-4) for o in outputs
        ]
        assert any(same), row["bids_path"]
        compared += 1
    assert compared >= 60

    theirs = {str(Path(f.path).relative_to(trial.output)) for f in BIDSLayout(trial.output).get(extension=".nii.gz")}
    unnamed = {n.suffix for n in name_rules().sequences.values() if not n.bids}
    ours = {str(i.path) for i in Database(trial.output).images}
    assert theirs == {p for p in ours if p.removesuffix(".nii.gz").rpartition("_")[2] not in unnamed}


def test_the_twin_with_a_slice_lost_is_caught_alone_and_a_copy_beside_its_twin(real_data: Path, tmp_path: Path) -> None:
    alone = trial_for(real_data / "dicom" / "picai_prep" / "ProstateX-missing-slice", tmp_path / "alone")
    assert run_export(alone, Serial(), json=True) == 0
    (row,) = rows(alone.work / "plan.tsv")
    assert (row["decision"], row["final_decision"], row["reason"]) == ("quarantine", "quarantine", "G04")
    both = trial_for(real_data / "dicom" / "picai_prep", tmp_path / "both")
    assert run_export(both, Serial(), json=True) == 0
    aside = [r for r in rows(both.work / "quarantine.tsv") if r["reason"] == "duplicate"]
    assert len(aside) == 18
