"""The index is never stale: whatever happens to a file, a tree that is opened again says what the files say now."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from treemaker import AFFINE, TreeMaker, voxels, write_json, write_nifti, write_tsv

from trialbids.datasets import Database, DatasetError, Q
from trialbids.datasets.files.trees import LocalTree, Stamp
from trialbids.datasets.index.subject import SubjectReader

LABELS = ("01", "02", "03")
T2 = "sub-01/ses-01/anat/sub-01_ses-01_T2w.nii.gz"


def make(root: Path) -> Path:
    """Three participants with a T2, whose voxels take any content in the same number of bytes, and a mask."""
    tree = TreeMaker(root)
    for label in LABELS:
        tree.participant(label, site="S01", age=40)
        tree.visit(label, score=1)
        path = tree.image(
            label, "T2w", {"sequence": "T2w"}, sidecar={"Units": "a", "StudyInstanceUID": f"2.25.{label}"}
        )
        path.write_bytes(image_bytes((6, 5, 4)))
        tree.mask(path)
    tree.finish()
    settle()
    return root


def image_bytes(shape: tuple[int, ...]) -> bytes:
    """An image of 120 voxels, packed without compression, so that every shape takes as many bytes."""
    return gzip.compress(nib.Nifti1Image(np.zeros(shape, np.int16), AFFINE).to_bytes(), 0)


def settle() -> None:
    """Wait until no file is younger than the tick of the clock."""
    time.sleep(0.06)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make(tmp_path / "bids")


@pytest.fixture
def surveyed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The participants that are read, not only listed."""
    read: list[str] = []
    real = SubjectReader.read

    def spy(reader: SubjectReader, subject: str, seen: object) -> object:
        read.append(f"{reader.shared.scope} {subject}")
        return real(reader, subject, seen)  # type: ignore[arg-type]

    monkeypatch.setattr(SubjectReader, "read", spy)
    return read


def test_nothing_is_read_again_where_nothing_changed(root: Path, surveyed: list[str]) -> None:
    first = Database(root)
    assert len(surveyed) == 6
    again = Database(root)
    assert len(surveyed) == 6
    assert again.images == first.images and again.annotations == first.annotations and again.sessions == first.sessions
    assert not again.refresh()
    assert len(surveyed) == 6


def test_only_the_participant_that_changed_is_read_again(root: Path, surveyed: list[str]) -> None:
    Database(root)
    surveyed.clear()
    write_json(root / T2.replace(".nii.gz", ".json"), {"Units": "b"})
    db = Database(root)
    assert surveyed == ["raw sub-01"]
    assert [image.units for image in db.images] == ["b", "a", "a"]


def rewritten(path: Path) -> None:
    path.write_bytes(image_bytes((5, 6, 4)))


def with_the_time_of_before(path: Path) -> None:
    stat = path.stat()
    rewritten(path)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def replaced_by_rename(path: Path) -> None:
    stat = path.stat()
    other = path.with_name("other")
    rewritten(other)
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    other.replace(path)


@pytest.mark.parametrize("change", [rewritten, with_the_time_of_before, replaced_by_rename])
@pytest.mark.parametrize("reopened", [True, False])
def test_an_image_of_the_same_size_is_seen_to_change(
    root: Path, change: Callable[[Path], None], reopened: bool
) -> None:
    db = Database(root)
    assert db.images[0].shape == (6, 5, 4) and db.images[0].voxels_sha256
    change(root / T2)
    if reopened:
        db = Database(root)
    else:
        assert db.refresh().changed == (T2,)
    assert db.images[0].shape == (5, 6, 4)
    assert not db.images[0].voxels_sha256  # the manifest speaks of the voxels of before
    assert db.images[1].voxels_sha256


def test_without_an_index_a_file_with_the_time_of_before_is_still_read(root: Path) -> None:
    """Size and time are those the manifest fits; that something happened only the time of the status tells."""
    settle()
    with_the_time_of_before(root / T2)
    first, second, _ = Database(root, index=None).images
    assert first.shape == (5, 6, 4) and not first.voxels_sha256
    assert second.voxels_sha256


def test_of_a_copy_the_manifest_tells_no_more_than_the_headers_do(root: Path) -> None:
    settle()
    copy = shutil.copytree(root, root.parent / "copy")
    assert Database(copy, index=None).images == Database(root, index=None).images
    with_the_time_of_before(copy / T2)
    first, second, _ = Database(copy, index=None).images
    assert first.shape == (5, 6, 4) and not first.voxels_sha256
    assert second.voxels_sha256


def test_links_and_rights_change_no_image(root: Path, tmp_path: Path) -> None:
    db = Database(root)
    before = db.images
    os.link(root / T2, tmp_path / "link.nii.gz")
    assert not db.refresh()
    (root / T2).chmod(0o600)
    assert not db.refresh()
    assert db.images == before and before[0].voxels_sha256


def test_what_is_written_at_once_after_opening_is_seen(root: Path) -> None:
    """Within the tick of the clock two states of a file look the same, so that a young file is read again."""
    sidecar = root / T2.replace(".nii.gz", ".json")
    for units in "bcdefgh":
        sidecar.write_text(json.dumps({"Units": units}))
        assert Database(root).images[0].units == units


def test_added_and_removed_are_told(root: Path) -> None:
    db = Database(root)
    (root / T2).unlink()
    write_nifti(root / "sub-02" / "ses-02" / "anat" / "sub-02_ses-02_T1w.nii.gz", voxels((4, 4, 3)), AFFINE)
    shutil.rmtree(root / "sub-03")
    changes = db.refresh()
    assert changes.added == ("sub-02/ses-02/anat/sub-02_ses-02_T1w.nii.gz",)
    assert set(changes.removed) == {T2, "sub-03/ses-01/anat/sub-03_ses-01_T2w.nii.gz"}
    assert "1 images added, 0 changed, 2 removed" in str(changes)
    assert ("sub-02", "ses-02") in db.sessions and ("sub-03", "ses-01") not in db.sessions
    assert Database(root, index=None).images == db.images == Database(root).images


def test_a_sidecar_at_the_root_changes_all_below_it(root: Path) -> None:
    db = Database(root)
    for label in LABELS:
        (root / T2.replace("01", label, 1).replace("sub-01_", f"sub-{label}_").replace(".nii.gz", ".json")).unlink()
    write_json(root / "T2w.json", {"Units": "inherited"})
    db.refresh()
    assert {image.units for image in db.images} == {"inherited"}
    settle()
    db.refresh()
    write_json(root / "T2w.json", {"Units": "heritable"})
    assert len(db.refresh().changed) == 3
    assert {image.units for image in Database(root).images} == {"heritable"}
    (root / "T2w.json").unlink()
    assert {image.units for image in Database(root).images} == {""}


def test_a_sidecar_of_a_participant_or_session_is_inherited(root: Path) -> None:
    db = Database(root)
    write_json(root / "sub-02" / "sub-02_T2w.json", {"ADCScale": 1.0})
    write_json(root / "sub-02" / "ses-01" / "sub-02_ses-01_T2w.json", {"ADCScale": 2.0})
    assert db.refresh().changed == ("sub-02/ses-01/anat/sub-02_ses-01_T2w.nii.gz",)
    assert [image.adc_scale for image in db.images] == [None, 2.0, None]
    assert db.metadata(db.images[1])["ADCScale"] == 2.0 and "ADCScale" not in db.sidecar(db.images[1])


def test_b_values_are_inherited_from_the_nearest_file(root: Path) -> None:
    for label in ("01", "02"):
        folder = root / f"sub-{label}" / "ses-01" / "dwi"
        write_nifti(folder / f"sub-{label}_ses-01_dir-AP_dwi.nii.gz", voxels((4, 4, 3, 2)), AFFINE)
    (root / "dwi.bval").write_text("0 500\n")
    (root / "dir-PA_dwi.bval").write_text("0 1\n")
    settle()
    db = Database(root)
    assert [image.record.bvalues for image in db.query(Q(suffix="dwi"))] == [(0, 500), (0, 500)]
    (root / "sub-02" / "sub-02_dwi.bval").write_text("0 600\n")
    db.refresh()
    assert [image.record.bvalues for image in db.query(Q(suffix="dwi"))] == [(0, 500), (0, 600)]
    (root / "dwi.bval").write_text("0 700\n")
    beside = root / "sub-02" / "ses-01" / "dwi" / "sub-02_ses-01_dir-AP_dwi.bval"
    beside.write_text("0 800\n")
    db.refresh()
    assert [image.record.bvalues for image in db.query(Q(suffix="dwi"))] == [(0, 700), (0, 800)]
    beside.write_text("none\n")
    (problem,) = Database(root).problems
    assert problem.path.endswith("dwi.nii.gz") and "_dwi.bval cannot be read" in problem.reason


def test_tables_are_those_of_now(root: Path) -> None:
    db = Database(root)
    write_tsv(root / "participants.tsv", [{"participant_id": f"sub-{n}", "site": "S02", "age": 50} for n in LABELS])
    write_tsv(root / "sub-01" / "sub-01_sessions.tsv", [{"session_id": "ses-01", "score": 7}])
    (root / "phenotype").mkdir()
    write_tsv(root / "phenotype" / "labs.tsv", [{"participant_id": "sub-01", "psa": 4.5}])
    scans = root / "sub-01" / "ses-01" / "sub-01_ses-01_scans.tsv"
    scans.write_text(scans.read_text().replace("pass", "warn"))
    changes = db.refresh()
    assert changes.tables == ("participants", "sessions", "labs") and changes.changed == (T2,)
    for each in (db, Database(root)):
        assert {image.site for image in each.images} == {"S02"} and each.images[0].qc == "warn"
        assert each.participants["sub-03"]["age"] == 50 and each.sessions["sub-01", "ses-01"]["score"] == 7
        assert [table.name for table in each.phenotype] == ["labs"]


def test_a_new_manifest_is_believed_again(root: Path) -> None:
    Database(root)
    rewritten(root / T2)
    table = pq.read_table(root / "curation" / "manifest.parquet").to_pylist()
    table[0] |= {"shape": [5, 6, 4], "voxels_sha256": "new"}
    pq.write_table(pa.Table.from_pylist(table), root / "curation" / "manifest.parquet")
    image = Database(root).images[0]
    assert (image.shape, image.voxels_sha256) == ((5, 6, 4), "new")


def test_quality_is_that_of_now(root: Path) -> None:
    db = Database(root)
    said = {"checks": [], "metrics": {"snr": 3.0}}
    write_json(root / T2.replace(".nii.gz", "_qc.json"), said)
    db.refresh()
    assert db.quality[T2].metrics == {"snr": 3.0}


def test_a_session_that_vanishes_while_it_is_listed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = LocalTree.listing

    def listing(tree: LocalTree, folder: str) -> object:
        if folder == "sub-02/ses-01/anat" and (root / folder).exists():
            shutil.rmtree(root / "sub-02" / "ses-01")
        return real(tree, folder)

    monkeypatch.setattr(LocalTree, "listing", listing)
    db = Database(root)
    assert [image.participant_id for image in db.images] == ["sub-01", "sub-03"]
    assert ("sub-02", "ses-01") not in db.sessions and not db.problems


def test_a_tree_that_is_written_meanwhile_gives_one_state_or_says_so(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = LocalTree.read
    times: list[int] = []

    def read(tree: LocalTree, path: str, *state: Stamp) -> bytes:
        content = real(tree, path, *state)
        if path.endswith("_scans.tsv") and "sub-02" in path and len(times) < limit:
            times.append(1)
            write_json(root / "sub-02" / "ses-01" / "anat" / "sub-02_ses-01_T2w.json", {"Units": f"state {len(times)}"})
        return content

    monkeypatch.setattr(LocalTree, "read", read)
    limit = 1
    db = Database(root, index=None)
    assert db.images[1].units == "state 1" and not db.problems
    limit = 99
    db = Database(root, index=None)
    (problem,) = db.problems
    assert problem.path == "sub-02" and "changed while it was read" in problem.reason
    limit = 0
    db.refresh()
    assert not db.problems


def test_a_tree_that_is_gone_is_a_sentence(root: Path) -> None:
    db = Database(root)
    root.rename(root.with_name("old"))
    with pytest.raises(DatasetError, match="cannot be listed"):
        db.refresh()


def test_a_table_that_is_no_text_is_listed(root: Path) -> None:
    (root / "participants.tsv").write_bytes(b"participant_id\tsite\n\xff\xfe\x00\tS01\n")
    (root / "sub-01" / "sub-01_sessions.tsv").write_bytes(b"session_id\n\xff\n")
    db = Database(root)
    assert {problem.path for problem in db.problems} == {"participants.tsv", "sub-01/sub-01_sessions.tsv"}
    assert len(db.images) == 3 and {problem.path for problem in Database(root).problems} == {
        "participants.tsv", "sub-01/sub-01_sessions.tsv",
    }  # fmt: skip


def test_study_zooms_and_scanner_are_known(root: Path) -> None:
    write_json(
        root / T2.replace(".nii.gz", ".json"),
        {"StudyInstanceUID": "2.25.1", "Manufacturer": "M", "MagneticFieldStrength": 3, "SeriesNumber": 4},
    )
    image, other, _ = Database(root).images
    assert image.study == "2.25.1" and image.sidecar_fields == {"Manufacturer": "M", "MagneticFieldStrength": 3}
    assert np.allclose(image.zooms, np.linalg.norm(AFFINE[:3, :3], axis=0))
    assert other.record is image.record or other.record != image.record
    assert Database(root).query(Q("T2w"))[1].record.sequence == "T2w"
