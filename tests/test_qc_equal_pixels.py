"""Equal pixels under other names, in two patients, in two splits."""

from __future__ import annotations

import time

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from pixelmaker import body, codes, pixels_of

from trialbids.exporter.qc.pixels.digests import slice_digests
from trialbids.exporter.qc.pixels.equal import Sliced, equal_pixels, split_people


def sliced(stack_id: str, subject: str = "01", slices=range(20), grid: str = "g") -> Sliced:
    """An image whose slices are told by numbers."""
    return Sliced(stack_id, subject, "01", tuple(f"{n:016x}" for n in slices), grid)


def test_equal_slices_have_equal_digests_and_others_others():
    voxels, other = body(), body()
    other[5, 5, 3] += 3
    a, b, c = (slice_digests(pixels_of(v)) for v in (voxels, voxels.copy(), other))
    assert a == b
    assert len(set(a)) == 14
    assert [n for n in range(14) if a[n] != c[n]] == [3]
    assert all(len(digest) == 16 for digest in a)


def test_constant_slices_have_no_digest():
    voxels = body()
    voxels[:, :, 3] = 0
    assert len(slice_digests(pixels_of(voxels))) == 13


def test_every_volume_is_digested():
    assert len(slice_digests(pixels_of(np.stack([body(0), body(1)], axis=3)))) == 28


def test_copies_are_one_finding_whatever_their_number():
    images = [sliced(name) for name in "abcd"] + [sliced("e", slices=range(50, 70))]
    (finding,) = equal_pixels(images)
    assert (finding.check, finding.stacks) == ("D02", ("a", "b", "c", "d"))


def test_the_same_pixels_elsewhere_or_nearly_the_same_were_sent_again():
    moved = equal_pixels([sliced("a"), sliced("b", grid="elsewhere")])
    assert codes(moved) == ["D03w"]
    assert codes(equal_pixels([sliced("a"), sliced("b", slices=[*range(19), 99])])) == ["D03w"]
    assert codes(equal_pixels([sliced("a"), sliced("b", slices=[*range(18), 98, 99])])) == []


def test_two_patients_with_the_same_pixels():
    images = [sliced("a", "01"), sliced("b", "02"), sliced("c", "02", range(5, 25))]
    (finding,) = equal_pixels(images)
    assert (finding.check, finding.severity, finding.stacks) == ("C03", "warning", ("a", "b", "c"))
    assert "01" not in finding.message
    found = equal_pixels(images, {"01": "train", "02": "test"})
    assert codes(found) == ["C03w", "S02e"]
    assert codes(equal_pixels(images, {"01": "train", "02": "train"})) == ["C03w"]


def test_a_patient_in_two_splits():
    splits = [("01", "train"), ("02", "test"), ("03", "test"), ("04", "train")]
    assert split_people(splits) == ()
    (finding,) = split_people(splits, {"01": "p", "02": "p"})
    assert (finding.check, finding.severity, finding.subject) == ("S01", "error", "p")
    assert codes(split_people([("01", "train"), ("01", "test")])) == ["S01e"]


@given(st.permutations("abcdef"))
def test_findings_do_not_depend_on_the_order(names):
    parts = {
        "a": range(20),
        "b": range(20),
        "c": range(1, 21),
        "d": range(30, 50),
        "e": range(30, 50),
        "f": range(60, 80),
    }
    images = [sliced(name, "02" if name == "e" else "01", parts[name]) for name in names]
    found = {(f.check, f.stacks) for f in equal_pixels(images)}
    assert found == {("D02", ("a", "b")), ("D03", ("a", "c")), ("D03", ("b", "c")), ("C03", ("d", "e"))}


def test_time_grows_with_the_slices_alone():
    images = [sliced(f"s{n}", f"{n // 10}", range(40 * n, 40 * n + 40)) for n in range(5000)]
    same = [sliced(f"c{n}", "copies", range(-40, 0)) for n in range(500)]
    start = time.process_time()
    found = equal_pixels([*images, *same])
    assert time.process_time() - start < 5
    assert codes(found) == ["D02w"]
