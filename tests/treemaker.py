"""Writes small released trees as docs/on-disk.md says, for the tests of the datasets."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from trialbids.mappings.record import Record

AFFINE = np.array([[-1.5, 0.1, 0, 40], [0.1, 1.5, 0, -50], [0, 0, 4, -20], [0, 0, 0, 1]], dtype=float)
RECORD_COLUMNS = list(Record().to_row())


class TreeMaker:
    """Collects participants, visits and images, and writes the tables at :meth:`finish`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.participants: dict[str, dict[str, Any]] = {}
        self.visits: dict[tuple[str, str], dict[str, Any]] = {}
        self.scans: dict[tuple[str, str], list[dict[str, str]]] = {}
        self.manifest: list[dict[str, Any]] = []

    def participant(self, label: str, site: str = "S01", **columns: Any) -> None:
        self.participants[f"sub-{label}"] = {"site": site, **columns}

    def visit(self, subject: str, session: str = "01", **columns: Any) -> None:
        key = (f"sub-{subject}", f"ses-{session}")
        self.visits[key] = columns
        self.scans.setdefault(key, [])
        (self.root / key[0] / key[1]).mkdir(parents=True, exist_ok=True)

    def image(
        self,
        subject: str,
        tail: str,
        record: Mapping[str, Any],
        *,
        session: str = "01",
        datatype: str = "anat",
        array: np.ndarray | None = None,
        affine: np.ndarray = AFFINE,
        scale: tuple[float, float] | None = None,
        acquisition_id: str = "a01",
        qc: str = "pass",
        sidecar: Mapping[str, Any] | None = None,
    ) -> Path:
        """Write ``sub-…_ses-…_<tail>.nii.gz`` with its sidecar; returns the path of the image."""
        sub, ses = f"sub-{subject}", f"ses-{session}"
        if sub not in self.participants:
            self.participant(subject)
        if (sub, ses) not in self.visits:
            self.visit(subject, session)
        path = self.root / sub / ses / datatype / f"{sub}_{ses}_{tail}.nii.gz"
        array = voxels((6, 5, 4), seed=len(self.manifest)) if array is None else array
        write_nifti(path, array, affine, scale)
        full = Record(**{"confidence": 0.9, **record})
        meta = {"Harmonised": full.to_json(), "AcquisitionID": acquisition_id, **(sidecar or {})}
        write_json(path.with_name(path.name.replace(".nii.gz", ".json")), meta)
        cells = {name: value or "n/a" for name, value in full.to_row().items()}
        row = {"filename": f"{datatype}/{path.name}", "acq_time": "n/a", "acquisition_id": acquisition_id}
        self.scans[sub, ses].append({**row, **cells, "qc_verdict": qc})
        self.manifest.append({"path": path, "acquisition_id": acquisition_id, "record": full, "qc_verdict": qc})
        return path

    def mask(
        self,
        image: Path,
        label: str = "lesion",
        reader: str = "consensus",
        *,
        array: np.ndarray | None = None,
        affine: np.ndarray | None = None,
    ) -> Path:
        """Write a mask of one image to ``derivatives/annotations``."""
        source = nib.load(image)
        relative = image.relative_to(self.root)
        stem = image.name.replace(".nii.gz", "").rpartition("_")[0]
        base = self.root / "derivatives" / "annotations"
        path = base / relative.parent / f"{stem}_label-{label}_desc-{reader}_mask.nii.gz"
        if array is None:
            array = np.zeros(source.shape[:3], np.uint8)
            array[1:3, 1:3, 1] = 1
        write_nifti(path, array, source.affine if affine is None else affine)
        meta = {"Sources": [f"bids:raw:{relative.as_posix()}"], "Reader": reader, "Label": label, "Method": "manual"}
        write_json(path.with_name(path.name.replace(".nii.gz", ".json")), meta)
        description = {
            "Name": "annotations",
            "BIDSVersion": "1.11.1",
            "DatasetType": "derivative",
            "GeneratedBy": [{"Name": "treemaker"}],
        }
        write_json(base / "dataset_description.json", description)
        return path

    def finish(self, manifest: bool = True) -> Path:
        """Write the tables, and the manifest unless the tree shall be a foreign one."""
        write_json(
            self.root / "dataset_description.json", {"Name": "small", "BIDSVersion": "1.11.1", "DatasetType": "raw"}
        )
        (self.root / "README").write_text("A small tree.\n")
        (self.root / ".bidsignore").write_text("*_qc.json\ncuration\n**/ct\n**/ct/**\n")
        write_tsv(
            self.root / "participants.tsv", [{"participant_id": key, **row} for key, row in self.participants.items()]
        )
        for subject in self.participants:
            rows = [{"session_id": s, "acq_time": "n/a", **row} for (p, s), row in self.visits.items() if p == subject]
            if rows:
                write_tsv(self.root / subject / f"{subject}_sessions.tsv", rows)
        for (subject, session), rows in self.scans.items():
            if rows:
                write_tsv(self.root / subject / session / f"{subject}_{session}_scans.tsv", rows)
        if manifest:
            (self.root / "curation").mkdir(exist_ok=True)
            pq.write_table(
                pa.Table.from_pylist([self.manifest_row(row) for row in self.manifest]),
                self.root / "curation" / "manifest.parquet",
            )
        return self.root

    def manifest_row(self, entry: dict[str, Any]) -> dict[str, Any]:
        path: Path = entry["path"]
        image = nib.load(path)
        slope, inter = image.dataobj.slope, image.dataobj.inter
        raw = np.asarray(image.dataobj.get_unscaled()).tobytes(order="F")
        sub, ses, datatype, _ = path.relative_to(self.root).parts
        return {
            "path": path.relative_to(self.root).as_posix(), "participant_id": sub, "session_id": ses,
            "site": self.participants[sub]["site"], "acquisition_id": entry["acquisition_id"], "datatype": datatype,
            "suffix": path.name.partition(".")[0].rpartition("_")[2], **entry["record"].to_row(),
            "qc_verdict": entry["qc_verdict"], "shape": list(image.shape),
            "zooms": [float(z) for z in image.header.get_zooms()], "affine": image.affine.ravel().tolist(),
            "dtype": image.get_data_dtype().name, "slope": slope, "inter": inter,
            "voxels_sha256": hashlib.sha256(raw).hexdigest(), "file_bytes": path.stat().st_size,
        }  # fmt: skip


def voxels(shape: tuple[int, ...], seed: int = 0, dtype: Any = np.int16) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 1000, shape).astype(dtype)


def write_nifti(path: Path, array: np.ndarray, affine: np.ndarray, scale: tuple[float, float] | None = None) -> None:
    """Write stored values as they are, with a scale in the header if one is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(array, affine)
    if scale is not None:
        image.header.set_slope_inter(*scale)
    nib.save(image, path)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def write_tsv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, delimiter="\t", restval="n/a", lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: "n/a" if v is None else v for k, v in row.items()} for row in rows)


def small_trial(root: Path, manifest: bool = True) -> Path:
    """Six participants at two sites: T2, ADC, a DCE of five phases, a 4D trace, lesion masks, an age and a score.

    Participant 03 has no ADC, 04 a T2 with QC warning, 05 no score.
    """
    tree = TreeMaker(root)
    for n in range(1, 7):
        label = f"{n:02d}"
        tree.participant(label, site="S01" if n <= 3 else "S02", age=30 + n)
        tree.visit(label, orads_score=None if n == 5 else 2 + n % 3)
        t2 = tree.image(
            label,
            "acq-tseSag_T2w",
            {"sequence": "T2w", "plane": "sag", "technique": "tse"},
            acquisition_id="a01",
            qc="warn" if n == 4 else "pass",
        )
        tree.mask(t2)
        if n != 3:
            tree.image(
                label,
                "ADC",
                {"sequence": "ADC", "plane": "ax"},
                datatype="dwi",
                acquisition_id="a02",
                sidecar={"ADCScale": 1e-6 if n % 2 else 1e-3, "Units": "mm2/s"},
            )
        for phase, time in enumerate((0.0, 31.5, 62.0, 93.0, 124.5), start=1):
            tree.image(
                label,
                f"acq-dceAx_ce-GADOLINIUM_run-{phase:02d}_T1w",
                {"sequence": "DCE", "plane": "ax", "phase_index": phase, "phase_time_s": time},
                acquisition_id="a03",
                array=voxels((6, 5, 4), seed=100 * n + phase),
            )
        tree.image(
            label,
            "trace",
            {"sequence": "trace", "plane": "ax", "bvalues": (0.0, 50.0, 800.0)},
            datatype="dwi",
            acquisition_id="a02",
            array=voxels((6, 5, 4, 3), seed=200 * n),
        )
    return tree.finish(manifest)
