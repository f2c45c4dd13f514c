"""What a cohort is: the same wherever the tree lies, another one after any change; and small on its way to a worker."""

from __future__ import annotations

import multiprocessing
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from treemaker import small_trial, write_nifti

from trialbids.datasets import Categorical, Cohort, Database, Q, ReadError
from trialbids.datasets.cohorts.columnar import Columnar
from trialbids.datasets.cohorts.common import Common
from trialbids.datasets.cohorts.content import Content


def cohort_of(root: Path, plane: str = "sag") -> Cohort:
    return Database(root).cohort(
        images={"t2": Q("T2w", plane=plane)},
        labels={"lesion": Q(label="lesion")},
        targets={"orads": Categorical("orads_score")},
        missing="drop",
    )


@pytest.fixture(scope="module", params=[True, False], ids=["manifest", "foreign"])
def trial(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_trial(tmp_path_factory.mktemp("print") / "bids", manifest=request.param)


def voxel(root: Path, pattern: str) -> None:
    """Change one voxel of the first file that matches."""
    path = next(iter(sorted(root.glob(pattern))))
    image = nib.load(path)
    array = np.asanyarray(image.dataobj).copy()
    array[0, 0, 0] += 1
    write_nifti(path, array, image.affine)


def score(root: Path) -> None:
    path = root / "sub-01/sub-01_sessions.tsv"
    path.write_text(path.read_text().replace("\t3", "\t4"))


CHANGES: dict[str, Callable[[Path], None]] = {
    "a voxel": lambda root: voxel(root, "sub-01/ses-01/anat/*T2w.nii.gz"),
    "a label": lambda root: voxel(root, "derivatives/annotations/sub-01/ses-01/anat/*.nii.gz"),
    "a target": score,
}


@pytest.mark.parametrize("change", CHANGES)
def test_any_change_is_another_cohort(trial: Path, tmp_path: Path, change: str) -> None:
    keep_times = (trial / "curation").is_dir()  # else the index does not believe the manifest
    copy = shutil.copytree(trial, tmp_path / "elsewhere", copy_function=shutil.copy2 if keep_times else shutil.copy)
    before, moved = cohort_of(trial), cohort_of(copy)
    assert moved == before and hash(moved) == hash(before) and len({moved, before}) == 1
    CHANGES[change](copy)
    assert cohort_of(copy) != before


def test_other_queries_and_parts_are_other_cohorts(trial: Path) -> None:
    cohort = cohort_of(trial)
    assert cohort_of(trial, plane=("sag", "ax")) != cohort  # type: ignore[arg-type]
    assert cohort[:2] != cohort and cohort[:2] == cohort[[0, 1]] and cohort[[1, 0]] != cohort[[0, 1]]
    assert cohort != list(cohort)


def test_a_file_is_looked_at_once(trial: Path, tmp_path: Path) -> None:
    root = shutil.copytree(trial, tmp_path / "bids")
    cohort = cohort_of(root)
    assert cohort.fingerprint
    shutil.rmtree(root)
    part = pickle.loads(pickle.dumps(cohort))
    assert part.fingerprint == cohort.fingerprint and cohort[:1].fingerprint != cohort.fingerprint
    with pytest.raises(ReadError, match="open the tree again"):
        Content(root, {}).words(cohort.files)


def test_identities_and_studies_are_those_of_its_own_files(trial: Path) -> None:
    cohort = cohort_of(trial)
    assert set(cohort[:1].identities) <= set(cohort[:1].files) and len(cohort[:1].files) == 2
    if (trial / "curation").is_dir():
        assert [len(sha) for sha in cohort.identities.values()] == [64] * len(cohort)


def large(samples: int) -> Cohort:
    """As a trial gives it: T2, ADC, a T1 and a mask; hashes and keyed UIDs as random as they are."""
    random = np.random.default_rng(0)
    names = [f"sub-{n:05d}/ses-01/anat/sub-{n:05d}_ses-01" for n in range(samples)]
    tails = {"t2": "acq-tseSag_T2w", "adc": "ADC", "t1": "acq-vibeAx_T1w", "lesion": "label-lesion_desc-R1_mask"}
    paths = {key: tuple(f"{name}_{tail}.nii.gz" for name in names) for key, tail in tails.items()}
    columns = {
        "sample_id": tuple(f"sub-{n:05d}_ses-01" for n in range(samples)),
        "participant_id": tuple(f"sub-{n:05d}" for n in range(samples)),
        "session_id": ("ses-01",) * samples,
        "site": tuple(f"S{n % 20:02d}" for n in range(samples)),
        **paths,
        **{f"{key}.factor": (1.0,) * samples for key in paths},
    }
    files = [path for column in paths.values() for path in column]
    common = Common(
        root=Path("/data/bids"),
        image_keys=("t2", "adc", "t1"),
        label_keys=("lesion",),
        sha256={path: random.bytes(32).hex() for path in files},
        studies={path: f"2.25.{10**37 + int(path[4:9])}" for path in files},
    )
    facts = Columnar({"age": tuple(map(int, random.integers(20, 90, samples)))}, samples)
    return Cohort(common, Columnar(columns, samples), facts)


def test_a_thousand_samples_weigh_less_than_300_kilobytes() -> None:
    cohort = large(1000)
    data = pickle.dumps(cohort)
    assert len(data) < 300_000
    again = pickle.loads(data)
    assert list(again) == list(cohort) and again.identities == cohort.identities and again.studies == cohort.studies
    assert again.column("age") == cohort.column("age") and again.keys == cohort.keys
    assert len(pickle.dumps(cohort[:10])) < 5_000  # a part takes only its own along


def test_a_cohort_reaches_a_spawned_worker_whole() -> None:
    cohort = large(3)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(list, [cohort]) == [list(cohort)]
