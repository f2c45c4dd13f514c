"""LIDC-IDRI: the XML of up to four readers, their outlines and their points."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from collectionmaker import SCORES, border, lidc_xml, nodule, non_nodule, roi, write
from hypothesis import given
from hypothesis import strategies as st

from trialbids.exporter.annotations.collections.interior import interior
from trialbids.exporter.annotations.collections.lidc import read_lidc
from trialbids.exporter.errors import UsageError

BIG = nodule("Nodule 001", roi("1.1", -5.0, border(2, 2, 6, 6)), scores=SCORES)
SMALL = nodule("7", roi("1.2", -2.5, [(9, 4)]))


def test_readers_are_apart_and_their_marks_keep_their_kind(tmp_path: Path) -> None:
    file = write(tmp_path / "069.xml", lidc_xml("9.1", "9.0", [BIG, SMALL, non_nodule("3", "1.3", 0, 5, 8)], [SMALL]))
    scan = read_lidc(file)
    first, second = scan.readings
    assert (scan.series_uid, scan.study_uid, first.reader, second.reader) == ("9.1", "9.0", 1, 2)
    (large,) = first.nodules
    assert large.number == 1 and dict(large.characteristics) == SCORES
    assert large.outlines[0].sop_uid == "1.1" and large.outlines[0].z == -5.0 and large.outlines[0].added
    small, other = first.spots
    assert (small.label, small.number, small.sop_uid, small.point) == ("nodule", 2, "1.2", (9, 4))
    assert (other.label, other.number, other.sop_uid, other.point) == ("nonnodule", None, "1.3", (5, 8))
    assert second.nodules == () and [spot.number for spot in second.spots] == [1]
    assert scan.refused == ()


def test_an_outline_without_characteristics_is_still_a_nodule(tmp_path: Path) -> None:
    """TCIA's errata name such marks: the outline says where the nodule is, nothing says what it is like."""
    outlined = nodule("1", roi("1.1", 0, border(1, 1, 4, 4)), scores={})
    scan = read_lidc(write(tmp_path / "a.xml", lidc_xml("9.1", "9.0", [outlined])))
    assert dict(scan.readings[0].nodules[0].characteristics) == {}


@pytest.mark.parametrize(
    ("mark", "words"),
    [
        (nodule("1"), "nodule 1: has no outline"),
        (nodule("1", roi("1.1", 0, [(1, 1)], inclusion="MAYBE")), "adds or takes away"),
        (nodule("1", roi("", 0, [(1, 1)])), "on which image"),
        (nodule("1", roi("1.1", "high", [(1, 1)])), "imageZposition"),
        (nodule("1", roi("1.1", 0, [("1.5", 1)])), "no whole number"),
        (nodule("1", roi("1.1", 0, [(-3, 1), (2, 2)])), "on no image"),
        (nodule("1", roi("1.1", 0, [(3, 1), (99999999, 2)])), "on no image"),
        (nodule("1", roi("1.1", 0, [])), "without a point"),
        (nodule("1", roi("1.1", 0, border(1, 1, 4, 4)), scores=SCORES | {"malignancy": 9}), "malignancy is no whole"),
    ],
)
def test_a_mark_that_cannot_be_used_is_named_and_the_others_stay(tmp_path: Path, mark: str, words: str) -> None:
    scan = read_lidc(write(tmp_path / "a.xml", lidc_xml("9.1", "9.0", [mark, SMALL])))
    (sentence,) = scan.refused
    assert words in sentence and sentence.startswith("reading 1, nodule 1")
    assert [spot.number for spot in scan.readings[0].spots] == [2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not xml at all", "no XML"),
        ("<LidcReadMessage", "no XML"),
        ('<IdriReadMessage xmlns="http://www.nih.gov/idri"/>', "chest radiograph"),
        ("<plan/>", "is a plan"),
        (lidc_xml("", "9.0", [BIG]), "names no CT series"),
    ],
)
def test_a_file_that_is_no_reading_of_a_ct_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_lidc(write(tmp_path / "a.xml", text))


def test_an_entity_that_grows_does_not_fill_the_memory(tmp_path: Path) -> None:
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE a [<!ENTITY e0 "{"a" * 50}">{levels}]><LidcReadMessage>&e11;</LidcReadMessage>'
    with pytest.raises(UsageError, match="no XML"):
        read_lidc(write(tmp_path / "a.xml", bomb))


@pytest.mark.parametrize(
    "declared",
    [
        '<!DOCTYPE LidcReadMessage [<!ENTITY x "9.1">]>',
        '<!DOCTYPE LidcReadMessage [<!ENTITY x SYSTEM "secret.txt">]>',
        '<!DOCTYPE LidcReadMessage SYSTEM "secret.txt">',
        '<!DOCTYPE LidcReadMessage [<!ENTITY % x SYSTEM "secret.txt"> %x;]>',
    ],
)
def test_a_file_with_a_document_type_is_refused(tmp_path: Path, declared: str) -> None:
    (tmp_path / "secret.txt").write_text("9.1")
    with pytest.raises(UsageError, match="DOCTYPE"):
        read_lidc(write(tmp_path / "a.xml", declared + lidc_xml("9.1", "9.0", [BIG]).partition("?>")[2]))


def test_a_file_that_is_huge_or_none_is_refused_at_once(tmp_path: Path) -> None:
    with (tmp_path / "a.xml").open("wb") as huge:
        huge.truncate(2**33)
    with pytest.raises(UsageError, match="larger than 64 MB"):
        read_lidc(tmp_path / "a.xml")
    os.mkfifo(tmp_path / "b.xml")
    with pytest.raises(UsageError, match="is no file"):
        read_lidc(tmp_path / "b.xml")


@given(*(st.integers(0, 8) for _ in range(4)))
def test_inside_of_a_border_is_what_it_surrounds(left: int, top: int, width: int, height: int) -> None:
    inside = interior(border(left, top, left + width + 1, top + height + 1), (20, 20))
    expected = np.zeros((20, 20), bool)
    expected[top + 1 : top + height + 1, left + 1 : left + width + 1] = True
    assert (inside == expected).all()


@given(st.lists(st.tuples(st.integers(-3, 12), st.integers(-3, 12)), min_size=1, max_size=9), st.integers(0, 8))
def test_inside_depends_on_neither_where_a_line_begins_nor_its_direction(
    points: list[tuple[int, int]], start: int
) -> None:
    inside = interior(points, (10, 10))
    turned = points[start % len(points) :] + points[: start % len(points)]
    assert (interior(turned, (10, 10)) == inside).all()
    assert (interior(points[::-1], (10, 10)) == inside).all()
    assert not any(inside[y, x] for x, y in points if 0 <= x < 10 and 0 <= y < 10)
