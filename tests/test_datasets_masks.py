"""A mask holds 0 and 1 in one volume; anything else is refused before a model learns from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from treemaker import TreeMaker

from trialbids.datasets import CohortDataset, CohortError, Database, LoadSequencesd, Q, ReadError
from trialbids.datasets.reading.cache import Cache

SHAPE = (6, 5, 4)


def dataset_of(root: Path, mask: np.ndarray, cache: Cache | None = None) -> CohortDataset:
    tree = TreeMaker(root)
    tree.mask(tree.image("01", "T2w", {"sequence": "T2w"}), array=mask)
    cohort = Database(tree.finish(), index=None).cohort(images={"t2": Q("T2w")}, labels={"lesion": Q(label="lesion")})
    return CohortDataset(cohort, cache=cache)


@pytest.mark.parametrize(
    ("value", "dtype", "said"),
    [
        (7, np.uint8, "7"),
        (3, np.int16, "3"),
        (0.5, np.float32, "0.5"),
        (-1, np.int16, "-1"),
        (np.nan, np.float32, "nan"),
    ],
)
@pytest.mark.parametrize("kept", [False, True])
def test_other_values_are_refused(tmp_path: Path, value: float, dtype: type, said: str, kept: bool) -> None:
    mask = np.zeros(SHAPE, dtype)
    mask[1], mask[2, 2, 2] = 1, value
    dataset = dataset_of(tmp_path / "bids", mask, Cache(tmp_path / "cache") if kept else None)
    for _ in range(2):
        with pytest.raises(ReadError, match=rf"sub-01 ses-01: lesion: .*_mask\.nii\.gz: .* this one {said} as well"):
            dataset[0]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
@pytest.mark.parametrize("value", [0, 1])
def test_zeros_and_ones_are_served(tmp_path: Path, dtype: type, value: int) -> None:
    served = dataset_of(tmp_path / "bids", np.full(SHAPE, value, dtype))[0]["lesion"]
    assert (served == value).all() and served.shape == (1, *SHAPE)


def test_a_label_map_that_was_kept_is_no_mask_under_another_name(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "bids", np.full(SHAPE, 3, np.uint8))
    mask = Path(dataset.cohort[0]["lesion"])
    copy = tmp_path / "lesion_dseg.nii.gz"
    mask.rename(copy)
    mask.hardlink_to(copy)
    load = LoadSequencesd("lesion", cache=Cache(tmp_path / "cache"))
    assert (load({"lesion": str(copy)})["lesion"] == 3).all()
    with pytest.raises(ReadError, match="holds 0 and 1"):
        load({"lesion": str(mask)})


def test_several_volumes_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match=r"sub-01 ses-01: lesion: .*_mask\.nii\.gz: a mask is one volume, .* holds 2"):
        dataset_of(tmp_path / "bids", np.zeros((*SHAPE, 2), np.uint8))
