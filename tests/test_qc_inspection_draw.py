"""The draw: in proportion, at least one of each, the same for the same seed, and nothing judged comes again."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from trialbids.exporter.qc.inspection.draw import allocate, choose, left_to_draw, per_stratum, strata_of
from trialbids.exporter.qc.inspection.population import Released
from trialbids.mappings.record import Record

AFFINE = (1.0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1)
SIZES = st.dictionaries(st.integers(0, 30), st.integers(1, 500), min_size=1, max_size=20)


def released(number: int, site: str = "S01", sequence: str = "T2w", **changes: object) -> Released:
    """An image of a tree, told from others by its number."""
    words = Record(sequence=sequence).to_row()
    path = f"sub-{number:03d}/ses-01/anat/sub-{number:03d}_ses-01_{sequence}.nii.gz"
    given = {"path": path, "affine": AFFINE, "voxels_sha256": f"{number:064x}", "words": words, **changes}
    return Released(site=site, acquisition_id="a01", datatype="anat", qc_verdict="pass", **given)  # pyright: ignore[reportArgumentType]


TREE = [released(n, site=f"S{n % 3}", sequence="ADC" if n % 5 == 0 else "T2w") for n in range(200)]


@given(SIZES, st.integers(0, 3000))
def test_the_sum_is_what_was_asked_for_and_no_stratum_gives_more_than_it_has(sizes: dict[int, int], n: int) -> None:
    given_ = allocate(sizes, n)
    assert sum(given_.values()) == min(n, sum(sizes.values()))
    assert all(0 <= given_[key] <= size for key, size in sizes.items())
    if n >= len(sizes):
        assert min(given_.values()) >= 1


@given(SIZES, st.integers(1, 3000))
def test_where_none_is_forced_every_stratum_has_its_share(sizes: dict[int, int], n: int) -> None:
    total = sum(sizes.values())
    n = min(n, total)
    shares = {key: n * size / total for key, size in sizes.items()}
    if min(shares.values()) >= 1:
        assert all(abs(count - shares[key]) < 1 for key, count in allocate(sizes, n).items())


def test_the_same_number_of_each_stratum() -> None:
    assert per_stratum({"a": 90, "b": 2}, 3) == {"a": 3, "b": 2}


def test_the_same_seed_and_tree_give_the_same_sample_in_any_order_of_the_files() -> None:
    strata = strata_of(TREE)
    counts = allocate({key: len(images) for key, images in strata.items()}, 40)
    shuffled = random.Random(3).sample(TREE, len(TREE))
    once = [image.path for image in choose(strata, counts, 7)]
    assert [image.path for image in choose(strata_of(shuffled), counts, 7)] == once
    assert [image.path for image in choose(strata, counts, 8)] != once
    assert len(set(once)) == 40


def test_a_larger_sample_holds_the_smaller_one() -> None:
    strata = {("S0", "T2w"): TREE}
    small, large = ({i.path for i in choose(strata, {("S0", "T2w"): n}, 1)} for n in (20, 50))
    assert small < large


def test_every_image_has_the_same_chance() -> None:
    strata, key = {("S0", "T2w"): TREE[:20]}, ("S0", "T2w")
    hits = dict.fromkeys((image.path for image in TREE[:20]), 0)
    for seed in range(600):
        for image in choose(strata, {key: 5}, seed):
            hits[image.path] += 1
    chi = sum((count - 150) ** 2 / 150 for count in hits.values())
    assert chi < 45  # 19 degrees of freedom, p = 0.0007; the seeds are fixed


def test_whatever_of_an_image_is_judged_changes_its_state_and_nothing_else_does() -> None:
    image = released(1)
    moved = (*AFFINE[:3], 5.0, *AFFINE[4:])
    others = [
        released(1, voxels_sha256="f" * 64),
        released(1, affine=moved),
        released(1, words=Record(sequence="T2w", plane="sag").to_row()),
    ]
    assert len({i.state for i in (image, *others)}) == 4
    assert released(1, words=Record(sequence="T2w", confidence=0.5).to_row()).state == image.state
    assert left_to_draw([image, *others], {image.state}) == others
