"""Files that were made to do harm, or damaged: each is named, none closes the tree, none hangs, none is overwritten."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import nibabel as nib
import numpy as np
import pytest
from treemaker import AFFINE, TreeMaker, voxels, write_json, write_nifti

from trialbids.datasets import CohortDataset, CohortError, Database, DatasetError, Q, QueryError, ReadError, Regression
from trialbids.datasets.files.nifti import read_header, read_volume
from trialbids.datasets.files.places import Url, fetch_known
from trialbids.datasets.index import found

T2 = Q("T2w")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two participants, with a T2 and an ADC each, without a manifest."""
    monkeypatch.setenv("TRIALBIDS_CACHE", str(tmp_path / "cache"))
    tree = TreeMaker(tmp_path / "trial" / "bids")
    for n in (1, 2):
        tree.participant(f"0{n}", age=30 + n)
        tree.image(f"0{n}", "T2w", {"sequence": "T2w"})
        scale = {"ADCScale": 1e-6, "Units": "mm2/s"}
        tree.image(f"0{n}", "ADC", {"sequence": "ADC"}, datatype="dwi", acquisition_id="a02", sidecar=scale)
    return tree.finish(manifest=False)


def t2(root: Path) -> Path:
    return root / "sub-01" / "ses-01" / "anat" / "sub-01_ses-01_T2w.nii.gz"


def problems(db: Database) -> str:
    return "\n".join(f"{problem.path}: {problem.reason}" for problem in db.problems)


# -- the index


@pytest.mark.parametrize("content", [b"my thesis", b"SQLite format 3\0" + bytes(200)])
def test_a_file_that_is_no_index_is_not_overwritten(root: Path, tmp_path: Path, content: bytes) -> None:
    precious = tmp_path / "thesis.docx"
    precious.write_bytes(content)
    with pytest.raises(QueryError, match=r"thesis\.docx is there and is no index"):
        Database(root, index=precious)
    assert precious.read_bytes() == content
    precious.write_bytes(b"")
    Database(root, index=precious)
    Database(root, index=precious)
    with pytest.raises(QueryError, match="no index"):
        Database(root, index=tmp_path)


def _view(base: sqlite3.Connection, table: str, columns: str) -> None:
    base.execute(f"ALTER TABLE {table} RENAME TO old")
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"
    base.execute(f"CREATE VIEW {table} AS {endless} SELECT {columns} FROM old, n")


def _outward(base: sqlite3.Connection) -> None:
    for subject, packed in base.execute("SELECT subject, packed FROM participants WHERE scope = 'raw'").fetchall():
        texts, rows = json.loads(zlib.decompress(packed))
        for row in rows:
            row[0] = f"{subject}/../../../secret/{row[0]}"
        content = zlib.compress(json.dumps([texts, rows]).encode())
        base.execute("UPDATE participants SET packed = ? WHERE subject = ? AND scope = 'raw'", (content, subject))


def _bomb(base: sqlite3.Connection) -> None:
    content = zlib.compress(b"[[],[]]" + b" " * (1 << 17), 1)
    base.execute("UPDATE participants SET packed = ? WHERE subject = 'sub-01'", (content,))


ALL = "scope, subject, mark, sessions, visits, problems, images, packed"
HARM: dict[str, Callable[[sqlite3.Connection], object]] = {
    "endless participants": lambda base: _view(base, "participants", ALL),
    "endless facts": lambda base: _view(base, "facts", "name, value"),
    "deep JSON": lambda base: base.execute("UPDATE participants SET visits = ?", ("[" * 100_000,)),
    "deep rows": lambda base: base.execute("UPDATE participants SET packed = ?", (zlib.compress(b"[" * 300_000),)),
    "paths out of the tree": _outward,
    "a bomb": _bomb,
}


@pytest.mark.parametrize("kind", HARM)
def test_a_hostile_index_is_made_anew(root: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(found, "MOST", 1 << 16)
    file = tmp_path / "index.sqlite"
    sound = Database(root, index=file).images
    with sqlite3.connect(file) as base:
        HARM[kind](base)
    db = Database(root, index=file)
    assert db.images == sound and not db.problems


# -- pipes


@pytest.mark.parametrize(
    "name", ["participants.tsv", "sub-01/sub-01_sessions.tsv", "sub-01/ses-01/anat/sub-01_ses-01_T2w.json", "T2w"]
)
def test_a_pipe_is_never_opened(root: Path, name: str) -> None:
    file = t2(root) if name == "T2w" else root / name
    file.unlink()
    os.mkfifo(file)
    db = Database(root, index=None)
    assert file.name in problems(db) and "no plain file" in problems(db) and len(db.images) == 4
    with pytest.raises(ReadError, match="no plain file"):
        read_volume(file)


def test_a_pipe_in_the_place_of_the_index_or_the_manifest(root: Path) -> None:
    os.mkfifo(root.parent / ".bids.trialbids-index.sqlite")
    (root / "curation").mkdir()
    os.mkfifo(root / "curation" / "manifest.parquet")
    db = Database(root)
    assert len(db.images) == 4 and "manifest.parquet" in problems(db)


def test_a_link_to_itself_hides_no_other_file(root: Path) -> None:
    beside = t2(root).with_name("sub-01_ses-01_PDw.nii.gz")
    beside.symlink_to(beside.name)
    db = Database(root, index=None)
    assert len(db.images) == 5 and beside.name in problems(db)


# -- numbers of sidecars


@pytest.mark.parametrize("scale", ["0", "NaN", "Infinity", "1e300", "-1e-6", "true", "1" + "0" * 400, "[1]"])
def test_a_factor_that_no_unit_has_counts_as_absent(root: Path, scale: str) -> None:
    sidecar = root / "sub-01" / "ses-01" / "dwi" / "sub-01_ses-01_ADC.json"
    text = sidecar.read_text(encoding="utf-8")
    assert text.count("1e-06") == 1
    sidecar.write_text(text.replace("1e-06", scale), encoding="utf-8")
    db = Database(root, index=None)
    assert [image.adc_scale for image in db.query(Q("ADC"))] == [None, 1e-6]
    assert "sub-01_ses-01_ADC.nii.gz: ADCScale is " in problems(db)
    with pytest.raises(CohortError, match="ADCScale"):
        db.cohort(images={"adc": Q("ADC")}, qc=None)


def test_other_numbers_that_are_none(root: Path) -> None:
    sidecar = t2(root).with_name("sub-01_ses-01_T2w.json")
    write_json(sidecar, {"EchoTime": float("nan"), "FlipAngle": 90, "RepetitionTime": True})
    db = Database(root, index=None)
    assert db.query(Q(suffix="T2w"))[0].sidecar_fields == {"FlipAngle": 90}
    assert "RepetitionTime is True, EchoTime is nan" in problems(db)


# -- tables


def ages(root: Path) -> dict[str, object]:
    db = Database(root, index=None)
    return {name: row.get("age") for name, row in db.participants.items()}


def rewrite(root: Path, text: str, encoding: str = "utf-8") -> None:
    (root / "participants.tsv").write_bytes(text.encode(encoding))


def test_two_rows_of_one_participant(root: Path) -> None:
    rewrite(root, "participant_id\tsite\tage\nsub-01\tS01\t31\nsub-02\tS01\t32\nsub-01\tS02\t31\n\tS01\t5\n")
    db = Database(root, index=None)
    assert dict(db.participants["sub-01"]) == {"participant_id": "sub-01", "site": None, "age": 31}
    assert {image.site for image in db.images if image.participant_id == "sub-01"} == {""}
    assert "participants.tsv: there are several rows for sub-01; what differs is not taken: site" in problems(db)
    assert "a row has no participant_id and is left out" in problems(db) and set(db.participants) == {
        "sub-01",
        "sub-02",
    }


def test_two_verdicts_of_one_image_are_none(root: Path) -> None:
    scans = root / "sub-01" / "ses-01" / "sub-01_ses-01_scans.tsv"
    lines = scans.read_text(encoding="utf-8").splitlines()
    scans.write_text("\n".join([*lines, lines[1].replace("pass", "fail")]) + "\n", encoding="utf-8")
    db = Database(root, index=None)
    assert [image.qc for image in db.query(T2)] == ["", "pass"] and "qc_verdict" in problems(db)


def test_two_columns_of_one_name(root: Path) -> None:
    rewrite(root, "participant_id\tage\tage\nsub-01\t31\t99\nsub-02\t32\t32\n")
    db = Database(root, index=None)
    assert "participants.tsv: several columns have one name ('age')" in problems(db)
    assert ages(root) == {"sub-01": None, "sub-02": 32}
    rewrite(root, "participant_id\tparticipant_id\nsub-01\tsub-02\n")
    assert "the column 'participant_id' stands there twice" in problems(Database(root, index=None))


PLAIN = "participant_id\tage\nsub-01\t31\nsub-02\t32\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (PLAIN, "utf-16"),
        (PLAIN.replace("\n", "\r\n"), "utf-8-sig"),
        (PLAIN.replace("\t", ";"), "utf-8"),
        (PLAIN.replace("\t", ","), "utf-8"),
        (PLAIN.replace("sub-01\t", '"sub-01";').replace("\t", ";"), "utf-16"),
    ],
)
def test_what_a_spreadsheet_writes(root: Path, text: str, encoding: str) -> None:
    rewrite(root, text, encoding)
    assert ages(root) == {"sub-01": 31, "sub-02": 32}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (PLAIN.replace("participant_id", "id"), "no column 'participant_id'"),
        (PLAIN.replace("\t", ",").replace("31", "31,5"), "more cells than its first line"),
        (PLAIN.replace("sub-01", "s\udcff"), "no table of text in UTF-8"),
    ],
)
def test_a_table_that_cannot_be_meant_is_named(root: Path, text: str, words: str) -> None:
    (root / "participants.tsv").write_bytes(text.encode("utf-8", "surrogateescape"))
    db = Database(root, index=None)
    assert words in problems(db) and "participants.tsv" in problems(db) and len(db.images) == 4


@pytest.mark.parametrize("number", ["1e400", "9" * 400, "9" * 200_000, "9" * 20, "-1e999"])
def test_a_number_that_does_not_fit_stays_text(root: Path, number: str) -> None:
    rewrite(root, PLAIN.replace("31", number))
    assert ages(root) == {"sub-01": number, "sub-02": "32"}
    with pytest.raises(QueryError, match="holds text"):
        Database(root, index=None).cohort(images={"t2": T2}, targets={"y": Regression("age")}, qc=None)


# -- images


def put(root: Path, place: int, kind: str, *values: float) -> Path:
    content = bytearray(gzip.decompress(t2(root).read_bytes()))
    struct.pack_into(kind, content, place, *values)
    t2(root).write_bytes(gzip.compress(bytes(content) + bytes(4000), 1))
    return t2(root)


HEADERS = {
    "voxels in the header": (108, "<f", (10.0,), "byte 10, inside its header"),
    "voxels before the file": (108, "<f", (-100.0,), "inside its header"),
    "no affine": (280, "<12f", (0.0,) * 12, "singular or not finite"),
    "an affine of NaN": (280, "<4f", (float("nan"),) * 4, "singular or not finite"),
    "unknown type": (70, "<hh", (16384, 16), "unsupported type unknown"),
    "RGB": (70, "<hh", (128, 24), "unsupported type RGB"),
    "complex": (70, "<hh", (32, 64), "unsupported type complex64"),
    "no voxels": (40, "<8h", (3, 0, 5, 4, 1, 1, 1, 1), "gives no shape"),
    "a negative axis": (40, "<8h", (3, -6, 5, 4, 1, 1, 1, 1), "gives no shape"),
    "nine axes": (40, "<8h", (9, 6, 5, 4, 1, 1, 1, 1), "gives no shape"),
}


@pytest.mark.parametrize("kind", HEADERS)
def test_a_header_that_cannot_be_is_named_and_skipped(root: Path, kind: str) -> None:
    place, form, values, words = HEADERS[kind]
    cohort = Database(root, index=None).cohort(images={"t2": T2}, qc=None)
    path = put(root, place, form, *values)
    for read in (read_header, read_volume):
        with pytest.raises(ReadError, match=words):
            read(path)
    db = Database(root, index=None)
    assert f"{path.name}: " in problems(db) and words in problems(db) and len(db.images) == 4
    assert [len(image.shape) for image in db.query(T2)] == [0, 3]
    with pytest.warns(UserWarning, match="left out"):
        assert "t2" not in CohortDataset(cohort, errors="skip")[0]


def test_a_manifest_is_not_believed_that_names_such_an_image(tmp_path: Path) -> None:
    tree = TreeMaker(tmp_path / "bids")
    path = tree.image("01", "T2w", {"sequence": "T2w"})
    nib.save(nib.Nifti1Image(voxels((6, 5, 4)).astype(np.complex64), AFFINE), path)
    db = Database(tree.finish(), index=None)
    assert "unsupported type complex64" in problems(db) and not db.images[0].shape


def test_no_more_is_inflated_than_the_header_promises(root: Path) -> None:
    content = gzip.decompress(t2(root).read_bytes())
    t2(root).write_bytes(gzip.compress(content + bytes(1 << 19), 1))
    assert read_volume(t2(root))[0].shape == (6, 5, 4)
    t2(root).write_bytes(gzip.compress(content, 1) + gzip.compress(bytes(3 << 20), 1))
    with pytest.raises(ReadError, match="far more bytes than its header promises"):
        read_volume(t2(root))


def test_a_header_in_several_gzip_members(root: Path) -> None:
    content = gzip.decompress(t2(root).read_bytes())
    t2(root).write_bytes(b"".join(gzip.compress(content[n : n + 100]) for n in range(0, len(content), 100)))
    db = Database(root, index=None)
    assert not db.problems and db.query(T2)[0].shape == (6, 5, 4) == read_volume(t2(root))[0].shape


# -- addresses


class Server(SimpleHTTPRequestHandler):
    """Answers 500 to what has ``broken`` in its address."""

    broken = ""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is said."""

    def do_GET(self) -> None:
        """See the class."""
        if Server.broken and Server.broken in self.path:
            self.send_error(500)
        else:
            super().do_GET()

    do_HEAD = do_GET


@pytest.fixture
def address(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Server, "broken", "")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Server, directory=str(root.parent)))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/bids"
    server.shutdown()
    server.server_close()


def test_what_a_server_answered(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cohort = Database(address, index=None).cohort(images={"t2": T2}, qc=None)
    monkeypatch.setattr(Server, "broken", "T2w.nii.gz")
    with pytest.raises(ReadError, match=r"T2w\.nii\.gz: it cannot be read; the server answered: 500"):
        CohortDataset(cohort)[0]
    monkeypatch.setattr(Server, "broken", "participants.tsv")
    assert "the server answered: 500" in problems(Database(address, index=None))
    monkeypatch.setattr(Server, "broken", "/bids")
    with pytest.raises(DatasetError, match="the server answered: 500"):
        Database(address, index=None)


def test_no_name_of_a_listing_leaves_the_folder_of_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIALBIDS_CACHE", str(tmp_path / "cache"))
    files = fsspec.filesystem("memory")
    for name in ("..", "..\\..\\evil", "c:evil", "plain.tsv"):
        files.pipe_file(f"/hostile/{name}", b"content")
        copy = fetch_known(Url(f"memory://hostile/{name}"), "state")
        assert copy.name in ("file", "plain.tsv") and copy.resolve().is_relative_to(tmp_path / "cache" / "files")
    files.rm("/hostile", recursive=True)


def test_predictions_are_among_the_contents(root: Path) -> None:
    write_nifti(root / "derivatives" / "unet-v1" / "sub-01" / "x.nii.gz", voxels((6, 5, 4)), AFFINE)
    write_nifti(root / "derivatives" / "annotations" / "sub-01" / "x.nii.gz", voxels((6, 5, 4)), AFFINE)
    contents = Database(root, index=None).contents()
    assert contents.endswith("derivatives/unet-v1") and "annotations" not in contents
