"""The inspection of files: what trialbids writes passes, and whatever is planted in it is named with its place."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pydicom
import pytest
from conftest import Exported
from inventorymaker import encoded, enhanced, groups, image, item
from nibabel.nifti1 import Nifti1Header
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from trialbids.exporter.convert import Volume, encode
from trialbids.exporter.deidentify.anonymity import Quasi, assess
from trialbids.exporter.deidentify.curatedlooks import CURATED
from trialbids.exporter.deidentify.dates import Shift
from trialbids.exporter.deidentify.dicom import Diffusion, ObjectContext, deidentify_object
from trialbids.exporter.deidentify.identifiers import Identifier, searcher_for
from trialbids.exporter.deidentify.inspect import Leak, inspect_file
from trialbids.exporter.deidentify.kept import Kept, KeptNumbers, KeptText
from trialbids.exporter.deidentify.layout import is_folder, kind_of
from trialbids.exporter.deidentify.marks import Marks
from trialbids.exporter.deidentify.options import Options
from trialbids.exporter.deidentify.pseudonyms import Pseudonyms
from trialbids.exporter.deidentify.search import Searcher
from trialbids.exporter.deidentify.shapes import Rules, shape_of
from trialbids.exporter.inventory.instance import Instance
from trialbids.exporter.qc.check import Finding
from trialbids.exporter.qc.headers.geometry import GEOMETRY, check_stack
from trialbids.exporter.qc.verdict import qc_sidecar
from trialbids.exporter.release.certificate import Faces, Facts, IdentifierKind, Pixels, Search
from trialbids.exporter.release.certify import CERTIFICATE_FILES, certify, write_certificate
from trialbids.exporter.release.dataset import write_description
from trialbids.exporter.release.guard import remembered_guard
from trialbids.exporter.stacks.reasons import SENTENCES
from trialbids.exporter.stacks.stack import Stack
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
    quality = {"schema": "trialbids-qc/2", "verdict": "pass", "checks": [], "metrics": {"snr": 12.5}}
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
        ("FrameOfReferenceUID", UID, {("/FrameOfReferenceUID", k) for k in ("odd-value", "uid", "foreign-uid")}),
        ("AcquisitionTime", "1950-03-07", {("/AcquisitionTime", "odd-value"), ("/AcquisitionTime", "birth_date")}),
        ("Harmonised", {"sequence": "T2w", "note": "x"}, {("/Harmonised", "odd-value")}),
        ("Harmonised", {"plane": "Dorrington"}, {("/Harmonised", "odd-value"), ("/Harmonised/plane", "patient_name")}),
        ("Units", "of Jonathan Dorrington", {("/Units", "odd-value"), ("/Units", "patient_name")}),
        ("DeidentificationMethod", ["for Dorrington"],
         {("/DeidentificationMethod", "odd-value"), ("/DeidentificationMethod", "patient_name")}),
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
    assert kinds(tmp_path, written(tmp_path, "README", "For Jonathan\nDorrington.")) == {"patient_name", "unknown-text"}
    page = "<html><head><style>.dorrington{}</style></head><body title='x'><b>J.</b> <i>Dorrington</i></body></html>"
    assert kinds(tmp_path, written(tmp_path, "curation/certificate.html", page)) == {"patient_name", "unknown-text"}
    quiet = "<html><style>.j-dorring{}</style><p>12 images</p></html>"
    assert not kinds(tmp_path, written(tmp_path, "curation/certificate.html", quiet))
    hidden = "<p>12 images</p><!-- J Dorrington -->"
    assert "patient_name" in kinds(tmp_path, written(tmp_path, "curation/certificate.html", hidden))
    written(tmp_path, "curation/certificate.json", {"trial": "Dorset trial"})
    shown = "<h1>De-identification of Dorset trial</h1>"
    assert not kinds(tmp_path, written(tmp_path, "curation/certificate.html", shown))
    added = "<h1>De-identification of Dorset trial in Bournemouth</h1>"
    assert kinds(tmp_path, written(tmp_path, "curation/certificate.html", added)) == {"unknown-text"}


def test_the_days_of_releases_are_no_days_of_a_subject(tmp_path: Path) -> None:
    day = "1.0.0 1950-03-07\n  - 2 sessions added\n"
    assert not kinds(tmp_path, written(tmp_path, "CHANGES", day))
    assert kinds(tmp_path, written(tmp_path, "CHANGES", day + "  - of 1950-03-07\n")) == {"birth_date", "unknown-text"}


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


def test_a_birth_date_among_the_numbers_of_the_table_of_quality_is_found(tmp_path: Path) -> None:
    def kinds_of(*values: float) -> set[str]:
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table({"snr": [*values, None, float("nan")]}), sink)
        return kinds(tmp_path, written(tmp_path, "curation/qc.parquet", sink.getvalue().to_pybytes()))

    assert not kinds_of(23.5, 1950.0, 1950037.5)
    assert kinds_of(23.5, 19500307.0) == {"birth_date"}


@pytest.mark.parametrize("observed", ["4", "4 to 1e+150", "95.5 to 1.798e+308"])
def test_an_absurd_number_of_a_header_is_a_number_all_the_same(observed: str) -> None:
    assert CURATED["curation/compliance.tsv"]["observed"](observed)


def test_readme_and_changes_are_what_the_program_writes(exported: Exported, tmp_path: Path) -> None:
    written(tmp_path, "dataset_description.json", {"Name": "A trial of ours"})
    for more in ({}, {"keep_dates": True, "keep_times": True, "faces": "allow"}, {"deface": ("cover",)}):
        trial = exported.trial.model_copy(update={"trial": "A trial of ours", "output": tmp_path, **more})
        write_description(tmp_path, trial, "0123456789abcdef")
        assert not kinds(tmp_path, "README")
    readme = (tmp_path / "README").read_text()
    for planted in (f"{readme}Seen on the ward by her brother.\n", f"The wife of a mayor\n{readme}"):
        assert kinds(tmp_path, written(tmp_path, "README", planted)) == {"unknown-text"}
    changes = "1.0.1 2026-11-22\n  - 1 session added\n  - 2 sessions withdrawn\n\n1.0.0 2026-11-21\n"
    assert not kinds(tmp_path, written(tmp_path, "CHANGES", changes))
    assert kinds(tmp_path, written(tmp_path, "CHANGES", changes + "  - a mayor\n")) == {"unknown-text"}
    assert kinds(tmp_path, written(tmp_path, ".bidsignore", "*_qc.json\nmayor\n")) == {"unknown-text"}


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ({"note": "seen on the ward"}, "unknown-key"),
        ({"schema": "a mayor"}, "odd-value"),
        ({"checks": [{"check": "G04", "severity": "error", "message": "a mayor"}]}, "unknown-text"),
        ({"checks": [{"check": "G04", "severity": "error", "message": "slices of 12.03.1950"}]}, "unknown-text"),
        ({"checks": [{"check": "G04", "severity": "error", "message": "4711001234 slices"}]}, "unknown-text"),
        ({"checks": [{"check": "G04", "severity": "mayor"}]}, "odd-value"),
        ({"metrics": {"mayor": 1}}, "unknown-key"),
        ({"metrics": {"snr": "a mayor"}}, "odd-value"),
        ({"metrics": [1]}, "odd-value"),
    ],
)
def test_quality_checks_hold_no_prose(tmp_path: Path, content: dict[str, object], kind: str) -> None:
    assert kinds(tmp_path, written(tmp_path, f"{STEM}_qc.json", content)) == {kind}


def test_every_message_of_a_check_is_known(tmp_path: Path) -> None:
    """What the checks say of stacks with each fault has its form, as has the meaning of every check."""
    tilted = [(0.0, 0.5 * n, 3.0 * n) for n in range(5)]
    gaps = [(0.0, 0.0, z) for z in (0.0, 3.0, 6.4, 15.0, 18.0, 18.0)]
    skewed = (1.0, 0.0, 0.0, 0.01, 1.0, 0.0)
    found = [
        *findings_on(tilted),
        *findings_on(gaps),
        *findings_on(gaps[:1]),
        *findings_on(gaps, ImageOrientationPatient=skewed, PixelSpacing=()),
        *findings_on(gaps[:3], SpacingBetweenSlices=9.0),
        *findings_on(gaps[:3], SliceThickness=1.0),
    ]
    assert len({f.check for f in found}) >= 7
    failed = [Finding("Q99", "warning", f"{c.code} ({c.meaning}) could not be run: LinAlgError") for c in GEOMETRY]
    cautions = [Finding("C02", "warning", f"the first of several is kept: {text}") for text in SENTENCES.values()]
    content = qc_sidecar("warn", [*found, *failed, *cautions], {"mean": 1.5, "foreground": 0.25})
    assert not leaks(tmp_path, written(tmp_path, f"{STEM}_qc.json", content))


def findings_on(positions: list[tuple[float, float, float]], **values: object) -> tuple[Finding, ...]:
    """What the checks find on slices at these places."""
    common = {"ImageOrientationPatient": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), "PixelSpacing": (1.0, 1.0), "Rows": 4}
    rows = [Instance(path=f"/{n}", ImagePositionPatient=p, **{**common, **values}) for n, p in enumerate(positions)]
    return check_stack(
        Stack(
            stack_id="s",
            acquisition_id="a",
            instances=tuple(rows),
            volume=(0,) * len(rows),
            n_slices=len(rows),
            n_volumes=1,
        )
    )


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("dataset_description.json", {"Authors": ["a mayor"]}),
        ("dataset_description.json", {"Name": "A trial: of a mayor"}),
        ("participants.json", {"age": {"Description": "of a mayor"}}),
        ("participants.json", {"age": {"Note": "of a mayor"}}),
        ("scans.json", {"a: mayor": {}}),
        ("sessions.json", {"days": "of a mayor"}),
        ("code/trialbids.json", {"keep": ["a mayor"]}),
        ("curation/summary.json", {"reasons": {"exclude: a mayor": 1}}),
        ("curation/summary.json", {"patients": "a mayor"}),
        ("curation/certificate.json", {"risks": ["A mayor is in it."]}),
        ("curation/certificate.json", {"kept": [{"field": "Manufacturer", "values": [{"value": "a mayor"}]}]}),
        (".trialbids", {"key": "a mayor"}),
    ],
)
def test_documents_of_ours_hold_known_keys_and_forms(tmp_path: Path, path: str, content: dict[str, object]) -> None:
    assert kinds(tmp_path, written(tmp_path, path, content)) & {"unknown-key", "odd-value", "unknown-text"}


@pytest.mark.parametrize("few", [True, False])
def test_every_sentence_of_a_certificate_is_known(tmp_path: Path, few: bool) -> None:
    """Those that say most and those that say least: what was chosen, found, held back and not looked at."""
    people = [(f"S{n % 3}", "F", str(40 + n), "2", "Skyra") for n in range(3 if few else 40)]
    marks = Marks(frozenset({("known-identifier", "rose"), ("text-in-pixels", "s1"), ("known-identifier", "may")}))
    kept = Kept(
        images=12,
        texts=(KeptText("ManufacturerModelName", "Skyra", 2, 1), KeptText("Harmonised: sequence", "T2w", 2, 1)),
        numbers=(KeptNumbers("EchoTime", 0.01, 0.1, 7, 12, 4), KeptNumbers("SeriesNumber", 1, 801, 1000, 12, 4)),
        images_with={"EchoTime": 12},
        models={},
    )
    facts = Facts(
        date="2026-11-22",
        trial="A trial",
        versions={"trialbids": "0.1.0", "dcm2niix": "1.0.20260724", "pydicom": "3.0.2"},
        key="0123456789abcdef",
        edition="2026c",
        participants=len(people),
        sessions=1234,
        options=Options() if few else Options(True, True, True, True, True, ("deface",), marks=marks),
        kept=kept,
        stopped={"SequenceName": 3},
        accepted=1 - few,
        search=None if few else Search((IdentifierKind("staff_name", 9, 7, 1, 1),), 55, 3, 1),
        pixels=None if few else Pixels(1400, 1, 1),
        faces=Faces(0, 0, 0, 1) if few else Faces(2, 3, 4, 5),
        anonymity=assess(Quasi(("site", "sex", "age", "grade (visits)", "device model"), tuple(people))),
        dicom=not few,
    )
    write_certificate(tmp_path, certify(facts))
    for path in CERTIFICATE_FILES:
        assert not leaks(tmp_path, path, rules=Rules(facts.options.allowed))


@pytest.mark.parametrize("uid", ["1.3.12.2.1107.5.2.30.25263", "1.2.276.0.7230010.3.1.4.1", "2.16.840.1.113669.632"])
def test_an_original_uid_is_a_leak_whether_it_is_known_or_not(tmp_path: Path, uid: str) -> None:
    assert "foreign-uid" in kinds(tmp_path, written(tmp_path, "README", f"from {uid}.\n"))
    assert "foreign-uid" in kinds(tmp_path, written(tmp_path, f"{STEM}_qc.json", {"schema": f"x{uid}y"}))
    assert "foreign-uid" in kinds(tmp_path, written(tmp_path, "curation/certificate.html", f"<p>{uid}</p>"))


def test_pseudonyms_uids_of_the_standard_and_versions_are_no_original_uids(tmp_path: Path) -> None:
    text = "2.25.329800735698586629295641978511506172918, 1.2.840.10008.5.1.4.1.1.4, 3.0.2, 1.0.20260724, 5.1.7.2"
    assert "foreign-uid" not in kinds(tmp_path, written(tmp_path, "README", text))


@pytest.mark.parametrize("number", ["98765432109876543", "98765432109876543.0", "9.8765432109876543e16"])
def test_a_number_is_searched_as_it_is_written(tmp_path: Path, number: str) -> None:
    people = searcher_for([Identifier("patient_id", "98765432109876543")])
    for path, text in ((f"{STEM}_qc.json", '{"metrics": {"mean": %s}}'), (f"{STEM}.json", '{"EchoTime": %s}')):
        found = inspect_file(tmp_path, written(tmp_path, path, text % number), people)
        assert "patient_id" in {leak.kind for leak in found}


OBJECT = "sourcedata/sub-A1/ses-01/anat/000001.dcm"
SOURCE = {
    "PatientName": "Dorrington^Jonathan",
    "PatientID": "88123456",
    "StudyDate": "20190314",
    "StudyTime": "101500",
    "Manufacturer": "SIEMENS",
    "ImageType": ["ORIGINAL", "PRIMARY", "M"],
    "EchoTime": "101",
    "PatientAge": "068Y",
    "FrameOfReferenceUID": f"{UID}.7",
}


def released(source: Dataset | None = None, *, keep_dates: bool = False) -> bytes:
    """An object as it leaves."""
    context = ObjectContext(
        "A1",
        "01",
        Pseudonyms(bytes(32)),
        shift=Shift(0 if keep_dates else 73_414),
        start=None,
        site="S01",
        description="T2w",
        bodypart="prostate",
        agent="gadolinium",
        options=Options(keep_dates=keep_dates),
    )
    return deidentify_object(encoded(source or image(**SOURCE)), context, Diffusion(800.0, (0.0, 0.0, 1.0)))


def changed(change: Callable[[Dataset], object]) -> bytes:
    """The same, with something done to it."""
    data = pydicom.dcmread(BytesIO(released()))
    change(data)
    out = BytesIO()
    dcmwrite(out, data, enforce_file_format=False)
    return out.getvalue()


def test_a_de_identified_object_passes(tmp_path: Path) -> None:
    nested = groups(MREchoSequence=item(EffectiveEchoTime=101.0), FrameAnatomySequence=item(FrameLaterality="U"))
    many = enhanced(nested, [groups(PlanePositionSequence=item(ImagePositionPatient=[1.5, 2, 3]))] * 3)
    for data in (released(), released(many), changed(lambda d: None)):
        assert not leaks(tmp_path, written(tmp_path, OBJECT, data))
    dated = written(tmp_path, OBJECT, released(keep_dates=True))
    assert not leaks(tmp_path, dated, rules=Rules(keep_dates=True))
    assert leaks(tmp_path, dated) == {("(0008,0020)", "odd-value")}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda d: setattr(d, "PatientComments", "a mayor"), {("(0010,4000)", "unknown-key")}),
        (lambda d: setattr(d, "PatientID", "A2"), {("(0010,0020)", "odd-value")}),
        (lambda d: setattr(d, "StudyInstanceUID", "1.2.840.99.1"), {("(0020,000d)", "odd-value")}),
        (lambda d: setattr(d, "StudyDate", "20190314"), {("(0008,0020)", "odd-value")}),
        (lambda d: setattr(d, "PatientBirthDate", "19010101"), {("(0010,0030)", "odd-value")}),
        (lambda d: setattr(d, "Manufacturer", "a mayor"), {("(0008,0070)", "odd-value")}),
        (lambda d: setattr(d, "SeriesDescription", "T2 for Dorrington"),
         {("(0008,103e)", "odd-value"), ("(0008,103e)", "patient_name")}),
        (lambda d: setattr(d, "EchoTime", "88123456"), {("(0018,0081)", "odd-value"), ("(0018,0081)", "patient_id")}),
        (lambda d: setattr(d, "PatientAge", "094Y"), {("(0010,1010)", "odd-value")}),
        (lambda d: setattr(d, "AccessionNumber", "7"), {("(0008,0050)", "odd-value")}),
        (lambda d: setattr(d, "DeidentificationMethod", "by a mayor"), {("(0012,0063)", "odd-value")}),
        (lambda d: d.add_new(0x00081030, "LO", "mayor"), {("(0008,1030)", "unknown-key")}),
        (lambda d: d.add_new(0x60000010, "US", 4), {("(6000,0010)", "unknown-key")}),
        (lambda d: d.private_block(0x0029, "SOMEBODY", create=True).add_new(1, "LO", "x"),
         {("(0029,0010)", "unknown-key"), ("(0029,1001)", "unknown-key")}),
        (lambda d: setattr(d, "ReferencedImageSequence", [item(PatientName="x")]), {("(0008,1140)", "unknown-key")}),
        (lambda d: setattr(d, "MREchoSequence", [item(PatientComments="x")]),
         {("(0018,9114)/(0010,4000)", "unknown-key")}),
        (lambda d: setattr(d.DeidentificationMethodCodeSequence[0], "CodeMeaning", "a mayor"),
         {("(0012,0064)", "odd-value")}),
        (lambda d: setattr(d, "Rows", 3), {("(7fe0,0010)", "odd-bytes")}),
        (lambda d: d.add_new(0xFFFCFFFC, "OB", b"mayor "), {("behind the pixel data", "odd-bytes")}),
        (lambda d: d.file_meta.add_new(0x00020016, "AE", "MAYOR"),
         {("file meta/(0002,0016)", "unknown-key"), ("file meta/(0002,0000)", "odd-value")}),
        (lambda d: setattr(d.file_meta, "ImplementationVersionName", "MAYOR"),
         {("file meta/(0002,0013)", "odd-value"), ("file meta/(0002,0000)", "odd-value")}),
        (lambda d: setattr(d, "preamble", b"II*" + bytes(125)), {("preamble", "odd-header")}),
    ],
)  # fmt: skip
def test_what_no_entry_of_the_list_lets_leave_is_a_leak(
    tmp_path: Path, change: Callable[[Dataset], object], expected: set[tuple[str, str]]
) -> None:
    found = leaks(tmp_path, written(tmp_path, OBJECT, changed(change)))
    assert {entry for entry in found if not entry[0].startswith("byte")} >= expected - {
        ("file meta/(0002,0000)", "odd-value")
    }
    assert found - {entry for entry in found if entry[0].startswith("byte")} <= expected


def test_an_object_as_it_came_is_a_leak_in_every_encoding(tmp_path: Path) -> None:
    quiet = image(PatientID="A1", PatientName="A1")
    for syntax in (ExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian):
        assert kinds(tmp_path, written(tmp_path, OBJECT, encoded(quiet, syntax)))
    other = OBJECT.replace("A1", "B2")
    assert kinds(tmp_path, written(tmp_path, other, released())) == {"odd-value"}
    for n in (0, 100, 200, 900):
        assert kinds(tmp_path, written(tmp_path, OBJECT, released()[:n]))
    assert kinds(tmp_path, written(tmp_path, OBJECT, released() + b"\0\0")) == {"odd-bytes"}


def test_dicom_is_a_leak_where_the_trial_releases_none(tmp_path: Path) -> None:
    path = written(tmp_path, OBJECT, released())
    assert leaks(tmp_path, path, rules=Rules(sourcedata=False)) == {("name", "unknown-file")}


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
    rules = remembered_guard(exported.trial.work).terms.rules
    assert not [leak for path in files for leak in inspect_file(root, path, PEOPLE, rules)]
