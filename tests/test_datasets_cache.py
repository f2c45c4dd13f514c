"""The cache folder: the same values, private to each reader, within its bound, and never a reason to fail."""

from __future__ import annotations

import errno
import os
import pickle
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from treemaker import AFFINE, voxels, write_nifti

from trialbids.datasets.errors import QueryError, ReadError
from trialbids.datasets.reading import blobs
from trialbids.datasets.reading.cache import Cache
from trialbids.datasets.reading.volumes import Piece, read_channels, read_pieces


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "sub-01_T2w.nii.gz"
    write_nifti(path, voxels((20, 18, 16)), AFFINE)
    return path


def only_blob(cache: Cache) -> Path:
    (blob,) = cache.folder.rglob("*.blob")
    return blob


def test_what_is_written_to_a_sample_does_not_reach_the_cache(tmp_path: Path, image: Path) -> None:
    cache = Cache(tmp_path / "cache")
    expected, _ = read_channels([image])
    for _ in range(3):
        array, _ = read_channels([image], cache=cache)
        assert np.array_equal(array, expected) and array.flags.writeable
        array[:] = -1
    assert cache.size() > expected.nbytes


def test_a_map_outlives_its_blob(tmp_path: Path, image: Path) -> None:
    cache = Cache(tmp_path / "cache")
    expected, _ = read_channels([image], cache=cache)
    mapped, _ = read_channels([image], cache=cache)
    only_blob(cache).unlink()
    assert np.array_equal(mapped, expected)
    assert np.array_equal(read_channels([image], cache=cache)[0], expected)


def test_the_second_read_does_not_decode(tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path / "cache")
    expected, header = read_channels([image], cache=cache)
    monkeypatch.setattr("trialbids.datasets.reading.volumes.inflated", lambda data: pytest.fail("decoded again"))
    for reader in (cache, pickle.loads(pickle.dumps(cache)), Cache(cache.folder)):
        array, again = read_channels([image], cache=reader)
        assert np.array_equal(array, expected) and np.array_equal(again.affine, header.affine)
        assert (again.shape, again.dtype, again.zooms) == (header.shape, header.dtype, header.zooms)


def test_copies_with_their_times_share_a_blob(tmp_path: Path, image: Path) -> None:
    cache = Cache(tmp_path / "cache")
    copy = tmp_path / "elsewhere.nii.gz"
    copy.write_bytes(image.read_bytes())
    os.utime(copy, ns=(0, image.stat().st_mtime_ns))
    read_channels([image], cache=cache), read_channels([copy], cache=cache)
    assert only_blob(cache)


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    paths = [tmp_path / f"{n}.nii.gz" for n in range(8)]
    for n, path in enumerate(paths):
        write_nifti(path, voxels((40, 40, 10), seed=n), AFFINE)
    bound = 6 * 33_000
    cache = Cache(tmp_path / "cache", max_bytes=bound)
    for path in paths[:5]:
        read_channels([path], cache=cache)
    kept = {blob.name for blob in cache.folder.rglob("*.blob")}
    for age, blob in enumerate(sorted(cache.folder.rglob("*.blob"))):
        os.utime(blob, (time.time() - 1000 + age, time.time() - 1000 + age))
    assert len(kept) == 5
    read_channels([paths[0]], cache=Cache(cache.folder))  # used again, by another process
    first = max(cache.folder.rglob("*.blob"), key=lambda blob: blob.stat().st_atime).name
    for path in paths[5:]:
        read_channels([path], cache=cache)
    left = {blob.name for blob in cache.folder.rglob("*.blob")}
    assert first in left and len(kept & left) < 5
    assert cache.size() <= bound


def test_what_a_killed_writer_left_is_no_blob_and_goes(tmp_path: Path, image: Path) -> None:
    cache = Cache(tmp_path / "cache", max_bytes="1MB")
    expected, _ = read_channels([image], cache=cache)
    blob = only_blob(cache)
    abandoned = blob.with_name(f".{blob.name}.1.tmp")
    abandoned.write_bytes(blob.read_bytes()[:100])
    os.utime(abandoned, (time.time() - 7200, time.time() - 7200))
    blob.unlink()
    fresh = Cache(cache.folder, max_bytes="1MB")
    assert np.array_equal(read_channels([image], cache=fresh)[0], expected)
    assert not abandoned.exists() and only_blob(cache)


@pytest.mark.parametrize("damage", ["cut", "empty", "end", "words"])
def test_a_damaged_blob_is_made_anew(tmp_path: Path, image: Path, damage: str) -> None:
    cache = Cache(tmp_path / "cache")
    expected, _ = read_channels([image], cache=cache)
    blob = only_blob(cache)
    whole = bytearray(blob.read_bytes())
    if damage == "words":
        whole[-60] ^= 0xFF
    blob.write_bytes({"cut": whole[:-1000], "empty": b"", "end": whole[:-1] + b"?", "words": whole}[damage])
    with pytest.warns(UserWarning, match="made anew"):
        assert np.array_equal(read_channels([image], cache=cache)[0], expected)
    assert np.array_equal(read_channels([image], cache=cache)[0], expected)
    assert cache.verify() == ()


def test_a_blob_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[int] = []  # sizes of what was on the disk, then 0 where a name was given
    sync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda number: done.append(os.fstat(number).st_size) or sync(number))
    monkeypatch.setattr(Path, "replace", lambda path, to: done.append(0) or replace(path, to))
    cache = Cache(tmp_path / "cache")
    read_channels([image], cache=cache)
    assert done == [only_blob(cache).stat().st_size, 0]


def test_verify_finds_a_flipped_voxel(tmp_path: Path, image: Path) -> None:
    cache = Cache(tmp_path / "cache")
    read_channels([image], cache=cache)
    blob = only_blob(cache)
    whole = bytearray(blob.read_bytes())
    whole[700] ^= 1
    blob.write_bytes(whole)
    assert cache.verify() == (blob,) and not blob.exists()


@pytest.mark.parametrize("trouble", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_disk_that_cannot_be_written_is_one_warning(
    tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch, trouble: int
) -> None:
    cache = Cache(tmp_path / "cache")

    def refuse(*_: Any) -> int:
        raise OSError(trouble, os.strerror(trouble))

    monkeypatch.setattr(blobs, "_write", refuse)
    expected, _ = read_channels([image])
    with pytest.warns(UserWarning, match="the cache cannot be written") as caught:
        for _ in range(3):
            assert np.array_equal(read_channels([image], cache=cache)[0], expected)
    assert len(caught) == 1
    assert not [path for path in cache.folder.rglob("*") if path.is_file()]


def test_a_read_only_folder_still_answers(tmp_path: Path, image: Path) -> None:
    cache = Cache(tmp_path / "cache")
    expected, _ = read_channels([image], cache=cache)
    blob = only_blob(cache)
    blob.chmod(0o400), blob.parent.chmod(0o500)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(read_channels([image], cache=Cache(cache.folder))[0], expected)
    blob.parent.chmod(0o700)


def test_a_gzip_file_of_several_members_is_not_kept(tmp_path: Path, image: Path) -> None:
    import gzip

    plain = gzip.decompress(image.read_bytes())
    image.write_bytes(gzip.compress(plain[:400]) + gzip.compress(plain[400:]))
    cache = Cache(tmp_path / "cache")
    for _ in range(2):
        assert np.array_equal(read_channels([image], cache=cache)[0], read_channels([image])[0])
    assert cache.size() == 0


def test_sizes_that_can_be_meant(tmp_path: Path) -> None:
    assert [Cache(tmp_path, size).max_bytes for size in ("50GB", "1.5 MB", 7, "800kb", None)] == [
        50_000_000_000, 1_500_000, 7, 800_000, None,
    ]  # fmt: skip
    for wrong in ("much", "0GB", -1, "GB"):
        with pytest.raises(QueryError, match="is no size"):
            Cache(tmp_path, wrong)
    (tmp_path / "file").write_text("")
    with pytest.raises(QueryError, match="is a file"):
        Cache(tmp_path / "file")


def test_several_files_are_stacked_without_copying(tmp_path: Path) -> None:
    paths = [tmp_path / f"{n}.nii.gz" for n in range(3)]
    for n, path in enumerate(paths):
        write_nifti(path, voxels((40, 30, 10), seed=n), AFFINE)
    cache = Cache(tmp_path / "cache")
    expected, _ = read_channels(paths, cache=cache)
    mapped, _ = read_channels(paths, cache=cache)
    assert np.array_equal(mapped, expected) and mapped.strides[0] % 4096 == 0 and mapped.flags.writeable
    mapped[1] = 0
    assert np.array_equal(read_channels(paths, cache=cache)[0], expected)
    with_gap, _ = read_pieces([Piece(paths[0]), Piece(""), Piece(paths[2])], cache)
    assert np.array_equal(with_gap[[0, 2]], expected[[0, 2]]) and not with_gap[1].any()


def test_volumes_are_chosen_from_one_blob(tmp_path: Path) -> None:
    path = tmp_path / "trace.nii.gz"
    write_nifti(path, voxels((6, 5, 4, 5)), AFFINE)
    cache = Cache(tmp_path / "cache")
    for chosen in (None, [0, 2, 4], [3, 0], [1, 1], [0, 1, 3], [2]):
        for _ in range(2):
            assert np.array_equal(
                read_channels([path], volumes=chosen, cache=cache)[0], read_channels([path], volumes=chosen)[0]
            )
    assert only_blob(cache)
    with pytest.raises(ReadError, match="holds 5 volumes, number 5"):
        read_channels([path], volumes=[5], cache=cache)
