"""where= of a cohort: the conditions of the criteria, asked of the tables and images of a tree."""

from __future__ import annotations

from pathlib import Path

import pytest
from treemaker import TreeMaker, small_trial, write_tsv

from trialbids.datasets import Cohort, Database, Q, QueryError


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Database:
    return Database(small_trial(tmp_path_factory.mktemp("trial") / "bids"))


def ids(cohort: Cohort) -> list[str]:
    return [sample["participant_id"][-2:] for sample in cohort]


def kept(db: Database, where: str, unit: str = "session") -> list[str]:
    return ids(db.cohort(unit=unit, images={"t2": Q("T2w")}, where=where, qc=None))


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("site != 'S02' and age >= 32", ["02", "03"]),
        ("31 < age < 33 or age in (36, 37)", ["02", "06"]),
        ("not (age < 36)", ["06"]),
        ("orads_score != 2", ["01", "02", "04"]),
        ("orads_score == None", ["05"]),
        ("orads_score not in (2, 3)", ["02"]),
        ("not has(ADC)", ["03"]),
        ("has(T2w, sag) and has(diffusion) and age > 34", ["05", "06"]),
        ("count(DCE) >= 5 and participant_id != 'sub-01'", ["02", "03", "04", "05", "06"]),
    ],
)
def test_who_is_kept(db: Database, where: str, expected: list[str]) -> None:
    assert kept(db, where) == expected


def test_images_of_the_unit(tmp_path: Path) -> None:
    tree = TreeMaker(tmp_path / "bids")
    for session in ("01", "02"):
        tree.image("01", "acq-a_T2w", {"sequence": "T2w", "plane": "sag"}, session=session)
    tree.image("01", "T1w", {"sequence": "T1w", "plane": "ax"}, session="02", acquisition_id="a02")
    tree.image("02", "acq-a_T2w", {"sequence": "T2w", "plane": "ax"})
    db = Database(tree.finish())
    t2 = {"t2": Q("T2w")}
    assert [row["session_id"] for row in db.cohort(images=t2, where="has(T1w)")] == ["ses-02"]
    one = db.cohort(unit="participant", images=t2, where="has(T1w) and count(T2w) == 2", duplicates="first")
    assert ids(one) == ["01"]
    assert ids(db.cohort(unit="image", images=t2, where="has(ax) and not has(T1w)")) == ["02"]


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("agee > 3", r"where: .*no column 'agee'; there are: .*; did you mean 'age'\?"),
        ("site > 3", "where: .*compares text with a number"),
        ("age", "where: .*is not a condition"),
        ("has(T2)", "where: .*'T2' is not in the vocabulary; did you mean 'T2w'"),
        ("not found('G04')", r"where: found\('G04'\) is not known: .*qc.parquet"),
    ],
)
def test_what_cannot_be_meant_is_a_query_error(db: Database, where: str, says: str) -> None:
    with pytest.raises(QueryError, match=says):
        kept(db, where)


def test_the_report_tells_what_is_false_from_what_is_not_known(db: Database) -> None:
    report = db.cohort(images={"t2": Q("T2w")}, where="orads_score > 2", qc=None).report()
    reasons = {dropped.sample_id[4:6]: dropped.reason for dropped in report.dropped}
    assert reasons["03"] == "the condition is not true"
    assert reasons["05"] == "it cannot be told whether the condition is true"


def test_numbers_are_written_as_numbers(tmp_path: Path) -> None:
    """Python reads ``1_2`` as twelve; a table does not."""
    tree = TreeMaker(tmp_path / "bids")
    for label, code, dose in (("01", "1_2", "1e3"), ("02", "3", "-.5"), ("03", "4", "NaN")):
        tree.participant(label, code=code, dose=dose)
        tree.image(label, "T2w", {"sequence": "T2w", "plane": "sag"})
    db = Database(tree.finish())
    assert kept(db, "code == '1_2'") == ["01"]
    assert kept(db, "dose < 0") == ["02"]
    assert kept(db, "dose == None") == ["03"]


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    """Two visits of one person and one of another, with laboratory values by visit and a history by person."""
    tree = TreeMaker(tmp_path / "bids")
    for label, session in (("01", "01"), ("01", "02"), ("02", "01")):
        tree.participant(label, age=40)
        tree.image(label, "T2w", {"sequence": "T2w", "plane": "sag"}, session=session)
    root = tree.finish()
    (root / "phenotype").mkdir()
    values = {("sub-01", "ses-01"): 3.5, ("sub-01", "ses-02"): 8, ("sub-02", "ses-01"): None}
    labs = [{"participant_id": person, "session_id": visit, "psa": psa} for (person, visit), psa in values.items()]
    write_tsv(root / "phenotype" / "labs.tsv", labs)
    history = [{"participant_id": f"sub-0{n}", "smoker": word, "age": 41} for n, word in ((1, "yes"), (2, "no"))]
    write_tsv(root / "phenotype" / "history.tsv", history)
    return root


def test_phenotype_tables_are_columns(measured: Path) -> None:
    from trialbids.datasets import Categorical, Regression

    db = Database(measured)
    assert [row["session_id"] for row in db.cohort(images={"t2": Q("T2w")}, where="psa > 4")] == ["ses-02"]
    cohort = db.cohort(
        images={"t2": Q("T2w")},
        targets={"psa": Regression("psa"), "smoker": Categorical("smoker")},
        missing="drop",
    )
    assert [(row["psa"], row["smoker"]) for row in cohort] == [(3.5, 1), (8.0, 1)]
    people = db.cohort(unit="participant", images={"t2": Q("T2w")}, where="smoker == 'yes'", duplicates="last")
    assert ids(people) == ["01"]
    with pytest.raises(QueryError, match="no column 'psa'"):
        kept(db, "psa > 4", unit="participant")


def test_a_column_of_two_tables_is_asked_for_with_its_table(measured: Path) -> None:
    db = Database(measured)
    assert kept(db, "smoker == 'no'") == ["02"]
    with pytest.raises(QueryError, match="'age' stands in 2 tables; ask for participants__age or history__age"):
        kept(db, "age > 40")
    assert kept(db, "history__age > 40 and participants__age == 40") == ["01", "01", "02"]


def test_several_rows_for_one_person_are_refused_when_asked_for(measured: Path) -> None:
    rows = [{"participant_id": "sub-01", "toxicity": grade} for grade in (1, 3)]
    write_tsv(measured / "phenotype" / "events.tsv", rows)
    db = Database(measured)
    assert kept(db, "smoker == 'no'") == ["02"]
    with pytest.raises(QueryError, match=r"phenotype/events.tsv has more than one row for sub-01"):
        kept(db, "toxicity > 2")
