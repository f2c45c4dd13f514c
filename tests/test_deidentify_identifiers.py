"""Known identifiers: every written form is found, what is too short or too common is counted, and nothing is lost."""

from __future__ import annotations

import stat
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inventorymaker import image, item, row
from pydicom.sequence import Sequence

from trialbids.exporter.deidentify.forms import forms_of, words
from trialbids.exporter.deidentify.identifiers import (
    Exempt,
    Identifier,
    Known,
    common_words,
    identifiers_of,
    read_identifiers,
    searcher_for,
    write_identifiers,
)

JOHN = Identifier("patient_name", "Dorrington^Jonathan^Milo")


def kinds(identifier: Identifier, text: str) -> set[str]:
    """The kinds that a search for one identifier finds in a text."""
    return {hit.kind for hit in searcher_for([identifier]).in_text(text)}


@pytest.mark.parametrize(
    "text",
    [
        "DORRINGTON^JONATHAN^MILO",
        "jonathan dorrington",
        "Dorrington, J.",
        "J M Dorrington",
        "sub-DorringtonJonathan",
        "jdorrington",
        "Dr. Dorrington said",
        "jonathan_2",
        "dorrington.jonathan@example.org",
    ],
)
def test_a_name_is_found_in_every_order_and_with_initials(text: str) -> None:
    assert kinds(JOHN, text) == {"patient_name"}


@pytest.mark.parametrize("text", ["dorringtons", "milo", "J. M.", "nathan", ""])
def test_parts_of_words_and_short_given_names_are_not_found(text: str) -> None:
    assert not kinds(JOHN, text)


@pytest.mark.parametrize(
    "written", ["Müller-Groß^Jörg", "MUELLER GROSS, JOERG", "muller gross jorg", "Mu\u0308ller-Groß"]
)
def test_accents_kept_stripped_and_spelt_are_one_name(written: str) -> None:
    assert kinds(Identifier("patient_name", "Müller-Groß^Jörg"), written) == {"patient_name"}


@pytest.mark.parametrize("written", ["Soerensen", "SØRENSEN", "Sorensen"])
def test_letters_that_have_no_accent_to_strip_are_spelt_too(written: str) -> None:
    assert kinds(Identifier("staff_name", "Sørensen^Bo"), written) == {"staff_name"}


def test_a_name_of_three_scripts_is_found_in_each() -> None:
    name = Identifier("patient_name", "Yamada^Tarou=山田^太郎=やまだ^たろう")
    assert all(kinds(name, text) for text in ("Tarou Yamada", "山田太郎", "山田 太郎", "やまだ たろう"))


@pytest.mark.parametrize(
    "text",
    [
        "19500307", "1950-03-07", "07.03.1950", "03/07/1950", "070350", "500307", "7 Mar 1950", "March 7, 1950",
        "7.3.1950", "born1950-03-07", "07MAR1950",
    ],
)  # fmt: skip
def test_a_date_is_found_however_it_is_written(text: str) -> None:
    assert kinds(Identifier("birth_date", "19500307"), text) == {"birth_date"}


@pytest.mark.parametrize("value", ["19501332", "00010101", "19000101", "x", "1950"])
def test_what_is_no_date_or_a_placeholder_is_counted_and_not_searched(value: str) -> None:
    assert searcher_for([Identifier("birth_date", value)]).unsearched == (("birth_date", "too short", 1),)


@pytest.mark.parametrize("text", ["AB-0012345", "ab0012345", "AB 0012345", "0012345", "12345678"][:3])
def test_an_id_is_found_with_other_separators(text: str) -> None:
    assert kinds(Identifier("patient_id", "AB/0012345"), text) == {"patient_id"}


def test_an_id_is_found_by_its_digits_and_without_leading_zeros() -> None:
    number = Identifier("patient_id", "00123456")
    assert all(kinds(number, text) for text in ("00123456", "123456", "id=123456;"))
    assert not kinds(number, "1234567")


def test_telephone_numbers_and_institutions_are_found_in_parts() -> None:
    assert kinds(Identifier("contact", "+31 (24) 361-11 11"), "tel 31243611111")
    place = Identifier("institution", "Zuyderveld Kliniek, Oldenbroek")
    assert kinds(place, "made in Oldenbroek") and kinds(place, "zuyderveldkliniek")


@pytest.mark.parametrize(
    ("identifier", "reason"),
    [
        (Identifier("patient_name", "X"), "too short"),
        (Identifier("patient_id", "123"), "too short"),
        (Identifier("patient_id", "12345"), "too short"),
        (Identifier("patient_name", "Anonymous^Patient"), "too common"),
        (Identifier("staff_name", "Head"), "too common"),
        (Identifier("patient_name", "GADOLINIUM"), "too common"),
    ],
)
def test_what_cannot_be_searched_for_is_counted_by_kind(identifier: Identifier, reason: str) -> None:
    searcher = searcher_for([identifier, JOHN])
    assert searcher.unsearched == ((identifier.kind, reason, 1),)
    assert searcher.in_text("Dorrington")


def test_a_common_surname_is_still_found_beside_its_given_name() -> None:
    head = Identifier("patient_name", "Head^Rosalinde")
    assert kinds(head, "Rosalinde Head") and not kinds(head, "head")


def test_labels_of_the_trial_and_kinds_that_leave_are_no_identifiers() -> None:
    own = Exempt(frozenset(["onco7391"]), frozenset(["device"]))
    searcher = searcher_for([Identifier("patient_id", "ONCO7391"), Identifier("device", "SN4711XY")], exempt=own)
    assert not searcher.in_text("sub-ONCO7391 SN4711XY")
    assert searcher.unsearched == (("patient_id", "too common", 1),)


@settings(max_examples=150, deadline=None)
@given(
    st.text(st.characters(categories=["Lu", "Ll"], max_codepoint=0x24F), min_size=5, max_size=12),
    st.sampled_from(" ^,_-.\n"),
)
def test_law_every_name_of_five_letters_is_found_in_its_own_text(name: str, separator: str) -> None:
    assert (
        kinds(Identifier("patient_name", f"{name}^Qq"), f"x{separator}{name}{separator}y")
        or set(words(name)) <= common_words()
    )


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(categories=["Lu", "Ll"], max_codepoint=0x24F), min_size=5, max_size=12))
def test_law_forms_do_not_depend_on_case_or_composition(name: str) -> None:
    other = unicodedata.normalize("NFD", name)
    assert forms_of("name", f"{name}^Qq").words == forms_of("name", f"{other}^Qq").words


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40), st.sampled_from(["name", "id", "date", "text", "uid"]))
def test_law_no_text_breaks_the_forms_and_none_is_too_short(value: str, form: str) -> None:
    found = forms_of(form, value)
    assert all(len(w.replace(" ", "")) >= 2 for w in found.words)
    assert all(len(w) >= 8 for w in found.literals)


def test_identifiers_of_instances_are_those_of_the_header_and_the_trials_own() -> None:
    request = item(RequestingPhysician="Wolkenstein^Ute", RequestedProcedureID="RP-889911")
    instance = row(image(PatientName="Dorrington^Jonathan", RequestAttributesSequence=Sequence([request])))
    found = identifiers_of([instance, instance], ["TRIAL-0042"])
    assert {("patient_name", "Dorrington^Jonathan"), ("staff_name", "Wolkenstein^Ute"), ("study_id", "RP-889911")} <= {
        (i.kind, i.value) for i in found
    }
    assert Identifier("trial_id", "TRIAL-0042") in found
    assert {i.value for i in found if i.kind == "uid"} == {instance.StudyInstanceUID, instance.SeriesInstanceUID}


def test_identifiers_are_kept_privately_and_outlive_their_source(tmp_path: Path) -> None:
    first = Known({"A": frozenset([JOHN, Identifier("staff_name", "Weiß\t^U")])})
    write_identifiers(tmp_path, first)
    (path,) = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = read_identifiers(tmp_path).merged(Known({"B": frozenset([Identifier("patient_id", "77889900")])}))
    assert JOHN in again.of_subject("A") and len(again.of_subject("B")) == 1
    assert {i.kind for i in again.shared} == {"staff_name"}
    assert "Dorrington" not in repr(JOHN) + repr(again)
