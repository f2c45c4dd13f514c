"""A blob that is not what its name says is made anew: that of another image, one written by hand, a pipe."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from isal import isal_zlib
from monai.transforms import ScaleIntensityd
from treemaker import AFFINE, TreeMaker, voxels, write_nifti

from trialbids.datasets import CohortDataset, Database, Q, QueryError
from trialbids.datasets.reading.blobs import _END, MAGIC
from trialbids.datasets.reading.cache import Cache
from trialbids.datasets.reading.volumes import read_channels

Words = dict[str, Any]


def forge(path: Path, change: Callable[[Words], Any]) -> None:
    """Change the description of a blob, with a checksum that is right."""
    data = path.read_bytes()
    length, _, _ = _END.unpack(data[-_END.size :])
    words = change(json.loads(data[-_END.size - length : -_END.size]))
    text = words if isinstance(words, bytes) else json.dumps(words).encode()
    path.write_bytes(data[: -_END.size - length] + text + _END.pack(len(text), isal_zlib.crc32(text), MAGIC))


def place(**changes: Any) -> Callable[[Words], Words]:
    def change(words: Words) -> Words:
        for name, value in changes.items():
            words["places"][0][("offset", "dtype", "shape").index(name)] = value
        return words

    return change


CHANGES: list[Callable[[Words], Any]] = [
    lambda words: b"{{{", lambda words: {}, lambda words: [1], lambda words: b"[" * 100_000,
    lambda words: words | {"places": []}, lambda words: words | {"body": {}}, lambda words: words | {"name": 5},
    place(dtype="zz"), place(dtype="|O"), place(dtype="<f2"), place(offset=-4096), place(offset="x"),
    place(shape=[-1, 4, 5, 6]), place(shape=[1, 4, 5, 3]), place(shape=None),
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_description_by_another_hand_is_made_anew(tmp_path: Path, change: Callable[[Words], Any]) -> None:
    image, cache = tmp_path / "sub-01_T2w.nii.gz", Cache(tmp_path / "cache")
    write_nifti(image, voxels((6, 5, 4)), AFFINE)
    expected, _ = read_channels([image], cache=cache)
    (blob,) = cache.folder.rglob("*.blob")
    forge(blob, change)
    with pytest.warns(UserWarning, match="it is made anew"):
        found, _ = read_channels([image], cache=cache)
    assert np.array_equal(found, expected) and found.dtype == expected.dtype
    assert np.array_equal(read_channels([image], cache=cache)[0], expected)


def test_the_blob_of_another_image_is_not_served(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    images = [tmp_path / f"{n}.nii.gz" for n in range(2)]
    for n, image in enumerate(images):
        write_nifti(image, voxels((6, 5, 4), seed=n), AFFINE)
    expected = [read_channels([image], cache=cache)[0].copy() for image in images]
    blobs = sorted(cache.folder.rglob("*.blob"))
    first, second = (blob.read_bytes() for blob in blobs)
    blobs[0].write_bytes(second), blobs[1].write_bytes(first)
    with pytest.warns(UserWarning, match="it is the blob"):
        found = [read_channels([image], cache=cache)[0] for image in images]
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
    assert cache.verify() == ()


def test_a_pipe_is_no_blob(tmp_path: Path) -> None:
    image, cache = tmp_path / "sub-01_T2w.nii.gz", Cache(tmp_path / "cache")
    write_nifti(image, voxels((6, 5, 4)), AFFINE)
    expected, _ = read_channels([image], cache=cache)
    (blob,) = cache.folder.rglob("*.blob")
    blob.unlink()
    os.mkfifo(blob)
    with pytest.warns(UserWarning, match="no plain file"):
        assert np.array_equal(read_channels([image], cache=cache)[0], expected)
    assert blob.is_file()


@pytest.mark.parametrize("body", [["dict", 1], ["tensor", "torch.int16", 7, [0]], ["owner", 99], ["x"], ["name", {}]])
def test_a_sample_by_another_hand_is_made_anew(tmp_path: Path, body: Any) -> None:
    tree = TreeMaker(tmp_path / "bids")
    tree.image("01", "T2w", {"sequence": "T2w"})
    cohort = Database(tree.finish(), index=None).cohort(images={"t2": Q("T2w")})
    cache = Cache(tmp_path / "cache")
    dataset = CohortDataset(cohort, [ScaleIntensityd("t2")], cache=cache)
    expected = dataset[0]["t2"]
    (blob,) = cache.folder.rglob("*.blob")
    forge(blob, lambda words: words | {"body": body})
    with pytest.warns(UserWarning, match="it is made anew"):
        assert dataset[0]["t2"].equal(expected)


@pytest.mark.parametrize("where", ["", "cache", "derivatives/model/cache"])
def test_no_cache_in_a_tree(tmp_path: Path, where: str) -> None:
    (tmp_path / "dataset_description.json").write_text("{}")
    with pytest.raises(QueryError, match="lies inside the BIDS tree"):
        Cache(tmp_path / where)
