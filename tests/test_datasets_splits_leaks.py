"""The leak guard: participants, groups, voxels, studies and aliases."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from people import cohort_of, image
from treemaker import TreeMaker, small_trial, voxels, write_nifti

from trialbids.datasets import Cohort, Database, Q
from trialbids.datasets.errors import LeakError, SplitError

SAME = "ab" * 32


def rows(n: int = 12) -> list[dict[str, Any]]:
    return [{"person": f"{i:02d}"} for i in range(1, n + 1)]


def apart(cohort: Cohort) -> tuple[str, str]:
    """Two participants whom three folds leave out one after the other."""
    splits = cohort.split(k=3)
    first, second = (min(split.val.column("participant_id")) for split in splits[:2] if split.val)
    return first[4:], second[4:]


def test_the_same_image_under_two_names() -> None:
    one, other = apart(cohort_of(rows()))
    same = cohort_of(rows(), sha256={image(one): SAME, image(other): SAME})
    with pytest.raises(LeakError) as error:
        same.split(k=3)
    message = str(error.value)
    assert f"sub-{one} is val, sub-{other} is train in fold1" in message or f"sub-{other} is train" in message
    assert image(one) in message and image(other) in message and "aliases=" in message
    joined = same.split(k=3, aliases={f"sub-{other}": f"sub-{one}"})
    assert all(words[f"sub-{one}"] == words[f"sub-{other}"] for words in joined.words.values())


def test_the_same_image_twice_in_one_participant_is_no_leak() -> None:
    twice = [*rows(), {"person": "01", "session": "02"}]
    cohort = cohort_of(twice, sha256={image("01"): SAME, image("01", "02"): SAME})
    assert len(cohort.split(k=3)) == 3


def test_images_of_one_study_in_two_parts() -> None:
    one, other = sorted(apart(cohort_of(rows())))
    cohort = cohort_of(rows(), studies={image(one): "2.25.1", image(other): "2.25.1"})
    with pytest.raises(LeakError, match=f"the same study in {image(one)} and {image(other)}"):
        cohort.split(k=3)


def test_a_group_that_was_not_declared_when_the_parts_were_made() -> None:
    one, other = apart(cohort_of(rows()))
    given = [{**row, "family": "F1" if row["person"] in (one, other) else None} for row in rows()]
    splits = cohort_of(given).split(k=3)
    with pytest.raises(LeakError, match="stand in different parts of the earlier split"):
        cohort_of(given).split(groups="family", previous=splits)


def test_aliases_from_a_table(tmp_path: Path) -> None:
    table = tmp_path / "aliases.csv"
    table.write_text("\ufeffid;is\r\nsub-03;sub-07\r\nsub-11;sub-03\r\n", encoding="utf-8")
    splits = cohort_of(rows()).split(k=3, test=0.25, aliases=table)
    assert all(len({words[f"sub-{n}"] for n in ("03", "07", "11")}) == 1 for words in splits.words.values())
    table.write_text("id\tis\nsub-03\tsub-07\nsub-03\tsub-08\n")
    with pytest.raises(SplitError, match="sub-03 is said to be sub-07 and sub-08"):
        cohort_of(rows()).split(k=3, aliases=table)
    table.write_text("id\tis\nsub-03\tn/a\nsub-04\tn/a\n")
    with pytest.raises(SplitError, match="a row has no id or no is"):
        cohort_of(rows()).split(k=3, aliases=table)
    table.write_text("id\tof\nsub-03\tsub-07\n")
    with pytest.raises(SplitError, match="has no column 'is'"):
        cohort_of(rows()).split(k=3, aliases=table)


@pytest.mark.parametrize("empty", [None, "", float("nan"), np.float32("nan"), pd.NA, pd.NaT])
@pytest.mark.parametrize("column", [dict, lambda given: pd.Series(given, dtype=object)])
def test_who_is_in_no_group_is_tied_to_nobody(empty: Any, column: Any) -> None:
    given = {f"sub-{row['person']}": empty for row in rows()} | {"sub-03": "F1", "sub-07": "F1"}
    plain = cohort_of(rows()).split(k=6, groups={"sub-03": "F1", "sub-07": "F1"})
    assert cohort_of(rows()).split(k=6, groups=column(given)).words == plain.words
    same = cohort_of(rows()).split(k=6, aliases={"sub-03": "sub-07"})
    people = {f"sub-{row['person']}": empty for row in rows()} | {"sub-03": "sub-07"}
    assert cohort_of(rows()).split(k=6, aliases=column(people)).words == same.words


def test_of_many_leaks_the_first_are_named_and_all_are_counted() -> None:
    given = rows(40)
    cohort = cohort_of(given, sha256={image(f"{i:02d}"): f"{i % 20:064x}" for i in range(1, 41)})
    with pytest.raises(LeakError, match=r"(?s)^1\d leaks between the parts.*… and \d more$"):
        cohort.split(k=5)


@pytest.fixture
def tree(tmp_path: Path) -> TreeMaker:
    """Eight participants; 02 and 07 have the same voxels, all have the same empty mask."""
    maker = TreeMaker(tmp_path / "bids")
    for n in range(1, 9):
        array = voxels((4, 4, 3), seed=2 if n in (2, 7) else 10 + n)
        path = maker.image(f"{n:02d}", "T2w", {"sequence": "T2w"}, array=array)
        maker.mask(path, array=voxels((4, 4, 3)) * 0)
    return maker


def lesion_cohort(root: Path) -> Cohort:
    return Database(root).cohort(
        images={"t2": Q("T2w")}, labels={"lesion": Q(label="lesion", scope="annotations")}, qc=None
    )


def test_voxels_of_a_released_tree_are_known_and_equal_masks_are_none_of_its_business(tree: TreeMaker) -> None:
    cohort = lesion_cohort(tree.finish())
    with pytest.raises(LeakError, match="1 leaks") as error:
        cohort.split(k=8)
    assert "sub-02" in str(error.value) and "sub-07" in str(error.value)


def test_without_a_manifest_copies_of_a_file_are_found(tree: TreeMaker) -> None:
    root = tree.finish(manifest=False)
    cohort = lesion_cohort(root)
    copied = sorted(root.rglob("sub-07*_T2w.nii.gz"))[0]
    with copied.open("rb") as file:
        content = gzip.decompress(file.read())
    copied.write_bytes(gzip.compress(content, 1))  # another file of the same content
    with pytest.raises(LeakError, match=r"sub-02_ses-01_T2w.nii.gz and sub-07/ses-01/anat/sub-07_ses-01_T2w.nii.gz"):
        cohort.split(k=8)
    splits = lesion_cohort(root).split(k=2, aliases={"sub-02": "sub-07"})
    splits.check(content=True)


def test_copies_of_an_uncompressed_file_are_found(tree: TreeMaker) -> None:
    root = tree.finish(manifest=False)
    for path in sorted(root.rglob("*_T2w.nii.gz")):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    first, other = (next(root.rglob(f"{who}*_T2w.nii")) for who in ("sub-02", "sub-07"))
    other.write_bytes(first.read_bytes())
    with pytest.raises(LeakError, match=r"sub-02_ses-01_T2w.nii and sub-07/ses-01/anat/sub-07_ses-01_T2w.nii"):
        Database(root).cohort(images={"t2": Q("T2w")}, qc=None).split(k=8)


def test_without_a_manifest_the_split_says_what_was_not_compared(tree: TreeMaker) -> None:
    root = tree.finish(manifest=False)
    moved = sorted(root.rglob("sub-07*_T2w.nii.gz"))[0]
    write_nifti(moved, voxels((4, 4, 3), seed=2), np.diag([1.0, 1, 3, 1]))
    splits = Database(root).cohort(images={"t2": Q("T2w")}, qc=None).split(k=8)
    assert splits.notes[0].startswith("8 of 8 images have no hash of their voxels in the tree, and were not compared")
    assert "check(content=True)" in str(splits.report())
    with pytest.raises(LeakError, match=r"sub-02_ses-01_T2w.nii.gz and sub-07/ses-01/anat/sub-07_ses-01_T2w.nii.gz"):
        splits.check(content=True)


def test_a_tree_with_a_manifest_has_nothing_to_note(tmp_path: Path) -> None:
    assert Database(small_trial(tmp_path)).cohort(images={"t2": Q("T2w")}, qc=None).split(k=2).notes == ()
