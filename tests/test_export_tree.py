"""The tree that an export makes: valid, complete, the same again, and nothing private in it."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import date
from pathlib import Path

import nibabel
import numpy as np
import pyarrow.parquet as pq
import pytest
from bids import BIDSLayout
from conftest import Exported

from trialbids.datasets import Database
from trialbids.exporter.cli import run_export
from trialbids.exporter.demo.generate import people_of
from trialbids.exporter.engine import Serial
from trialbids.exporter.release.validate import validate
from trialbids.exporter.trial import Trial, load_trial
from trialbids.mappings.fields import allow_list
from trialbids.mappings.record import Record
from trialbids.mappings.vocabulary import vocabulary


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def snapshot(root: Path) -> dict[str, tuple[str, int]]:
    """Content and time of every file below a folder."""
    files = (p for p in sorted(root.rglob("*")) if p.is_file())
    return {str(p.relative_to(root)): (hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime_ns) for p in files}


def contents(root: Path) -> dict[str, str]:
    return {name: digest for name, (digest, _) in snapshot(root).items()}


def images(root: Path) -> list[Path]:
    return sorted(p for p in root.glob("sub-*/ses-*/*/*.nii.gz"))


def test_the_official_validator_finds_no_error_in_the_tree_and_its_derivatives(exported: Exported) -> None:
    assert exported.exit_code == 0
    found = validate(exported.trial.output)
    assert found.problems == ()
    assert found.datasets == 2


def test_every_image_has_its_sidecar_its_quality_file_and_its_lines(exported: Exported) -> None:
    root = exported.trial.output
    listed = {
        f"{t.parent.parent.name}/{t.parent.name}/{r['filename']}"
        for t in root.glob("sub-*/ses-*/*_scans.tsv")
        for r in rows(t)
    }
    there = {str(p.relative_to(root)) for p in images(root)}
    assert there and listed == there
    assert {r["path"] for r in pq.read_table(root / "curation" / "manifest.parquet").to_pylist()} == there
    for path in images(root):
        stem = path.name.removesuffix(".nii.gz")
        content = json.loads((path.parent / f"{stem}.json").read_bytes())
        quality = json.loads((path.parent / f"{stem}_qc.json").read_bytes())
        assert quality["verdict"] in ("pass", "warn") and len(quality["metrics"]) >= 5
        assert set(content) <= allow_list().keys
        harmonised = {k: tuple(v) if isinstance(v, list) else v for k, v in content["Harmonised"].items()}
        assert Record(**harmonised).sequence != "unknown"


def test_the_manifest_says_what_the_images_hold(exported: Exported) -> None:
    root = exported.trial.output
    for row in pq.read_table(root / "curation" / "manifest.parquet").to_pylist():
        image = nibabel.load(root / row["path"])
        assert list(image.shape) == row["shape"]
        assert np.allclose(image.affine.ravel(), row["affine"], atol=1e-5)
        assert image.get_data_dtype().name == row["dtype"]
        raw = gzip.decompress((root / row["path"]).read_bytes())
        assert hashlib.sha256(raw[352:]).hexdigest() == row["voxels_sha256"]
        assert (root / row["path"]).stat().st_size == row["file_bytes"]


def test_dce_is_3d_phases_with_their_times(exported: Exported) -> None:
    manifest = pq.read_table(exported.trial.output / "curation" / "manifest.parquet").to_pylist()
    scans: dict[tuple[str, str, str], list[dict]] = {}
    for row in manifest:
        if row["sequence"] == "DCE":
            scans.setdefault((row["participant_id"], row["session_id"], row["acquisition_id"]), []).append(row)
    assert len(scans) == 2
    for phases in scans.values():
        phases.sort(key=lambda r: int(r["phase_index"]))
        times = [float(r["phase_time_s"]) for r in phases]
        assert len(phases) >= 5 and times[0] == 0 and times == sorted(set(times))
        assert all(len(r["shape"]) == 3 for r in phases)
        assert [f"run-{int(r['phase_index']):02d}_T1w" in r["path"] for r in phases] == [True] * len(phases)


def test_an_adc_states_its_scale(exported: Exported) -> None:
    maps = [p for p in images(exported.trial.output) if p.name.endswith("_ADC.nii.gz")]
    assert maps
    for path in maps:
        content = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_bytes())
        values = np.asarray(nibabel.load(path).dataobj) * content["ADCScale"]
        inside = values[values > 0]
        assert content["Units"] == f"{content['ADCScale']:g} mm2/s" and 0.2e-3 < np.median(inside) < 4e-3


def test_the_kept_images_are_those_of_the_trials_own_truth(exported: Exported) -> None:
    with exported.made.truth.open(newline="", encoding="utf-8") as file:
        truth = [r for r in csv.DictReader(file) if r["decision"] == "keep"]
    plan = rows(exported.trial.work / "plan.tsv")
    by_series: dict[str, list[dict[str, str]]] = {}
    for row in plan:
        for uid in row["series_uid"].split(";"):
            by_series.setdefault(uid, []).append(row)
    for expected in truth:
        candidates = by_series[expected["series_uid"]]
        assert any(
            c["final_decision"] == "keep" and c["sequence"] in expected["sequence"].split("|") for c in candidates
        ), expected["path_prefix"]


def test_every_instance_is_in_a_stack_or_in_a_list(exported: Exported) -> None:
    work = exported.trial.work
    objects = pq.read_table(work / "inventory" / "instances.parquet", columns=["path", "member", "frame"]).num_rows
    in_stacks = sum(int(r["n_instances"]) for r in rows(work / "plan.tsv"))
    aside = [r for r in rows(work / "quarantine.tsv") if not r["what"].startswith("stack ")]
    assert in_stacks + len(aside) == objects
    held_back = {r["stack_id"] for r in rows(work / "plan.tsv") if r["final_decision"] != "keep"}
    assert {
        r["what"].removeprefix("stack ") for r in rows(work / "quarantine.tsv") if r["what"][:5] == "stack"
    } == held_back
    assert all(r["reason"] and r["message"] for r in rows(work / "quarantine.tsv"))
    assert all(r["reason"] and r["message"] for r in rows(work / "unreadable.tsv"))


def test_masks_lie_on_their_images_and_name_no_reader(exported: Exported) -> None:
    root = exported.trial.output
    masks = sorted((root / "derivatives" / "annotations").glob("sub-*/ses-*/*/*_mask.nii.gz"))
    assert masks
    for path in masks:
        content = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_bytes())
        image = nibabel.load(root / content["Sources"][0].removeprefix("bids:raw:"))
        mask = nibabel.load(path)
        assert mask.shape == image.shape and np.allclose(mask.affine, image.affine, atol=1e-4)
        assert set(np.unique(np.asarray(mask.dataobj))) == {0, 1}
        assert re.fullmatch(r"R\d+|consensus", content["Reader"])


def test_pybids_and_our_database_list_the_same_images(exported: Exported) -> None:
    root = exported.trial.output
    layout = BIDSLayout(root, validate=True, derivatives=False)
    theirs = {str(Path(f.path).relative_to(root)) for f in layout.get(extension=".nii.gz")}
    ours = {str(Path(image.path).relative_to(root)) if Path(image.path).is_absolute() else str(image.path)
            for image in Database(root).images}  # fmt: skip
    assert theirs == ours and ours


def searchable(root: Path) -> Iterator[tuple[str, bytes]]:
    """Every name and every byte that leaves, compressed streams opened."""
    for path in root.rglob("*"):
        yield f"name of {path}", str(path.relative_to(root)).encode()
        if path.is_file():
            data = path.read_bytes()
            yield str(path), data
            if path.suffix == ".gz":
                raw = gzip.decompress(data)
                yield f"header of {path}", raw[:352]
            if path.suffix == ".parquet":
                yield f"cells of {path}", repr(pq.read_table(path).to_pylist()).encode()


def known_identifiers(exported: Exported) -> set[str]:
    """What the hospitals know of the patients, whole and word by word; short numbers occur by chance."""
    values = {str(v) for person in people_of(patients=2) for v in walk(person)}
    instances = pq.read_table(exported.trial.work / "inventory" / "instances.parquet").to_pylist()
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "InstitutionName", "StudyDate", "StudyDescription",
                    "SeriesDescription", "ProtocolName", "StationName", "DeviceSerialNumber", "AccessionNumber",
                    "StudyInstanceUID", "SeriesInstanceUID"):  # fmt: skip
        values |= {i[keyword] for i in instances if i[keyword]}
    values |= {i["SOPInstanceUID"] for i in instances[::20]}
    words = {w for v in values for w in re.findall(r"[^\W\d_]{5,}|\d{6,}", v)}
    return ({v for v in values if len(v) >= 8} | words) - VOCABULARY_WORDS - {PLACEHOLDER}


PLACEHOLDER = "family"
"""Stands for a name in the texts of the centres, and for a font in a drawing."""

VOCABULARY_WORDS = {word for attribute in vocabulary().values() for word in (attribute.name, *attribute.values)}


def walk(value: object) -> Iterator[object]:
    """Every plain value of a data class, also of those inside it."""
    if is_dataclass(value):
        for field in fields(value):
            yield from walk(getattr(value, field.name))
    elif isinstance(value, tuple):
        for item in value:
            yield from walk(item)
    elif isinstance(value, str | date):
        yield value


def test_no_identifier_of_the_trial_leaves(exported: Exported) -> None:
    identifiers = known_identifiers(exported)
    assert len(identifiers) > 200
    for where, data in searchable(exported.trial.output):
        for identifier in identifiers:
            if identifier.encode() in data:
                word = rb"(?<![A-Za-z])" + re.escape(identifier.encode()) + rb"(?![A-Za-z])"
                assert not re.search(word, data), f"{identifier} in {where}"


def test_dates_are_moved_sessions_start_at_zero_and_headers_hold_no_text(exported: Exported) -> None:
    for path in images(exported.trial.output):
        data = path.read_bytes()
        assert data[4:8] == bytes(4) and not data[3] & 0x08, "the gzip header has no time and no name"
        header = nibabel.load(path).header
        for name in ("descrip", "aux_file", "db_name", "intent_name"):
            assert header[name].item() == b""
    for table in exported.trial.output.rglob("*.tsv"):
        moments = [row["acq_time"] for row in rows(table) if row.get("acq_time", "n/a") != "n/a"]
        assert all(moment < "1926" for moment in moments)
        if table.name.endswith("_sessions.tsv"):
            days = [int(row["days"]) for row in rows(table)]
            assert [moment[11:] for moment in moments] == ["00:00:00.000000"] * len(days)
            dates = [date.fromisoformat(moment[:10]) for moment in moments]
            assert [(day - dates[0]).days for day in dates] == days


def test_a_second_run_touches_nothing(exported: Exported, capsys: pytest.CaptureFixture[str]) -> None:
    before = snapshot(exported.trial.output)
    capsys.readouterr()
    assert run_export(exported.trial, Serial(), json=True) == 0
    assert json.loads(capsys.readouterr().out)["run"]["sessions_written"] == 0
    assert snapshot(exported.trial.output) == before


@pytest.fixture
def own(exported: Exported, tmp_path: Path) -> Trial:
    """A copy of the exported trial that a test may change; it has been scanned where it now lies."""
    folder = tmp_path / "trial"
    shutil.copytree(exported.made.configuration.parent, folder, symlinks=True)
    trial = load_trial(folder / exported.made.configuration.name)
    assert run_export(trial, Serial(), json=True) == 0
    return trial


def test_a_trial_that_was_moved_is_not_exported_again(exported: Exported, own: Trial) -> None:
    assert snapshot(own.output) == snapshot(exported.trial.output)


def test_both_engines_make_the_same_bytes(exported: Exported, own: Trial) -> None:
    shutil.rmtree(own.output)
    shutil.rmtree(own.work / "sessions")
    assert run_export(own, Serial(), json=True) == 0
    ours, theirs = contents(own.output), contents(exported.trial.output)
    assert ours == theirs


def test_a_changed_source_redoes_only_its_session(own: Trial) -> None:
    before = snapshot(own.output)
    texts = contents(own.output)
    plan = rows(own.work / "plan.tsv")
    row = next(r for r in plan if r["sequence"] == "T2w" and r["plane"] == "sag" and r["final_decision"] == "keep")
    instances = pq.read_table(own.work / "inventory" / "instances.parquet").to_pylist()
    plain = [i for i in instances if i["SeriesInstanceUID"] in row["series_uid"].split(";") and not i["member"]]
    chosen = plain or [i for i in instances if not i["member"] and i["Modality"] == "MR"]
    victim = Path(chosen[0]["path"])
    series = chosen[0]["SeriesInstanceUID"]
    target = next(r for r in plan if series in r["series_uid"].split(";"))
    data = bytearray(victim.read_bytes())
    data[-9] ^= 1
    victim.write_bytes(data)
    assert run_export(own, Serial(), json=True) == 0
    changed = {n for n, state in snapshot(own.output).items() if n.startswith("sub-") and before.get(n) != state}
    changed |= {n for n, text in contents(own.output).items() if texts.get(n) != text}
    session = f"sub-{target['subject']}/ses-{target['session']}"
    outside = {n for n in changed if session not in n} - {
        "CHANGES",
        "curation/manifest.parquet",
        "curation/qc.parquet",
        "curation/issues.tsv",
        "curation/cycles.tsv",
        "curation/summary.json",
        "curation/certificate.json",
        "curation/certificate.html",
    }
    assert target["bids_path"] in changed and not outside


def test_a_session_whose_source_is_gone_is_withdrawn(own: Trial) -> None:
    plan = rows(own.work / "plan.tsv")
    instances = pq.read_table(own.work / "inventory" / "instances.parquet").to_pylist()
    subject_of = {uid: r["subject"] for r in plan for uid in r["series_uid"].split(";")}
    subject = plan[0]["subject"]
    for path in {i["path"] for i in instances if subject_of.get(i["SeriesInstanceUID"]) == subject}:
        Path(path).unlink()
    assert run_export(own, Serial(), json=True) == 0
    assert not (own.output / f"sub-{subject}").exists()
    assert subject not in (own.output / "participants.tsv").read_text()
    assert "withdrawn" in (own.output / "CHANGES").read_text()


def test_a_deleted_image_is_made_again(own: Trial) -> None:
    victim = images(own.output)[0]
    before = victim.read_bytes()
    victim.unlink()
    assert run_export(own, Serial(), json=True) == 0
    assert victim.read_bytes() == before


def test_a_mask_of_a_series_that_became_no_image_is_listed(own: Trial) -> None:
    table = own.annotations.table if own.annotations else None
    assert table is not None
    lines = table.read_text(encoding="utf-8").splitlines()
    stray = lines[1].replace(lines[1].split(",")[1], "1.2.3.4")
    table.write_text("\n".join([*lines, stray]) + "\n", encoding="utf-8")
    assert run_export(own, Serial(), json=True) == 0
    issues = [r for r in rows(own.work / "issues.tsv") if r["check"] == "A01" and r["state"] == "open"]
    assert [r["series_uid"] for r in issues] == ["1.2.3.4"]
