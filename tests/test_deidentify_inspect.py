"""The inspection of files: what trialbids writes passes, and whatever is planted in it is named with its place."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Exported
from inventorymaker import encoded, image
from nibabel.nifti1 import Nifti1Header

from trialbids.exporter.convert import Volume, encode
from trialbids.exporter.deidentify.identifiers import Identifier, searcher_for
from trialbids.exporter.deidentify.inspect import Leak, inspect_file
from trialbids.exporter.deidentify.layout import is_folder, kind_of
from trialbids.exporter.deidentify.search import Searcher
from trialbids.exporter.deidentify.shapes import Rules, shape_of
from trialbids.mappings.fields import allow_list

UID = "1.2.840.99.7.1.23"
PEOPLE = searcher_for(
    [
        Identifier("patient_name", "Dorrington^Jonathan"),
        Identifier("birth_date", "19500307"),
        Identifier("patient_id", "88123456"),
        Identifier("uid", UID),
    ]
)
STEM = "sub-A1/ses-01/anat/sub-A1_ses-01_acq-tseAx_T2w"
SIDECAR = {
    "Modality": "MR",
    "Manufacturer": "SIEMENS",
    "EchoTime": 0.101,
    "SeriesInstanceUID": "2.25.329800735698586629295641978511506172918",
    "AcquisitionTime": "00:12:31.250000",
    "ImageType": ["ORIGINAL", "PRIMARY", "M"],
    "SequenceVariant": "SK_SP",
    "AcquisitionID": "a01",
    "Units": "arbitrary",
    "Harmonised": {"sequence": "T2w", "derived": [], "confidence": 0.99, "evidence": ["core.t2.words"]},
    "ConversionSoftware": "dcm2niix",
    "ConversionSoftwareVersion": "v1.0.20260724",
}


def written(root: Path, path: str, data: bytes | str | dict[str, object]) -> str:
    """A file of a tree."""
    content = json.dumps(data) if isinstance(data, dict) else data
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def leaks(root: Path, path: str, searcher: Searcher = PEOPLE, rules: Rules | None = None) -> set[tuple[str, str]]:
    """Place and kind of all that is found."""
    return {(leak.place, leak.kind) for leak in inspect_file(root, path, searcher, rules)}


def kinds(root: Path, path: str) -> set[str]:
    """The kinds alone."""
    return {kind for _, kind in leaks(root, path)}


def nifti(voxels: np.ndarray | None = None, change: Callable[[Nifti1Header], None] = lambda h: None) -> bytes:
    """A volume as the exporter writes it, with something done to its header."""
    voxels = np.zeros((5, 4, 3), "<i2") if voxels is None else voxels
    header = Nifti1Header()
    header.set_data_dtype(voxels.dtype)
    header.set_data_shape(voxels.shape)
    volume = Volume(
        header=header, voxels=voxels, affine=np.eye(4), slope=1.0, inter=0.0, sidecar={}, bval=None, bvec=None,
        converter="x",
    )  # fmt: skip
    data = gzip.decompress(encode(volume))
    changed = Nifti1Header(data[:348])
    change(changed)
    return gzip.compress(changed.binaryblock + data[348:], mtime=0)


def test_what_an_export_writes_passes(tmp_path: Path) -> None:
    assert not leaks(tmp_path, written(tmp_path, f"{STEM}.json", SIDECAR))
    assert not leaks(tmp_path, written(tmp_path, f"{STEM}.nii.gz", nifti()))
    assert not leaks(tmp_path, written(tmp_path, "sub-A1/ses-01/dwi/sub-A1_ses-01_dwi.bval", "0 50 800\n"))
    quality = {"schema": "trialbids-qc/1", "verdict": "pass", "checks": [], "metrics": {"snr": 12.5}}
    assert not leaks(tmp_path, written(tmp_path, f"{STEM}_qc.json", quality))


def test_every_key_of_ours_has_a_form() -> None:
    assert not [key for key in allow_list().keys if shape_of(key, Rules()) is None]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("PatientName", "x", {("key", "unknown-key")}),
        ("Dorrington", 1, {("key", "unknown-key"), ("key (key)", "patient_name")}),
        ("Manufacturer", "Jonathan Dorrington", {("/Manufacturer", "odd-value"), ("/Manufacturer", "patient_name")}),
        ("Manufacturer", ["SIEMENS", "x"], {("/Manufacturer", "odd-value")}),
        ("EchoTime", 88123456, {("/EchoTime", "odd-value"), ("/EchoTime", "patient_id")}),
        ("EchoTime", "0.1", {("/EchoTime", "odd-value")}),
        ("EchoTime", {"a": 1}, {("/EchoTime", "odd-value")}),
        ("FrameOfReferenceUID", UID, {("/FrameOfReferenceUID", "odd-value"), ("/FrameOfReferenceUID", "uid")}),
        ("AcquisitionTime", "1950-03-07", {("/AcquisitionTime", "odd-value"), ("/AcquisitionTime", "birth_date")}),
        ("Harmonised", {"sequence": "T2w", "note": "x"}, {("/Harmonised", "odd-value")}),
        ("Harmonised", {"plane": "Dorrington"}, {("/Harmonised", "odd-value"), ("/Harmonised/plane", "patient_name")}),
        ("Units", "of Jonathan Dorrington", {("/Units", "odd-value"), ("/Units", "patient_name")}),
        ("DeidentificationMethod", ["for Dorrington"], {("/DeidentificationMethod", "patient_name")}),
    ],
)  # fmt: skip
def test_a_planted_key_or_value_is_named(
    tmp_path: Path, key: str, value: object, expected: set[tuple[str, str]]
) -> None:
    path = written(tmp_path, f"{STEM}.json", {**SIDECAR, key: value})
    assert leaks(tmp_path, path) == expected


def test_values_that_a_person_accepted_pass_unless_they_name_somebody(tmp_path: Path) -> None:
    accepted = Rules(accepted={"ManufacturerModelName": frozenset(["Homebuilt 7", "Dorrington's"])})
    right = written(tmp_path, f"{STEM}.json", {**SIDECAR, "ManufacturersModelName": "Homebuilt 7"})
    assert not leaks(tmp_path, right, rules=accepted)
    assert leaks(tmp_path, right) == {("/ManufacturersModelName", "odd-value")}
    wrong = written(tmp_path, f"{STEM}.json", {**SIDECAR, "ManufacturersModelName": "Dorrington's"})
    assert leaks(tmp_path, wrong, rules=accepted) == {("/ManufacturersModelName", "patient_name")}


@pytest.mark.parametrize("field", ["descrip", "aux_file", "db_name", "data_type", "intent_name"])
def test_text_in_the_nifti_header_is_a_leak(tmp_path: Path, field: str) -> None:
    def change(header: Nifti1Header) -> None:
        header[field] = b"anything"

    path = written(tmp_path, f"{STEM}.nii.gz", nifti(change=change))
    assert leaks(tmp_path, path) == {(f"NIfTI header, {field}", "odd-header")}


def test_bytes_behind_the_voxels_and_behind_the_stream_are_leaks(tmp_path: Path) -> None:
    data = gzip.decompress(nifti())
    inside = written(tmp_path, f"{STEM}.nii.gz", gzip.compress(data + b"x", mtime=0))
    assert leaks(tmp_path, inside) == {("behind the voxels", "odd-bytes")}
    second = gzip.compress(data, mtime=0) + gzip.compress(b"Jonathan Dorrington", mtime=0)
    assert leaks(tmp_path, written(tmp_path, f"{STEM}.nii.gz", second)) == {("behind the gzip stream", "odd-bytes")}
    bare = gzip.compress(data, mtime=0) + b"Jonathan Dorrington"
    assert "patient_name" in kinds(tmp_path, written(tmp_path, f"{STEM}.nii.gz", bare))


def test_a_nifti_extension_is_a_leak(tmp_path: Path) -> None:
    data = bytearray(gzip.decompress(nifti()))
    data[348:352] = b"\1\0\0\0"
    struct.pack_into("<f", data, 108, 352 + 32)
    data[352:352] = struct.pack("<ii", 32, 6) + b"by Jonathan Dorrington".ljust(24)
    found = kinds(tmp_path, written(tmp_path, f"{STEM}.nii.gz", gzip.compress(bytes(data), mtime=0)))
    assert {"odd-header", "patient_name"} <= found


def test_names_and_times_in_the_gzip_header_are_leaks(tmp_path: Path) -> None:
    packed = nifti()
    named = packed[:3] + b"\x08" + packed[4:10] + b"dorrington_jonathan.nii\0" + packed[10:]
    assert {"odd-header", "patient_name"} <= kinds(tmp_path, written(tmp_path, f"{STEM}.nii.gz", named))
    timed = packed[:4] + b"\1\2\3\4" + packed[8:]
    assert kinds(tmp_path, written(tmp_path, f"{STEM}.nii.gz", timed)) == {"odd-header"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_a_name_in_the_voxels_is_found(tmp_path: Path, encoding: str) -> None:
    voxels = np.random.default_rng(0).integers(0, 900, (64, 64, 8)).astype("<i2")
    text = np.frombuffer("dorrington^jonathan ".encode(encoding), "<i2")
    voxels[: len(text), 30, 4] = text
    path = written(tmp_path, f"{STEM}.nii.gz", nifti(voxels))
    assert kinds(tmp_path, path) == {"patient_name"}


@pytest.mark.parametrize("broken", [b"", b"no gzip", gzip.compress(b"short", mtime=0), nifti()[:-9]])
def test_an_image_that_cannot_be_read_is_a_leak(tmp_path: Path, broken: bytes) -> None:
    assert "unreadable" in kinds(tmp_path, written(tmp_path, f"{STEM}.nii.gz", broken))


@pytest.mark.parametrize(
    "path",
    [
        "notes.txt", "sub-A1/ses-01/anat/sub-B2_ses-01_T2w.json", "sub-A1/ses-01/anat/sub-A1_ses-01_T2w.nii",
        "sub-A1/ses-01/anat/.DS_Store", "sub-A1/ses-01/anat/sub-A1_ses-01_who-me_T2w.json", "code/run.sh",
        "sub-A1/ses-01/anat/sub-A1_ses-01_Dorrington.json", "curation/manifest.parquet.bak", "participants.tsv~",
    ],
)  # fmt: skip
def test_a_file_of_another_name_is_a_leak(tmp_path: Path, path: str) -> None:
    assert "unknown-file" in kinds(tmp_path, written(tmp_path, path, "anything"))


def test_an_unknown_file_is_searched_all_the_same(tmp_path: Path) -> None:
    assert kinds(tmp_path, written(tmp_path, "sub-Dorrington/x.bin", b"\0DORRINGTON^JONATHAN\0")) == {
        "unknown-file",
        "patient_name",
    }


def test_links_and_attributes_are_leaks(tmp_path: Path) -> None:
    target = written(tmp_path, "elsewhere", "x")
    (tmp_path / "README").symlink_to(tmp_path / target)
    assert kinds(tmp_path, "README") == {"not-a-file"}
    path = written(tmp_path, f"{STEM}.json", SIDECAR)
    try:
        os.setxattr(tmp_path / path, "user.owner", b"Dorrington")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    assert kinds(tmp_path, path) == {"odd-header"}


def test_tables_hold_known_columns_and_forms(tmp_path: Path) -> None:
    written(
        tmp_path, "participants.json", {"histology": {"Levels": {"SCC": "SCC"}}, "tumour_mm": {"Description": "mm"}}
    )
    head = "participant_id\tsite\tsex\tage\thistology\ttumour_mm\n"
    right = written(
        tmp_path, "participants.tsv", head + "sub-A1\tS01\tF\t52\tSCC\t41.5\nsub-B2\tS01\tn/a\t89\tn/a\tn/a\n"
    )
    assert not leaks(tmp_path, right)
    wrong = written(tmp_path, "participants.tsv", head + "sub-A1\tS01\tF\t1950-03-07\tDorrington\t88123456\n")
    assert leaks(tmp_path, wrong) == {
        ("line 2, column 4", "odd-value"),
        ("line 2, column 4", "birth_date"),
        ("line 2, column 5", "odd-value"),
        ("line 2, column 5", "patient_name"),
        ("line 2, column 6", "patient_id"),
    }
    column = written(tmp_path, "participants.tsv", "participant_id\tname\nsub-A1\tJonathan\n")
    assert leaks(tmp_path, column) == {("column 2", "unknown-key"), ("line 2, column 2", "patient_name")}


def test_dates_in_tables_are_moved_unless_the_trial_keeps_them(tmp_path: Path) -> None:
    written(tmp_path, "sessions.json", {})
    head = "session_id\tacq_time\tdays\tinjection\n"
    moved = written(tmp_path, "sub-A1/sub-A1_sessions.tsv", head + "ses-01\t1818-03-14T00:00:00\t0\tyes\n")
    assert not leaks(tmp_path, moved)
    real = written(tmp_path, "sub-A1/sub-A1_sessions.tsv", head + "ses-01\t2019-03-14T00:00:00\t0\tyes\n")
    assert leaks(tmp_path, real) == {("line 2, column 2", "odd-value")}
    assert not leaks(tmp_path, real, rules=Rules(keep_dates=True))


def test_gradients_are_numbers_only(tmp_path: Path) -> None:
    path = "sub-A1/ses-01/dwi/sub-A1_ses-01_dwi.bvec"
    assert kinds(tmp_path, written(tmp_path, path, "0 1\nDorrington 1\n")) == {"odd-value", "patient_name"}
    assert kinds(tmp_path, written(tmp_path, path, "0 19500307\n")) == {"birth_date"}


def test_texts_and_pages_are_read_as_a_reader_would(tmp_path: Path) -> None:
    assert kinds(tmp_path, written(tmp_path, "README", "For Jonathan\nDorrington.")) == {"patient_name"}
    page = "<html><head><style>.dorrington{}</style></head><body title='x'><b>J.</b> <i>Dorrington</i></body></html>"
    assert kinds(tmp_path, written(tmp_path, "curation/certificate.html", page)) == {"patient_name"}
    quiet = "<html><style>.j-dorring{}</style><p>12 images</p></html>"
    assert not kinds(tmp_path, written(tmp_path, "curation/certificate.html", quiet))
    hidden = "<p>ok</p><!-- J Dorrington -->"
    assert kinds(tmp_path, written(tmp_path, "curation/certificate.html", hidden)) == {"patient_name"}


def test_the_days_of_releases_are_no_days_of_a_subject(tmp_path: Path) -> None:
    day = "1.0.0 1950-03-07\n  - 2 sessions added\n"
    assert not kinds(tmp_path, written(tmp_path, "CHANGES", day))
    assert kinds(tmp_path, written(tmp_path, "CHANGES", day + "  - of 1950-03-07\n")) == {"birth_date"}


def test_a_key_twice_hides_nothing(tmp_path: Path) -> None:
    twice = '{"schema": "DORRINGTON^JONATHAN", "schema": "trialbids-qc/1"}'
    assert {"unreadable", "patient_name"} <= kinds(tmp_path, written(tmp_path, f"{STEM}_qc.json", twice))


def test_the_manifest_holds_no_foreign_metadata_and_no_name(tmp_path: Path) -> None:
    def parquet(table: pa.Table) -> str:
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        return written(tmp_path, "curation/manifest.parquet", sink.getvalue().to_pybytes())

    table = pa.table({"path": ["sub-A1/x.nii.gz"], "sequence": ["T2w"]})
    assert not kinds(tmp_path, parquet(table))
    assert kinds(tmp_path, parquet(table.replace_schema_metadata({"by": "me"}))) == {"odd-header"}
    assert kinds(tmp_path, parquet(pa.table({"path": ["of Dorrington"]}))) == {"patient_name"}


def test_released_dicom_has_no_preamble_private_elements_or_graphics(tmp_path: Path) -> None:
    path = "sourcedata/sub-A1/ses-01/0001/0001.dcm"
    clean = image(PatientID="A1", PatientName="A1")
    assert not kinds(tmp_path, written(tmp_path, path, encoded(clean)))
    private = image(PatientID="A1")
    private.private_block(0x0029, "SOMEBODY", create=True).add_new(1, "LO", "x")
    private.add_new(0x60000010, "US", 4)
    assert kinds(tmp_path, written(tmp_path, path, encoded(private))) == {"unknown-key"}
    assert kinds(tmp_path, written(tmp_path, path, encoded(image(PatientName="Dorrington")))) == {"patient_name"}
    assert "odd-header" in kinds(tmp_path, written(tmp_path, path, b"II*\0" + encoded(clean)[4:]))


def test_names_of_files_and_folders_follow_the_grammar() -> None:
    assert kind_of("sub-A1/ses-01/dwi/sub-A1_ses-01_run-02_dwi.bval") == "numbers"
    assert (
        kind_of("derivatives/annotations/sub-A1/ses-01/anat/sub-A1_ses-01_label-tumour_desc-R1_mask.nii.gz") == "nifti"
    )
    assert is_folder("sub-A1/ses-01/anat") and is_folder("derivatives/annotations/sub-A1/ses-01/dwi")
    assert not any(map(is_folder, ("sub-A1/ses-01/Doe", "sub-A_1", "tmp", "sub-A1/ses-01/anat/x", ".git")))


def test_a_leak_shows_no_value() -> None:
    assert "orring" not in repr(Leak("README", "text", "patient_name", "dorrington", "for Dorrington"))


def test_the_tree_of_the_demo_trial_passes(exported: Exported, tmp_path: Path) -> None:
    root = tmp_path / "bids"
    shutil.copytree(exported.trial.output, root)
    files = [p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()]
    assert len(files) > 50
    assert not [leak for path in files for leak in inspect_file(root, path, PEOPLE)]
