"""A tree behind an address: the same images, values and refreshes as of a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from treemaker import AFFINE, small_trial, voxels, write_nifti

from trialbids.datasets import Database, DatasetError, Q, ReadError
from trialbids.datasets.files.nifti import read_volume
from trialbids.datasets.files.places import Url, fetch, place_of


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_trial(tmp_path_factory.mktemp("remote") / "bids")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRIALBIDS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def url(trial: Path, cache: Path) -> Iterator[str]:
    files = fsspec.filesystem("memory")
    files.put(str(trial), "/bucket/bids", recursive=True)
    yield "memory://bucket/bids"
    files.rm("/bucket", recursive=True)


def test_it_is_the_same_tree(trial: Path, url: str) -> None:
    near, far = Database(trial, index=None), Database(url)
    assert far.images == near.images and far.annotations == near.annotations and len(far.images) == 47
    assert far.sessions == near.sessions and far.participants == near.participants and not far.problems
    assert far.sidecar(far.images[0]) == near.sidecar(near.images[0]) != {}
    assert far.quality == near.quality


def test_a_tree_without_a_manifest_is_read_by_its_headers(trial: Path, url: str) -> None:
    fsspec.filesystem("memory").rm("/bucket/bids/curation/manifest.parquet")
    far = Database(url, index=None)
    assert [image.shape for image in far.images] == [image.shape for image in Database(trial, index=None).images]
    assert {image.voxels_sha256 for image in far.images} == {""}


def test_an_index_is_kept_and_refreshed(url: str, cache: Path, tmp_path: Path) -> None:
    db = Database(url)
    (kept,) = (cache / "indexes").iterdir()
    written = kept.stat().st_mtime_ns
    assert Database(url).images == db.images and not db.refresh()
    assert kept.stat().st_mtime_ns == written
    write_nifti(tmp_path / "new.nii.gz", voxels((5, 6, 4)), AFFINE)
    t2 = db.query(Q("T2w"))[0].path
    fsspec.filesystem("memory").put(str(tmp_path / "new.nii.gz"), f"/bucket/bids/{t2}")
    assert db.refresh().changed == (t2,)
    assert db.query(Q("T2w"))[0].shape == (5, 6, 4) == Database(url).query(Q("T2w"))[0].shape


def test_images_are_fetched_once_and_again_when_they_change(url: str, cache: Path, tmp_path: Path) -> None:
    db = Database(url)
    address = db.locate(db.query(Q("T2w"))[0].path)
    assert address.startswith("memory://bucket/bids/sub-01/")
    first = fetch(address)
    assert first.is_relative_to(cache) and fetch(address) == first
    assert read_volume(first)[0].shape == (6, 5, 4)
    write_nifti(tmp_path / "new.nii.gz", voxels((5, 6, 4)), AFFINE)
    fsspec.filesystem("memory").put(str(tmp_path / "new.nii.gz"), address)
    assert read_volume(fetch(address))[0].shape == (5, 6, 4)
    assert not list(cache.rglob("*.part"))


def test_a_cohort_names_addresses(url: str) -> None:
    cohort = Database(url).cohort(images={"t2": Q("T2w")}, qc=None)
    assert all(sample["t2"].startswith(url) and fetch(sample["t2"]).is_file() for sample in cohort)


def test_plain_paths_stay_as_they_are(trial: Path, tmp_path: Path) -> None:
    assert fetch(tmp_path / "a") == tmp_path / "a" and fetch("a/b") == Path("a/b")
    assert fetch(f"file://{tmp_path}/a%20b") == tmp_path / "a b"
    assert Database(f"file://{trial}", index=None).root == trial
    assert place_of("s3://bucket/bids/") / "sub-01" == Url("s3://bucket/bids/sub-01")
    through = Database(f"local://{trial}", index=None)
    assert len(through.images) == 47 and isinstance(through.root, Url)


def test_what_is_not_there_is_a_sentence(cache: Path) -> None:
    with pytest.raises(DatasetError, match="nothing/here"):
        Database("memory://nothing/here")
    with pytest.raises(ReadError, match="no such file"):
        fetch("memory://nothing/here.nii.gz")
    with pytest.raises(DatasetError, match="fsspec cannot open"):
        Database("nosuchprotocol://bucket/bids")
    with pytest.raises(DatasetError, match="pybids reads folders"):
        fsspec.filesystem("memory").pipe("/few/sub-01/anat/sub-01_T1w.nii.gz", b"")
        Database("memory://few").layout()
