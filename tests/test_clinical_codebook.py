"""A REDCap data dictionary gives types, levels, units and descriptions, and says what may not leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from trialbids.exporter.clinical.codebook import read_codebook
from trialbids.exporter.clinical.join import ClinicalRows, join_clinical
from trialbids.exporter.errors import UsageError
from trialbids.exporter.plan.visits import Visit
from trialbids.exporter.release.phenotype import dictionary
from trialbids.exporter.trial import Clinical

HEADER = (
    '"Variable / Field Name","Form Name","Section Header","Field Type","Field Label",'
    '"Choices, Calculations, OR Slider Labels","Field Note","Text Validation Type OR Show Slider Number",'
    '"Text Validation Min","Text Validation Max",Identifier?,"Branching Logic (Show field only if...)"\n'
)
FIELDS = """\
record_id,base,,text,Record ID,,,,,,,
age_y,base,,text,"Age at <b>consent</b> (years)",,,integer,18,99,,
weight,base,,text,Body weight,,"units: kg",number,30,250,,
ecog,base,,radio,ECOG status,"0, Fully active | 1, Restricted, but ambulatory | 2, In bed",,,,,,
smoker,base,,yesno,Smoker?,,,,,,,
seen,base,,text,Date of visit,,,date_dmy,,,,
remark,base,,notes,Remarks,,,,,,,
initials,base,,text,Initials,,,,,,y,
town,base,,text,Town,,,,,,,
mail,base,,text,Contact,,,email,,,,
sites,base,,checkbox,Sites of disease,"1, Liver | 2, Lung",,,,,,
"""


def book(folder: Path, fields: str = FIELDS, header: str = HEADER) -> Path:
    path = folder / "dictionary.csv"
    path.write_text(header + fields, encoding="utf-8")
    return path


def join(folder: Path, names: list[str], head: str, *lines: str) -> ClinicalRows:
    table = folder / "data.csv"
    table.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    visits = [Visit(f"S{n}", "01", "A", f"n\0{n}", "20200101", "20200101", 0) for n in (1, 2)]
    values = {"table": table, "subject": "record_id", "codebook": book(folder), "columns": names}
    return join_clinical([Clinical.model_validate(values)], visits)


def test_types_levels_units_and_bounds_come_from_the_codebook(tmp_path: Path) -> None:
    names = ["age_y", "weight", "ecog", "smoker", "seen", "sites___1"]
    head = "record_id,age_y,weight,ecog,smoker,seen,sites___1"
    rows = join(tmp_path, names, head, "1,64,71.5,1,0,2020-01-02,1", "2,17,300,3,1,,0")
    assert rows.participants["S1"] == {
        "age_y": "64",
        "weight": "71.5",
        "ecog": "1",
        "smoker": "0",
        "seen": "2020-01-02",
        "sites___1": "1",
    }
    assert set(rows.participants["S2"].values()) == {"n/a", "1", "0"}
    assert [s.split(": ", 2)[1] for s in rows.refused] == ["age_y", "weight", "ecog"]
    assert dictionary(rows.described["weight"]) == {
        "Description": "Body weight",
        "Format": "number",
        "Units": "kg",
        "Minimum": 30,
        "Maximum": 250,
    }
    levels = {"0": "Fully active", "1": "Restricted, but ambulatory", "2": "In bed"}
    assert dictionary(rows.described["ecog"]) == {"Description": "ECOG status", "Levels": levels}
    assert dictionary(rows.described["smoker"])["Levels"] == {"1": "Yes", "0": "No"}
    assert dictionary(rows.described["sites___1"])["Description"] == "Sites of disease: Liver"
    age = dictionary(rows.described["age_y"])
    assert age["Description"] == "Age at consent (years)" and age["Units"] == "years"
    assert "Maximum" not in age, "ages are capped and banded, so that they may lie outside of the codebook's bounds"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("remark", "holds notes"),
        ("initials", "is an identifier"),
        ("town", "free text"),
        ("mail", "addresses, telephone"),
    ],
)
def test_identifiers_notes_and_free_text_are_refused(tmp_path: Path, name: str, why: str) -> None:
    rows = join(tmp_path, [name, "ecog"], f"record_id,ecog,{name}", "1,1,one thing", "2,2,another")
    assert rows.columns == ("ecog",) and name not in rows.participants["S1"]
    assert f"the column {name} is refused" in rows.refused[0] and why in rows.refused[0]


@pytest.mark.parametrize(
    ("fields", "header", "words"),
    [
        ("", "a,b\n", "is no data dictionary of REDCap"),
        ("x,f,,radio,X,1 Mild,,,,,,\n", HEADER, "line 2: choices are written as"),
        ("x,f,,radio,X,,,,,,,\n", HEADER, "line 2: a field of choices has none"),
        ("x,f,,text,X,,,,,,,\nx,f,,text,X,,,,,,,\n", HEADER, "line 3: the field x stands twice"),
    ],
)
def test_a_wrong_codebook_is_named_with_its_line(tmp_path: Path, fields: str, header: str, words: str) -> None:
    path = book(tmp_path, fields or "1,2\n", header)
    with pytest.raises(UsageError, match=words):
        read_codebook(path)


def test_a_column_that_the_codebook_does_not_know_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no field stage; give its type"):
        join(tmp_path, ["stage"], "record_id,stage", "1,2")


def test_the_header_of_redcaps_api_is_known_too(tmp_path: Path) -> None:
    header = "field_name,field_type,field_label,select_choices_or_calculations,identifier\n"
    entries = read_codebook(book(tmp_path, 'sex,dropdown,Sex,"1, female | 2, male",\n', header))
    assert entries["sex"].levels == {"1": "female", "2": "male"} and entries["sex"].kind == "level"
