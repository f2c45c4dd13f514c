"""PS3.15 Table E.1-1 as data: complete, consistent with the dictionary, and read as the standard says."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.datadict import dictionary_has_tag, dictionary_keyword, dictionary_VR

from trialbids.mappings.confidentiality import BASIC_ACTIONS, OPTIONS, row_of, settled, table
from trialbids.mappings.iods import iods

DATE_VRS = {"DA", "TM", "DT"}


def test_the_table_has_every_row_of_the_edition():
    assert len(table()) == 656
    assert [row.pattern for row in table() if row.tag is None] == ["50XXXXXX", "60XX3000", "60XX4000", "ODDXXXXX"]


def test_keywords_and_vrs_are_those_of_the_dictionary():
    known = [row for row in table() if row.tag is not None and dictionary_has_tag(row.tag)]
    assert len(known) > 600
    wrong = [
        row.pattern
        for row in known
        if (row.keyword, row.vr) != (dictionary_keyword(row.tag or 0), dictionary_VR(row.tag or 0))
    ]
    assert wrong == []


def test_full_and_modified_dates_differ_on_as_many_rows_as_in_the_standard():
    both = [row for row in table() if "full_dates" in row.options]
    assert len(both) == 169
    assert {(row.options["full_dates"], row.options["modified_dates"]) for row in both} == {("K", "C")}
    dates = {row.pattern for row in table() if row.vr in DATE_VRS}
    assert dates - {row.pattern for row in both} == {"00100030", "00100032"}  # the birth date is kept by no option


@pytest.mark.parametrize(
    ("tag", "options", "action"),
    [
        (0x00100010, (), "Z"),
        (0x00100020, (), "Z/D"),
        (0x00101010, (), "X"),
        (0x00101010, ("patient",), "K"),
        (0x00080022, (), "X/Z"),
        (0x00080022, ("modified_dates",), "C"),
        (0x00080022, ("modified_dates", "full_dates"), "K"),
        (0x00080018, (), "U"),
        (0x00181000, ("device",), "K"),
        (0x0008103E, ("descriptors",), "C"),
        (0x00081140, (), "X/Z/U*"),
        (0x00100043, (), "X"),
    ],
)
def test_the_action_of_a_tag(tag: int, options: tuple[str, ...], action: str):
    row = row_of(tag)
    assert row is not None
    assert row.action(options) == action


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        (0x50020010, "Curve Data"),
        (0x60003000, "Overlay Data"),
        (0x60FE4000, "Overlay Comments"),
        (0x00090010, "Private Attributes"),
        (0x7FE11001, "Private Attributes"),
    ],
)
def test_rows_that_name_a_family_of_tags(tag: int, name: str):
    row = row_of(tag)
    assert row is not None
    assert row.name == name


def test_a_tag_that_the_table_does_not_name_has_no_row():
    assert row_of(0x00280010) is None
    assert row_of(0x60003001) is None


@given(st.sampled_from(sorted(BASIC_ACTIONS)), st.sampled_from(("1", "1C", "2", "2C", "3")))
def test_a_combined_action_is_settled_to_one_of_its_parts(action: str, kind: str):
    one = settled(action, kind)
    assert one in action.split("/")
    assert kind[0] == "3" or one != "X" or action == "X"  # what the IOD requires is never removed by a combined action


def test_no_option_is_weaker_than_the_basic_profile():
    for row, names in product(table(), [tuple(OPTIONS), *((name,) for name in OPTIONS)]):
        assert row.action(names) in ("K", "C", row.basic)


def test_every_attribute_that_the_table_would_remove_passes_only_in_a_form_that_replaces_it():
    """The allow-list against the table: an X, Z, D or U attribute is never taken over as free text."""
    replaced = {
        *("age", "agent", "before", "bodypart", "date", "datetime", "empty", "field", "harmonised", "label", "short"),
        *("time", "uid", "weight"),
    }
    kept = {
        a.keyword: a.form for tag, a in iods().attributes.items() if row_of(tag) is not None and a.form not in replaced
    }
    assert kept == {}
