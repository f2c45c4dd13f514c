"""A column that names somebody stays back, whatever type the trial gives it; its values never stand in a list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trialbids.exporter.clinical.join import ClinicalRows, join_clinical
from trialbids.exporter.clinical.rows import NOTHING
from trialbids.exporter.deidentify.dates import UNMOVED, Shift
from trialbids.exporter.deidentify.identifiers import Identifier, Known
from trialbids.exporter.plan.visits import Visit
from trialbids.exporter.release.cleared import cleared
from trialbids.exporter.release.searches import searches_of
from trialbids.exporter.trial import Clinical
from trialbids.mappings.clinical import clinical_rules

IDS = ("K01-1", "K01-2", "K01-3")
VISITS = tuple(Visit(f"S{n}", "01", "A", f"n\0{i}", "20200101", "20200101", 0) for n, i in enumerate(IDS))
KNOWN = Known(
    {
        f"S{n}": frozenset(
            {Identifier("patient_name", name), Identifier("patient_id", f"88{n}31"), Identifier("birth_date", born)}
        )
        for n, (name, born) in enumerate(
            [("Quendelberg^Hanna", "19500307"), ("Ottersbach^Ilse", "19610411"), ("Wiesengrund^Ute", "19420101")]
        )
    }
)


def join(folder: Path, columns: dict[str, Any], *cells: str, name: str = "x") -> ClinicalRows:
    table = folder / "t.csv"
    lines = (f'{identity},"{cell}"' for identity, cell in zip(IDS, cells, strict=False))
    table.write_text(f"id,{name}\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return join_clinical([Clinical.model_validate({"table": table, "subject": "id", "columns": columns})], VISITS)


TEXT = {"type": "text", "allow_text": True}


@pytest.mark.parametrize(
    ("column", "cells", "what"),
    [
        (TEXT, ("Hanna Quendelberg", "Ilse Ottersbach"), "names of people"),
        (TEXT, ("Quendelberg, Hanna", "n/a"), "names of people"),
        (["A^B", "Quendelberg^Hanna"], ("Quendelberg^Hanna", "Quendelberg^Hanna"), "names of people"),
        (TEXT, ("hanna@example.org", "i.o@example.com"), "e-mail"),
        ("number", ("030 1234567", "040/7654321"), "telephone"),
        ("number", ("4711123456", "4711123457"), "long numbers"),
        ("integer", ("0101", "2"), ""),
        (TEXT, ("K01-1", "k01 2"), "ids of the subjects"),
        (TEXT, ("stable since surgery", "partial response"), ""),
        (["Partial Response", "Stable Disease"], ("Partial Response", "Stable Disease"), ""),
        ("number", ("123456.78", "2.5"), ""),
    ],
)
def test_a_column_whose_values_look_like_identifiers_is_refused(
    tmp_path: Path, column: Any, cells: tuple[str, ...], what: str
) -> None:
    rows = join(tmp_path, {"x": column}, *cells)
    said = " ".join(rows.refused)
    assert (what in said if what else not said) and ("x" in rows.columns) == (not what)
    assert not any(cell in said for cell in cells)
    assert all(("x" in row) == (not what) for row in rows.participants.values())
    assert "x" in rows.kinds, "criteria may still ask it"


@pytest.mark.parametrize(
    ("name", "kind", "refused"),
    [
        ("patient_name", "text", True),
        ("Nachname", "text", True),
        ("DOB", "date", True),
        ("birth_date", "date", True),
        ("Geburtsdatum", "date", True),
        ("home_phone", "number", True),
        ("record_id", "integer", True),
        ("MRN", "number", True),
        ("drug_name", "level", False),
        ("randomisation_date", "date", False),
        ("telomere_length", "number", False),
        ("nominal_dose", "number", False),
        ("lesion_id", "integer", False),
    ],
)
def test_a_columns_own_name_may_say_enough(name: str, kind: str, refused: bool) -> None:
    assert bool(clinical_rules().named(name, kind)) == refused


def clear(rows: ClinicalRows, shift: Shift = UNMOVED) -> ClinicalRows:
    return cleared(rows, searches_of(KNOWN, ["x"]), lambda _: shift)


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        (["Quendelberg", "Ottersbach", "other"], ("Quendelberg", "Ottersbach", "other")),
        ("integer", ("88031", "88131", "7")),
        ("date", ("1950-03-07", "1961-04-11", "2020-01-01")),
    ],
)
def test_a_column_of_what_the_images_headers_call_its_people_is_refused(
    tmp_path: Path, column: Any, cells: tuple[str, ...]
) -> None:
    rows = clear(join(tmp_path, {"x": column}, *cells))
    assert "x" not in rows.columns and not any(rows.participants.values()) and not rows.described
    assert "the column x is refused" in " ".join(rows.refused)
    assert not any(cell in " ".join(rows.refused) for cell in cells if len(cell) > 1)


def test_one_cell_of_text_with_a_known_name_stays_back(tmp_path: Path) -> None:
    rows = clear(join(tmp_path, {"x": TEXT}, "calm", "asked for Mrs Quendelberg", "tired"))
    assert [rows.participants[f"S{n}"]["x"] for n in range(3)] == ["calm", "n/a", "tired"]
    assert rows.refused == ("sub-S1: x: a known identifier stands in this text, so it stays back",)


def test_what_is_said_of_a_column_stays_back_where_it_names_somebody(tmp_path: Path) -> None:
    column = {"levels": {"1": "seen by Quendelberg", "2": "not seen"}, "description": "Ilse Ottersbach's own score"}
    entry = clear(join(tmp_path, {"x": column}, "1", "2", "2")).described["x"]
    assert entry.levels == {"1": "1", "2": "not seen"} and entry.description == ""


def test_days_are_moved_by_the_subjects_own_shift(tmp_path: Path) -> None:
    rows = clear(join(tmp_path, {"x": "date"}, "2020-01-11", "", "2019-12-31"), Shift(73_414))
    assert [rows.participants[f"S{n}"]["x"] for n in range(3)] == ["1819-01-11", "n/a", "1818-12-31"]
    assert clear(NOTHING) is NOTHING
