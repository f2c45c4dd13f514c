"""Cohorts written down without Python: a recipe says the same as the call, and its faults have a line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from treemaker import small_trial

from trialbids.datasets import QC, Categorical, Database, Q, QueryError, Regression, Require, Times
from trialbids.datasets.cohorts.inline import query_of_text
from trialbids.datasets.cohorts.policies import Resample
from trialbids.datasets.cohorts.recipe import Recipe
from trialbids.datasets.cohorts.targets import MultiLabel, Survival

RECIPE = """\
unit: session
images:
  t2: {sequence: T2w, plane: sag}
  dce: {sequence: DCE, phases: [0, 60], tolerance: 10}
  adc: ADC
labels:
  lesion: {label: lesion, reader: consensus}
targets:
  orads: {categorical: orads_score}
  age: {regression: age}
where: site != 'S07' and age >= 18
qc: {verdict: pass}
missing: drop
duplicates: first
"""


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Database:
    return Database(small_trial(tmp_path_factory.mktemp("recipe") / "bids"))


def written(folder: Path, text: str, name: str = "cohort.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_recipe_makes_the_cohort_of_the_call(db: Database, tmp_path: Path) -> None:
    called = db.cohort(
        images={
            "t2": Q("T2w", plane="sag"),
            "dce": Q("DCE", phases=Times([0, 60], tolerance=10)),
            "adc": Q("ADC"),
        },
        labels={"lesion": Q(label="lesion", reader="consensus")},
        targets={"orads": Categorical("orads_score"), "age": Regression("age")},
        where="site != 'S07' and age >= 18",
        qc=QC("pass"),
        missing="drop",
        duplicates="first",
    )
    read = db.cohort_of(written(tmp_path, RECIPE))
    assert list(read) == list(called) and len(read) == 3
    assert read == called and hash(read) == hash(called)


def test_json_is_read_too(db: Database, tmp_path: Path) -> None:
    path = written(tmp_path, json.dumps({"images": {"t2": "T2w,plane=sag"}, "qc": "warn"}, indent=2), "cohort.json")
    assert len(db.cohort_of(path)) == 6


def test_every_argument_has_a_form(tmp_path: Path) -> None:
    recipe = Recipe.read(
        written(
            tmp_path,
            "images: {t2: {sequence: [T2w, PDw], plane: sag, derived: any}, t1: {sequence: T1w, echo: null}}\n"
            "targets:\n"
            "  os: {survival: [os_months, os_event], gaps: mask}\n"
            "  found: {multilabel: [crib, cyst]}\n"
            "  grade: {categorical: grade, classes: [1, 2, 3]}\n"
            "qc: {verdict: warn, where: snr > 8}\n"
            "missing: {require: [t2], any_of: 2}\n"
            "grid: {resample: t2, interpolation: nearest}\n"
            "fields: [EchoTime]\n",
        )
    )
    assert recipe.images["t2"] == Q(("T2w", "PDw"), plane="sag", derived="any")
    assert recipe.images["t1"] == Q("T1w", echo=None)
    assert recipe.targets == {
        "os": Survival("os_months", "os_event", gaps="mask"),
        "found": MultiLabel(("crib", "cyst")),
        "grade": Categorical("grade", classes=(1, 2, 3)),
    }
    assert recipe.qc == QC("warn", where="snr > 8") and recipe.missing == Require("t2", any_of=2)
    assert recipe.grid == Resample("t2", "nearest") and recipe.fields == ("EchoTime",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("images: {t2: T2w}\nlable: {}\n", "line 2: lable: unknown key; there are: unit, images, labels"),
        ("images:\n  t2: {sequence: T2w, plane: sagittal}\n", "line 2: images.t2: q: plane='sagittal' is not in"),
        ("images:\n  t2: {sequnce: T2w}\n", "line 2: images.t2: q: there is no attribute 'sequnce'"),
        ("unit: session\n", "line 1: images: is missing"),
        ("images: T2w\n", "line 1: images: expected keys and values"),
        ("images: {}\n", "line 1: images: expected keys and values"),
        ("images: {t2: 5}\n", "line 1: images.t2: expected keys and values"),
        ("images:\n  t2: T2w\n  t2: T1w\n", "line 3: t2: this key stands twice"),
        ("images: {t2: T2w}\ntargets:\n  x: {classes: [1]}\n", "line 3: targets.x: expected one of regression, cat"),
        ("images: {t2: T2w}\ntargets:\n  x: {survival: os}\n", "line 3: targets.x: survival needs two columns"),
        (
            "images: {t2: T2w}\ntargets:\n  x: {regression: age, classes: [1]}\n",
            "line 3: targets.x: classes is no option of regression",
        ),
        ("images: {t2: T2w}\nmissing: {requires: t2}\n", "line 2: missing: requires is no key of missing"),
        ("images: {t2: T2w}\ngrid: {to: t2}\n", "line 2: grid: to is no key of grid"),
        (
            "images: {dce: {sequence: DCE, phases: [30, 0]}}\n",
            "line 1: images.dce: times: [30, 0] is not a rising list",
        ),
        ("images: {t2: {sequence: T2w, tolerance: 3}}\n", "tolerance belongs to phases"),
        ("images: {t2: T2w}\nunit: visit\n", "line 2: unit: unit='visit' is not known"),
        (
            "images: {t2: T2w}\nqc: passed\n",
            "line 2: qc: qc='passed' is not known (did you mean 'pass'?); legal: 'pass'",
        ),
        ("images: {t2: T2w}\nqc: {verdict: wran}\n", "line 2: qc: qc='wran' is not known (did you mean 'warn'?)"),
        ("images: {t2: T2w}\nmissing: dorp\n", "line 2: missing: missing='dorp' is not known (did you mean 'drop'?)"),
        (
            "images: {t2: T2w}\nduplicates: frist\n",
            "line 2: duplicates: duplicates='frist' is not known (did you mean 'first'?)",
        ),
        (
            "images: {t2: T2w}\ntargets:\n  x: {multilabel: 5}\n",
            "line 3: targets.x: multilabel needs a column or a list",
        ),
        ("images: {t2: T2w}\ntargets:\n  x: {categorical: a, classes: 5}\n", "classes=5 must be a tuple of values"),
        (
            "images: {t2: T2w}\ntargets:\n  x: {categorical: a, classes: [[1]]}\n",
            "line 3: targets.x: categorical('a'): classes=([1],) must be a tuple of values",
        ),
        ("images: {t2: T2w}\nmissing: {require: 5}\n", "line 2: missing: require: the key of an image is expected"),
        (
            "images: {t2: T2w}\nmissing: {require: t2, any_of: 1.0e+99}\n",
            "line 2: missing: require: any_of=1e+99 must be a whole number",
        ),
        ("images: {t2: T2w}\ngrid: {resample: [t2]}\n", "line 2: grid: resample: the key of an image is expected"),
        ("images: {t2: T2w}\ngrid: {resample: t2, interpolation: liner}\n", "did you mean 'linear'?"),
        ("images: {t2: &a T2w}\n", "line 1: anchors and aliases are not used here"),
        ("images: [\n", "this is no YAML"),
        ("- t2\n", "line 1: expected keys and values, such as `images: {t2: T2w}`"),
    ],
)
def test_a_fault_has_its_file_its_line_and_its_field(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(QueryError) as error:
        Recipe.read(path)
    assert words in str(error.value) and str(error.value).startswith(str(path))


@pytest.mark.parametrize("words", ["any", "{verdict: any}", "null"])
def test_any_verdict_is_said_as_on_the_command_line(tmp_path: Path, words: str) -> None:
    recipe = Recipe.read(written(tmp_path, f"images: {{t2: T2w}}\nqc: {words}\n"))
    assert recipe.request().wanted == QC(None)


def test_policies_made_in_python_are_taken_as_they_are() -> None:
    given = {"qc": QC("warn"), "missing": Require("t2"), "grid": Resample("t2")}
    recipe = Recipe(images={"t2": Q("T2w")}, **given)  # pyright: ignore[reportArgumentType]
    assert (recipe.qc, recipe.missing, recipe.grid) == tuple(given.values())


def test_a_recipe_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="the recipe cannot be read"):
        Recipe.read(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("text", "key", "query"),
    [
        ("t2=T2w,plane=sag", "t2", Q("T2w", plane="sag")),
        ("t2 = T2w/PDw , plane=ax/sag", "t2", Q(("T2w", "PDw"), plane=("ax", "sag"))),
        ("dce=DCE,phases=0/30/60.5,tolerance=10", "dce", Q("DCE", phases=Times([0, 30, 60.5], tolerance=10))),
        ("dwi=family=diffusion,bvalues=0/800", "dwi", Q(family="diffusion", bvalues=[0, 800])),
        ("lesion=label=lesion,reader=R1", "lesion", Q(label="lesion", reader="R1")),
        ("t1=T1w,agent=,echo_index=2,derived=any", "t1", Q("T1w", agent=None, echo_index=2, derived="any")),
        ("pet=PET,units=SUV", "pet", Q("PET", units="SUV")),
    ],
)
def test_a_query_in_one_word(text: str, key: str, query: Q) -> None:
    found, made = query_of_text(text)
    assert found == key
    for name in ("attributes", "entities", "derived", "label", "reader", "phases", "bvalues", "units", "scope"):
        assert getattr(made, name) == getattr(query, name)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("T2w", "is no query; write a key"),
        ("t2=", "is no query"),
        ("t2=T2w,sag", "'sag' is no condition"),
        ("t2=T2w,plane=ax,plane=sag", "plane is given twice"),
        ("dce=DCE,phases=0/x", "phases is a number, found 'x'"),
        ("t2=T2w,plane=axial", "legal: ax sag"),
        ("lesion=label=", "label needs a value"),
    ],
)
def test_a_word_that_is_no_query(text: str, words: str) -> None:
    with pytest.raises(QueryError, match=words):
        query_of_text(text)
