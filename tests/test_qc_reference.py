"""The list of checks: every row of every table is in it, and the page of the documentation says the same."""

from __future__ import annotations

import re
from pathlib import Path

from trialbids.exporter.deidentify.qualitylooks import is_quality_sentence
from trialbids.exporter.qc.codes import MEANING
from trialbids.exporter.qc.reference import UNTABLED, entries
from trialbids.exporter.qc.tables import all_tables, tolerance_units
from trialbids.mappings.protocol import Range

PAGE = Path(__file__).resolve().parents[1] / "docs" / "checks.md"


def test_every_check_of_a_table_is_known_and_every_known_check_has_a_row_or_is_told_apart() -> None:
    tabled = {check.code for table in all_tables() for check in table}
    assert tabled - MEANING.keys() == set()
    assert MEANING.keys() - tabled == set(UNTABLED) - tabled
    assert all(entry.severities and all(entry.levels) for entry in entries())


def test_the_severities_that_a_stage_notices_are_listed_too() -> None:
    """``C09`` is an error of a table, a warning where no id is in the header, an information of a table of aliases."""
    listed = {e.code: e.severities for e in entries()}
    assert (listed["C09"], listed["C04"], listed["D01"]) == ("EWI", "EW", "I")


def test_the_page_lists_every_check_with_its_severities_levels_and_tolerances() -> None:
    rows = re.findall(
        r"^\| ([A-Z]\d\d) \| ([EWI ]+) \| ([a-z, ]+) \| (.+?) \| (.*?) \| ([a-z]+) \|$", PAGE.read_text(), re.M
    )
    listed = {
        code: (word.replace(" ", ""), tuple(levels.split(", ")), what, step)
        for code, word, levels, what, _, step in rows
    }
    assert listed == {e.code: (e.severities, e.levels, e.meaning, e.step) for e in entries()}
    told = {key for row in rows for key in re.findall(r"`([A-Z]\d\d(?::[a-z]+)?)`", row[4])}
    assert told == tolerance_units().keys()


def test_a_tolerance_has_one_meaning() -> None:
    limits: dict[str, set[tuple[float, str]]] = {}
    for entry in entries():
        for key in entry.tolerances:
            limits.setdefault(key, set())
    for table in all_tables():
        for check in table:
            key = check.code if check.code in limits else f"{check.code}:{check.severity}"
            if check.tolerance:
                limits[key].add((check.tolerance, check.unit))
    assert {key: found for key, found in limits.items() if len(found) != 1} == {}


def test_what_a_range_of_a_protocol_says_is_known_to_the_proof() -> None:
    for ends in (Range(min=2.0, max=4.0), Range(max=15.0), Range(min=3.0)):
        said = f"t2-ax: slice thickness is 9 mm; the protocol wants {ends.words()}"
        assert is_quality_sentence(frozenset({"t2-ax"}), said)
        assert not is_quality_sentence(frozenset(), f"{said} of Doe")
