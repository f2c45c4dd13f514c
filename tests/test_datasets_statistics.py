"""Statistics of the training part: the right numbers, of the right voxels, and never of anybody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from treemaker import TreeMaker, small_trial, voxels

from trialbids.datasets import (
    Categorical,
    Cohort,
    CohortDataset,
    CohortError,
    Database,
    Q,
    QueryError,
    ReadError,
    Require,
)
from trialbids.datasets.cohorts.targets import MultiLabel
from trialbids.datasets.reading.cache import Cache
from trialbids.datasets.training import moments
from trialbids.datasets.training.moments import Moments
from trialbids.datasets.training.standardise import StandardiseSequencesd
from trialbids.datasets.training.statistics import IntensityStatistics
from trialbids.datasets.training.weights import class_weights, sample_weights


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """T2, ADC (missing in 03) and the five phases of a DCE of five participants, scores 3, 4, 2, 3, 2."""
    return Database(small_trial(tmp_path_factory.mktemp("trial") / "bids")).cohort(
        images={"t2": Q("T2w"), "adc": Q("ADC"), "dce": Q("DCE")},
        labels={"lesion": Q(label="lesion")},
        targets={"score": Categorical("orads_score", classes=(2, 3, 4, 5))},
        missing=Require("t2"),
        grid="same",
        qc="warn",
    )


@pytest.fixture(scope="module")
def train(cohort: Cohort) -> Cohort:
    return cohort.split(k=2, seed=0)[0].train


def stacked(cohort: Cohort, key: str) -> np.ndarray:
    """All voxels of a key, ``[samples, channels, …]``, of who has it."""
    images = [sample[key] for sample in CohortDataset(cohort) if sample["present"][cohort.keys.index(key)]]
    return torch.stack([image.as_tensor() for image in images]).numpy().astype(float)


def test_mean_spread_and_percentiles_are_those_of_all_voxels(train: Cohort) -> None:
    found = IntensityStatistics.fit(train, percentiles=(1, 50, 99))
    assert {key: len(channels) for key, channels in found.channels.items()} == {"t2": 1, "adc": 1, "dce": 5}
    for key, channels in found.channels.items():
        for n, channel in enumerate(channels):
            pooled = stacked(train, key)[:, n].ravel()
            assert (channel.mean, channel.std) == pytest.approx((pooled.mean(), pooled.std()))
            assert (channel.minimum, channel.maximum, channel.voxels) == (pooled.min(), pooled.max(), pooled.size)
            expected = np.quantile(pooled, [0.01, 0.5, 0.99], method="inverted_cdf")
            assert list(channel.percentiles.values()) == expected.tolist()


def test_phases_together_and_voxels_that_count(train: Cohort) -> None:
    (pooled,) = IntensityStatistics.fit(train, ["dce"], per_channel=False).channels["dce"]
    assert (pooled.mean, pooled.voxels) == pytest.approx((stacked(train, "dce").mean(), stacked(train, "dce").size))
    t2, mask = stacked(train, "t2"), stacked(train, "lesion") > 0
    inside = IntensityStatistics.fit(train, ["t2"], within="lesion").channels["t2"][0]
    assert (inside.mean, inside.voxels) == pytest.approx((t2[mask].mean(), mask.sum()))
    bright = IntensityStatistics.fit(train, ["t2"], within="nonzero").channels["t2"][0]
    assert (bright.mean, bright.minimum) == pytest.approx((t2[t2 != 0].mean(), t2[t2 != 0].min()))


def test_the_cache_gives_the_same(train: Cohort, tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    plain = IntensityStatistics.fit(train)
    assert plain == IntensityStatistics.fit(train, cache=cache) == IntensityStatistics.fit(train, cache=cache)
    assert any(cache.folder.rglob("*.blob"))


@given(hnp.arrays(np.float32, st.integers(1, 60), elements=st.floats(-1e4, 1e4, width=32)), st.integers(1, 5))
@settings(max_examples=50, deadline=None)
def test_volume_by_volume_is_all_at_once(values: np.ndarray, pieces: int) -> None:
    running = Moments(pieces)
    for n, piece in enumerate(np.array_split(values, pieces)):
        running.add(piece, str(n))
    found = running.result((0, 25, 100))
    assert found is not None and found.voxels == len(values)
    assert found.mean == pytest.approx(values.mean(dtype=float), abs=1e-2)
    assert found.std == pytest.approx(values.std(dtype=float), rel=1e-3, abs=1e-2)
    expected = np.quantile(values.astype(float), [0, 0.25, 1], method="inverted_cdf")
    assert list(found.percentiles.values()) == expected.tolist()


def test_voxels_that_are_no_numbers_are_counted_apart() -> None:
    running = Moments(2)
    running.add(np.array([1.0, np.nan, 3.0, np.inf], np.float32), "a")
    running.add(np.array([np.nan], np.float32), "b")
    found = running.result((50,))
    assert found is not None and (found.mean, found.voxels, found.not_finite) == (2.0, 2, 3)
    assert Moments(1).result((50,)) is None


def test_of_large_volumes_a_sample_that_stands_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moments, "KEPT_A_SAMPLE", 4000)
    random = np.random.default_rng(0)
    large, small = random.normal(0, 1, 90_000), random.normal(100, 1, 1_000)

    def percentiles() -> dict[float, float]:
        running = Moments(2)
        running.add(large, "a"), running.add(small, "b")
        found = running.result((50, 98.5, 99.5))
        assert found is not None
        return found.percentiles

    assert percentiles() == percentiles()
    assert percentiles()[50] == pytest.approx(0, abs=0.1)
    assert percentiles()[98.5] < 10 < percentiles()[99.5]  # the small volume is 1.1 % of all voxels


# --- only the training part


def test_other_parts_are_refused(cohort: Cohort) -> None:
    split = cohort.split(k=2, test=0.2, seed=0)[0]
    for part in (split.val, split.test):
        assert part is not None
        for fit in (
            lambda part=part: IntensityStatistics.fit(part),
            lambda part=part: class_weights(part, "score"),
            lambda part=part: sample_weights(part, "score", whole=True),
        ):
            with pytest.raises(CohortError, match=r"this is the part 'fold1/(val|test)' of a split; .* training part"):
                fit()
    with pytest.raises(CohortError, match="the cohort has not been split"):
        IntensityStatistics.fit(cohort)
    assert IntensityStatistics.fit(cohort, whole=True).part == ""


def test_statistics_of_another_split_are_refused(cohort: Cohort, train: Cohort, tmp_path: Path) -> None:
    found = IntensityStatistics.fit(train, ["t2"])
    found.save(tmp_path / "intensities.json")
    again = IntensityStatistics.load(tmp_path / "intensities.json")
    assert again == found and again.part == "fold1/train" and again.fingerprint == train.fingerprint
    mine, other = cohort.split(k=2, seed=0)
    again.check(*mine)
    again.check(train[:1], None)
    assert mine.val is not None
    for wrong in (other.train, other.val, mine.val.as_part("fold1/train"), cohort):
        with pytest.raises(CohortError, match=r"fitted on fold1/train; of .* they have (not )?seen \d.*\n  sub-0"):
            again.check(wrong)
    (tmp_path / "intensities.json").write_text("{}")
    with pytest.raises(ReadError, match=r"intensities\.json: no intensity statistics"):
        IntensityStatistics.load(tmp_path / "intensities.json")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"keys": ["t1"]}, r"no images \['t1'\]; the cohort has: t2 adc dce"),
        ({"keys": []}, "no images"),
        ({"within": "brain"}, "legal: nonzero lesion"),
        ({"percentiles": [101]}, "between 0 and 100"),
    ],
)
def test_arguments_that_cannot_be_meant(train: Cohort, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(QueryError, match=words):
        IntensityStatistics.fit(train, **arguments)


def test_images_that_cannot_be_pooled(tmp_path: Path) -> None:
    tree = TreeMaker(tmp_path / "bids")
    for label, phases in (("01", 2), ("02", 3)):
        for phase in range(phases):
            record = {"sequence": "DCE", "plane": "ax", "phase_index": phase + 1, "phase_time_s": 30.0 * phase}
            tree.image(label, f"acq-dceAx_run-{phase + 1:02d}_T1w", record, acquisition_id="a03")
        t2 = tree.image(label, "T2w", {"sequence": "T2w"}, array=np.full((3, 3, 3), 7, np.int16))
        tree.mask(t2, array=np.zeros((3, 3, 3), np.uint8))
    cohort = Database(tree.finish()).cohort(
        images={"dce": Q("DCE"), "t2": Q("T2w")}, labels={"lesion": Q(label="lesion")}
    )
    with pytest.raises(CohortError, match=r"sub-02_ses-01 has 3 channels of dce, others 2; .* per_channel=False"):
        IntensityStatistics.fit(cohort, ["dce"], whole=True)
    assert IntensityStatistics.fit(cohort, ["dce"], per_channel=False, whole=True).channels["dce"][0].voxels == 600
    with pytest.raises(CohortError, match="sub-01_ses-01: lesion lies on another grid than dce"):
        IntensityStatistics.fit(cohort, ["dce"], within="lesion", whole=True)
    with pytest.raises(CohortError, match="t2 has no voxel that counts"):
        IntensityStatistics.fit(cohort, ["t2"], within="lesion", whole=True)
    with pytest.raises(CohortError, match="t2 has one value throughout"):
        IntensityStatistics.fit(cohort, ["t2"], whole=True).transform()


# --- as a transform


def test_the_training_part_has_mean_0_and_spread_1_and_what_is_missing_stays_zero(cohort: Cohort) -> None:
    found = IntensityStatistics.fit(cohort, whole=True)
    samples = list(CohortDataset(cohort, found.transform()))
    for key in cohort.image_keys:
        there = [s[key] for s in samples if s["present"][cohort.keys.index(key)]]
        pooled = torch.stack([image.as_tensor() for image in there])
        assert pooled.dtype == torch.float32
        assert pooled.mean(dim=(0, 2, 3, 4)).abs().max() < 1e-4
        assert (pooled.std(dim=(0, 2, 3, 4), correction=0) - 1).abs().max() < 1e-4
    (missing,) = [s["adc"] for s in samples if not s["present"][1]]
    assert not missing.any() and missing.dtype == torch.float32
    plain = CohortDataset(cohort)[0]["dce"]
    assert torch.equal(samples[0]["dce"].affine, plain.affine) and samples[0]["dce"].stride() == plain.stride()


def test_clipping_comes_first(train: Cohort, tmp_path: Path) -> None:
    found = IntensityStatistics.fit(train, ["dce"], percentiles=(10, 90))
    least, most = (np.array([c.percentiles[p] for c in found.channels["dce"]]).reshape(-1, 1, 1, 1) for p in (10, 90))
    mean, std = (
        np.array([getattr(c, name) for c in found.channels["dce"]]).reshape(-1, 1, 1, 1) for name in ("mean", "std")
    )
    transform = found.transform(clip=(10, 90))
    expected = (np.clip(stacked(train, "dce")[0], least, most) - mean) / std
    first = CohortDataset(train, transform)[0]["dce"]
    assert np.allclose(first.numpy(), expected, atol=1e-5)
    assert torch.equal(first, CohortDataset(train, transform, cache=Cache(tmp_path))[0]["dce"])
    for clip in ((10, 95), (90, 10)):
        with pytest.raises(QueryError, match=r"two of the percentiles fitted, \[10\.0, 90\.0\]"):
            found.transform(clip=clip)
    with pytest.raises(QueryError, match=r"\['t2'\] were not fitted; there are: dce"):
        found.transform(["t2"])


def test_numbers_for_other_channels_are_refused() -> None:
    three = StandardiseSequencesd("dce", mean=[[1.0, 2.0, 3.0]], std=[[1.0, 1.0, 1.0]])
    with pytest.raises(QueryError, match="dce: an image of 2 channels, and statistics of 3"):
        three({"dce": torch.zeros(2, 1, 1, 1)})
    with pytest.raises(QueryError, match="2 keys need as many"):
        StandardiseSequencesd(["t2", "dce"], mean=[[1.0]], std=[[1.0]])


# --- weights


def test_every_class_weighs_the_same(cohort: Cohort) -> None:
    weights = class_weights(cohort, "score", absent="zero", whole=True)
    assert weights.tolist() == pytest.approx([5 / 6, 5 / 6, 5 / 3, 0.0])
    of_samples = sample_weights(cohort, "score", whole=True)
    assert of_samples.tolist() == pytest.approx([5 / 6, 5 / 3, 5 / 6, 5 / 6, 5 / 6]) and of_samples.mean() == 1
    by_site = sample_weights(cohort, "site", whole=True)
    assert by_site.tolist() == pytest.approx([5 / 6] * 3 + [5 / 4] * 2)
    with pytest.raises(CohortError, match="no sample of 'score' is 5, so it has no weight"):
        class_weights(cohort, "score", whole=True)
    with pytest.raises(QueryError, match="'age' has no classes; there are: score"):
        class_weights(cohort, "age", whole=True)
    with pytest.raises(QueryError, match="legal: raise zero"):
        class_weights(cohort, "score", absent="one", whole=True)


def test_labels_and_gaps(tmp_path: Path) -> None:
    tree = TreeMaker(tmp_path / "bids")
    for n, (score, crib, cyst) in enumerate([(1, 1, 0), (1, 0, 0), (2, 0, 1), (None, None, 0)]):
        tree.participant(f"0{n}", score=score, crib=crib, cyst=cyst)
        tree.visit(f"0{n}")
        tree.image(f"0{n}", "T2w", {"sequence": "T2w"}, array=voxels((2, 2, 2)))
    targets = {"score": Categorical("score", gaps="mask"), "found": MultiLabel(("crib", "cyst"), gaps="mask")}
    cohort = Database(tree.finish()).cohort(images={"t2": Q("T2w")}, targets=targets)
    assert class_weights(cohort, "score", whole=True).tolist() == pytest.approx([3 / 4, 3 / 2])
    assert class_weights(cohort, "found", whole=True).tolist() == pytest.approx([2.0, 3.0])
    with pytest.raises(QueryError, match=r"'found' holds .* it has no classes"):
        sample_weights(cohort, "found", whole=True)


def test_a_label_that_every_sample_has_has_no_weight(tmp_path: Path) -> None:
    tree = TreeMaker(tmp_path / "bids")
    for n, (crib, cyst) in enumerate([(1, 1), (1, 0), (None, 1)]):
        tree.participant(f"0{n}", crib=crib, cyst=cyst, node=0)
        tree.image(f"0{n}", "T2w", {"sequence": "T2w"}, array=voxels((2, 2, 2)))
    cohort = Database(tree.finish()).cohort(
        images={"t2": Q("T2w")}, targets={"found": MultiLabel(("crib", "cyst", "node"), gaps="mask")}
    )
    with pytest.raises(CohortError, match="no sample of 'found' is without 'crib' or 'node', so it has no weight"):
        class_weights(cohort, "found", whole=True)
    assert class_weights(cohort, "found", absent="zero", whole=True).tolist() == [0.0, 0.5, 0.0]


def test_statistics_are_shown_as_a_short_table(train: Cohort) -> None:
    intensities = IntensityStatistics.fit(train, ["t2", "dce"])
    first, header, *lines = str(intensities).splitlines()
    assert first == f"{len(intensities.participants)} participants of fold1/train"
    assert header.split() == [
        "key",
        "channel",
        "mean",
        "std",
        "min",
        "0.5",
        "%",
        "50",
        "%",
        "99.5",
        "%",
        "max",
        "voxels",
    ]
    assert [line.split()[0] for line in lines] == ["t2", *["dce"] * 5]
    assert lines[0].split()[1] == f"{intensities.channels['t2'][0].mean:.4g}" and lines[5].split()[1] == "4"
    assert len({len(line) for line in [header, *lines]}) == 1
