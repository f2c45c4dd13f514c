"""The search in bytes and texts: whatever is planted is found, chance in voxels is not taken for a name."""

from __future__ import annotations

import pickle
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialbids.exporter.deidentify.identifiers import Exempt, Identifier, searcher_for
from trialbids.exporter.deidentify.search import Searcher, is_likely

BLOCK = 1 << 20
PEOPLE = searcher_for(
    [
        Identifier("patient_name", "Dorrington^Jonathan"),
        Identifier("patient_name", "Müllerová^Žofie"),
        Identifier("birth_date", "19500307"),
        Identifier("patient_id", "00123456"),
        Identifier("uid", "1.2.840.99.7.1.23"),
    ]
)


def noise(size: int, top: int = 3000) -> bytearray:
    """Voxels of 16 bits without any text."""
    return bytearray(np.random.default_rng(0).integers(0, top, size // 2).astype("<i2").tobytes())


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "text", ["DORRINGTON^JONATHAN", "Jonathan_Dorrington", "1950-03-07", "19500307", "1.2.840.99.7.1.23"]
)
def test_a_form_is_found_in_every_encoding_and_at_every_place(encoding: str, text: str) -> None:
    data = noise(BLOCK + 4000)
    written = text.encode(encoding)
    for place in (0, 1, 2, 3, 1001, BLOCK - 9, BLOCK - 8, BLOCK - 1, BLOCK, BLOCK + 5, len(data) - len(written)):
        planted = bytearray(data)
        planted[place : place + len(written)] = written
        assert place in {hit.offset for hit in PEOPLE.in_bytes(bytes(planted))}, place


@pytest.mark.parametrize("text", ["MÜLLEROVÁ^ŽOFIE", "Müllerová^Žofie", "mullerova zofie"])
def test_letters_with_accents_are_found_in_any_case(text: str) -> None:
    assert PEOPLE.in_bytes(b"\0" * 33 + text.encode() + b"\0" * 7)


@settings(max_examples=150, deadline=None)
@given(
    st.text("abcdefgh12345ABC", min_size=8, max_size=40).filter(lambda t: len(set(t.lower())) > 4),
    st.integers(0, 70),
    st.integers(0, 9),
    st.sampled_from(["utf-8", "utf-16-le", "utf-16-be"]),
)
def test_law_what_is_planted_in_bytes_is_found(text: str, before: int, after: int, encoding: str) -> None:
    searcher = Searcher({}, {}, ((text.lower(), "patient_id"),))
    found = searcher.in_bytes(bytes(before) + text.encode(encoding) + bytes(after))
    assert before in {hit.offset for hit in found}


def test_nothing_is_found_in_voxels_without_text() -> None:
    generator = np.random.default_rng(1)
    low = generator.rayleigh(25, BLOCK).astype("<i2").tobytes()
    eight = np.clip(generator.normal(90, 40, BLOCK), 0, 255).astype("u1").tobytes()
    flat = b"1" * BLOCK
    ramp = bytes(range(256)) * 4096
    for data in (bytes(noise(BLOCK)), low, eight, flat, ramp, bytes(BLOCK)):
        assert not PEOPLE.in_bytes(data)


def test_even_forms_are_left_to_chance_in_bytes_but_found_in_text() -> None:
    even = searcher_for([Identifier("patient_id", "12345678"), Identifier("patient_id", "11111111")])
    assert not even.literals
    assert even.in_text("12345678") and even.in_text("id 11111111")


def test_a_form_that_the_voxels_around_spell_by_chance_is_told_from_a_written_one() -> None:
    likely = np.clip(np.random.default_rng(0).normal(52, 3, 1 << 20), 0, 255).astype("u1")
    assert is_likely("19500307", likely, 1 << 19, 1 << 28)
    quiet = np.frombuffer(bytes(noise(1 << 20)), np.uint8).copy()
    quiet[5000:5008] = np.frombuffer(b"19500307", np.uint8)
    assert not is_likely("19500307", quiet, 5000, 1 << 28)


@pytest.mark.parametrize(
    ("number", "found"), [("19500307", 1), ("19500307.0", 1), ("500307", 0), ("0.500307", 0), ("195003070", 0)]
)
def test_numbers_are_searched_for_long_digits_only(number: str, found: int) -> None:
    assert len(PEOPLE.in_number(number)) == found


def test_a_uid_is_found_exactly() -> None:
    assert PEOPLE.in_text("see 1.2.840.99.7.1.23, please")
    assert not PEOPLE.in_text("1.2.840.99.7.1.234 or 1.2.840.99.7.1.2")


def test_a_searcher_travels_to_workers_and_shows_nothing() -> None:
    again = pickle.loads(pickle.dumps(PEOPLE))
    assert again.in_bytes(b"xx DORRINGTON^JONATHAN yy") == PEOPLE.in_bytes(b"xx DORRINGTON^JONATHAN yy")
    assert "orrington" not in repr(PEOPLE).lower() + repr(PEOPLE.in_text("Dorrington"))
    assert len(pickle.dumps(PEOPLE)) < 64 * 1024


WRITTEN = {
    ("birth_date", "19581019"): [
        "19.10.58", "10/19/58", "58-10-19", "19-OCT-58", "19 Oct 1958", "19. Oktober 1958", "October 19th 1958",
        "October 19, 1958", "19 octobre 1958", "19 de octubre de 1958", "19 ottobre 1958", "19 de outubro de 1958",
        "19 okt. 1958", "1958 Oct 19", "the 19th of October, 1958", "19OCT58", "born19oct1958", "*se1958_1019",
        "1958:10:19", "1958年10月19日", "19. 10. 1958", "1958/10/19T08:00", "19\u00a0Oct\u00a01958",
        "1\u200b9.10.1958", "１９５８-１０-１９", "١٩٥٨-١٠-١٩",
    ],
    ("birth_date", "19610301"): [
        "1er mars 1961", "1. März 1961", "1 MRZ 61", "1 maart 1961", "1 marzo 1961", "1 de marco de 1961", "Mar 1 1961",
        "1-3-61", "3/1/1961", "1.3.1961",
    ],
    ("patient_id", "99841612"): [
        "9984-1612", "9984 1612", "9984_1612", "998/416/12", "9984\u00a01612", "9984\u20111612", "99\u200b841612",
        "id９９８４１６１２",
    ],
    ("patient_id", "BBB88002"): ["BBB-88-002", "bbb 88 002", "bbb_88002", "BBB.88.002", "B\u00adBB88002"],
    ("patient_id", "K01-122560"): ["122560", "K01122560", "k 01 122560", "t1_122560", "122-560"],
    ("patient_name", "Thackermoor^Winifred"): [
        "Thacker-moor", "THACKER MOOR", "thackermoor_winifred", "Thacker_Moor", "T\u200bhackermoor",
        "Thacker\u00admoor",
        "Thacker\u00a0Moor", "Ｔｈａｃｋｅｒｍｏｏｒ", "Tha\u0301ckermo\u0308or", "WinifredThackerMoor",
    ],
    ("patient_name", "Thacker-Moor^Anna Maria"): [
        "Thackermoor", "thacker moor", "thackermoor_annamaria", "annamaria thackermoor",
    ],
    ("patient_name", "O'Callaghan^Síle"): ["OCallaghan", "O Callaghan", "o\u2019callaghan", "O-CALLAGHAN"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "value", "text"), [(kind, value, text) for (kind, value), texts in WRITTEN.items() for text in texts]
)
def test_whatever_way_it_is_written_it_is_found(kind: str, value: str, text: str) -> None:
    searcher = searcher_for([Identifier(kind, value)])
    assert {hit.kind for hit in searcher.in_text(f"note: {text}, seen") + searcher.in_text(text)} == {kind}
    assert {hit.kind for hit in searcher_for([], shared=searcher).in_text(text)} == {kind}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("read_as", ["utf-8", "latin-1"])
def test_text_in_utf_16_is_found_when_it_is_read_as_something_else(encoding: str, read_as: str) -> None:
    searcher = searcher_for([Identifier("patient_name", "Thackermoor^Winifred"), Identifier("birth_date", "19581019")])
    for written in ("Thackermoor is here", "on 19 Oct 1958"):
        assert searcher.in_text(written.encode(encoding).decode(read_as, "replace"))


MANY = searcher_for(
    [
        *(Identifier(kind, value) for kind, value in WRITTEN),
        *(Identifier("patient_id", value) for value in ("100", "25", "SUB001", "SES02", "420019", "256256", "1234567")),
        *(Identifier("patient_name", value) for value in ("100", "25", "Stark^Li", "Axel^Bo", "Cortse^Ann")),
        *(Identifier("date", value) for value in ("20190314", "20181030", "20200105", "20151225")),
    ]
)


@pytest.mark.parametrize(
    "text",
    [
        '"EchoTime": 0.101, "RepetitionTime": 4200, "PixelBandwidth": 100', "4200", "42.0019",
        "sub-001/ses-02/anat/sub-001_ses-02_run-01_T2w.nii.gz", "sub-A7K2", "ses-01", "run-25", "run-100",
        "t2_tse_tra_p2_25", "ep2d_diff_b50_400_800", "*tse2d1_25", "*epfid2d1_100", "t2 star k-space", "ax el bow",
        "cor tse an", "COR T2 TSE 3MM", "DWI b 50 400 1000", "1919-10-05T10:19:58", "1918-03-14", "1925-12-25",
        "1901-01-05", "19:10:58", "10:19:58.25", "12\t34\t567", "123\t4567", "256 256", "19 10 58", "19\t10\t58",
        "19, 10, 58", "v1.5.20", "1.2.840.9984.1612.3", "9984.1612", "2.25.19.10.58", "1 Oct 1958", "19 Nov 1958",
        "19 Oct 1959", "30.10.19", "14 march 3 may", "3T 14 mar", "in March 2019", "1958", "thackermoors",
        "12 may 345678", "99841613", "9984-16123", "119.10.58", "1.19.10.58", "19.10.581", "19.10/58",
    ],
)  # fmt: skip
def test_what_only_looks_alike_raises_no_alarm(text: str) -> None:
    assert not MANY.in_text(text)


def test_a_form_that_a_person_exempts_is_exempt_however_it_is_parted() -> None:
    known = [Identifier("patient_id", "BBB88002"), Identifier("birth_date", "19581019")]
    hits = searcher_for(known).in_text("BBB-88-002 on 19 Oct 58")
    assert len(hits) == 2
    again = searcher_for(known, Exempt(forms=frozenset(hit.form for hit in hits)))
    assert not again.in_text("BBB 88002, 19.10.58")


def test_a_megabyte_of_a_table_is_read_in_a_second() -> None:
    letters = np.random.default_rng(5).integers(97, 123, (500_000, 14)).astype("u1")
    forms = {bytes(row[:7]).decode() + " " * (at % 2) + bytes(row[7:]).decode(): "k" for at, row in enumerate(letters)}
    searcher = Searcher(forms, {}, ())
    line = "sub-{0:06d}\t{0}\tF\t0.{0}\t1921-0{1}-14\tT2w axial, no motion\n"
    table = "".join(line.format(n, n % 9 + 1) for n in range(19_000))
    started = time.process_time()
    assert len(table) > 1_000_000 and not searcher.in_text(table)
    assert time.process_time() - started < 3, "a second where nothing else runs"
