"""Whatever changes about a file, a parameter, a value or the code: what is read is what is there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.transforms import Compose, ScaleIntensityRanged
from treemaker import AFFINE, TreeMaker, voxels, write_nifti

from trialbids.datasets import Categorical, CohortDataset, Database, Q
from trialbids.datasets.reading import cache as caching
from trialbids.datasets.reading.cache import Cache

SHAPE = (12, 10, 8)
Change = Callable[[Path, np.ndarray], None]


def same_size(path: Path, array: np.ndarray) -> None:
    """Write other voxels into the same number of bytes: stored without compression."""
    import gzip

    plain = nib.Nifti1Image(array, AFFINE).to_bytes()
    path.write_bytes(gzip.compress(plain, 0) if path.suffix == ".gz" else plain)


def restored_time(path: Path, array: np.ndarray) -> None:
    before = path.stat()
    same_size(path, array)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns and path.stat().st_size == before.st_size


def by_rename(path: Path, array: np.ndarray) -> None:
    before = path.stat()
    other = path.with_name(f"other{''.join(path.suffixes)}")
    same_size(other, array)
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)


def touched(path: Path, array: np.ndarray) -> None:
    same_size(path, array)
    path.touch()


CHANGES = (same_size, restored_time, by_rename, touched)


def scaled(top: float = 1000.0) -> Compose:
    return Compose([ScaleIntensityRanged(["t2"], 0, top, 0, 1)])


@pytest.mark.parametrize("extension", [".nii", ".nii.gz"])
@pytest.mark.parametrize("steps", [False, True], ids=["L1", "L2"])
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_other_voxels_are_read(tmp_path: Path, change: Change, steps: bool, extension: str) -> None:
    path = tmp_path / "bids" / "sub-01" / "anat" / f"sub-01_T2w{extension}"
    path.parent.mkdir(parents=True)
    same_size(path, voxels(SHAPE, seed=1))
    cohort = Database(tmp_path / "bids").cohort(images={"t2": Q(suffix="T2w")}, qc=None)
    cache, transform = Cache(tmp_path / "cache"), scaled() if steps else None
    kept = CohortDataset(cohort, transform, cache=cache)
    for seed in (2, 3):
        before = [kept[0]["t2"].as_tensor() for _ in range(2)]
        change(path, voxels(SHAPE, seed=seed))
        after = [CohortDataset(cohort, transform, cache=way)[0]["t2"].as_tensor() for way in (None, cache, cache)]
        assert not torch.equal(before[1], after[0])
        assert all(torch.equal(after[0], other) for other in [*after[1:], kept[0]["t2"].as_tensor()])


@pytest.fixture
def tree(tmp_path: Path) -> TreeMaker:
    made = TreeMaker(tmp_path / "bids")
    for n in (1, 2):
        made.participant(f"{n:02d}", score=n)
        made.mask(made.image(f"{n:02d}", "T2w", {"sequence": "T2w"}, array=voxels(SHAPE, seed=n)))
    made.finish()
    return made


def dataset(root: Path, cache: Cache | None, top: float = 1000.0) -> CohortDataset:
    cohort = Database(root).cohort(
        images={"t2": Q("T2w")}, labels={"lesion": Q(label="lesion")}, targets={"score": Categorical("score")}
    )
    return CohortDataset(cohort, scaled(top), cache=cache)


def test_another_parameter_is_another_result(tmp_path: Path, tree: TreeMaker) -> None:
    cache = Cache(tmp_path / "cache")
    for top in (1000.0, 500.0, 1000.0):
        for _ in range(2):
            assert torch.equal(dataset(tree.root, cache, top)[0]["t2"], dataset(tree.root, None, top)[0]["t2"])


def test_another_value_of_a_target_is_seen_at_once(tmp_path: Path, tree: TreeMaker) -> None:
    cache = Cache(tmp_path / "cache")
    assert [dataset(tree.root, cache)[0]["score"] for _ in range(2)] == [0, 0]
    table = tree.root / "participants.tsv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0], lines[1].replace("\t1", "\t2"), lines[2].replace("\t2", "\t1")]) + "\n")
    files = sorted(cache.folder.rglob("*.blob"))
    assert dataset(tree.root, cache)[0]["score"] == 1
    assert sorted(cache.folder.rglob("*.blob")) == files, "a label is no part of the key"


def test_another_mask_is_read(tmp_path: Path, tree: TreeMaker) -> None:
    cache = Cache(tmp_path / "cache")
    before = dataset(tree.root, cache)[0]["lesion"]
    path = Path(dataset(tree.root, cache).cohort[0]["lesion"])
    write_nifti(path, 1 - np.asarray(nib.load(path).dataobj), nib.load(path).affine)
    after = dataset(tree.root, cache)[0]["lesion"]
    assert torch.equal(after.as_tensor(), 1 - before.as_tensor())


def test_other_code_reads_nothing_of_the_old(tmp_path: Path, tree: TreeMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, sources = Cache(tmp_path / "cache"), tmp_path / "code"
    sources.mkdir()
    monkeypatch.setattr(caching, "_SOURCES", sources)
    counts: list[int] = []
    try:
        for code in ("a = 1", "a = 1", "a = 2"):  # a checkout whose version stays
            (sources / "module.py").write_text(code)
            caching.code_version.cache_clear()
            dataset(tree.root, cache)[0]
            counts.append(len(list(cache.folder.rglob("*.blob"))))
    finally:
        caching.code_version.cache_clear()
    assert counts[0] == counts[1] == counts[2] // 2 > 0


@pytest.mark.parametrize("library", ["torch", "numpy", "monai"])
def test_results_of_another_library_are_not_used(
    tmp_path: Path, tree: TreeMaker, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    cache = Cache(tmp_path / "cache")
    dataset(tree.root, cache)[0]
    before = len(list(cache.folder.rglob("*.blob")))
    monkeypatch.setattr(f"{library}.__version__", "0.0")
    dataset(tree.root, cache)[0]
    assert len(list(cache.folder.rglob("*.blob"))) == 2 * before


def served(root: Path, cache: Cache | None) -> list[tuple[str, str, float]]:
    """Who each sample is, which file it says it is of, and its first voxel."""
    found = []
    for sample in dataset(root, cache):
        image = sample["t2"]
        found.append((sample["participant_id"], image.meta["filename_or_obj"], float(image.max() - image.min())))
    return found


def test_two_files_that_swap_their_names_are_told_apart(tmp_path: Path, tree: TreeMaker) -> None:
    cache = Cache(tmp_path / "cache")
    served(tree.root, cache)
    for part in ("", "derivatives/annotations"):
        one, two = sorted(path for path in (tree.root / part).glob("sub-*/ses-01/anat/*.nii.gz"))
        middle = one.with_name("middle.nii.gz")
        one.rename(middle), two.rename(one), middle.rename(two)
    for _ in range(2):
        assert served(tree.root, cache) == served(tree.root, None)


def test_a_tree_that_moves_keeps_its_results_under_its_new_name(tmp_path: Path, tree: TreeMaker) -> None:
    cache = Cache(tmp_path / "cache")
    served(tree.root, cache)
    before = set(cache.folder.rglob("*.blob"))
    moved = tree.root.rename(tmp_path / "elsewhere")
    assert served(moved, cache) == served(moved, None)
    assert set(cache.folder.rglob("*.blob")) == before and "elsewhere" in served(moved, cache)[0][1]
