"""The search in bytes and texts: whatever is planted is found, chance in voxels is not taken for a name."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialbids.exporter.deidentify.identifiers import Identifier, searcher_for
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
