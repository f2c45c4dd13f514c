"""Targets: what a column becomes, and that a gap never becomes a zero."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from treemaker import TreeMaker

from trialbids.datasets import Cache, CohortDataset, CohortError, Database, Q, QueryError, collate
from trialbids.datasets.cohorts.cohort import Cohort
from trialbids.datasets.cohorts.targets import Categorical, MultiLabel, Regression, Survival, Target

T2 = {"t2": Q("T2w")}


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Database:
    """Five patients: 04 has no score, 05 a negative time, 03 no event."""
    tree = TreeMaker(tmp_path_factory.mktemp("targets") / "bids")
    rows = [
        {"score": 2, "months": 12.5, "died": "yes", "crib": 1, "cyst": 0, "found": "cyst;node"},
        {"score": 4, "months": 30, "died": "no", "crib": 0, "cyst": 0, "found": "none"},
        {"score": 4, "months": 7, "died": None, "crib": 0, "cyst": 1, "found": "node"},
        {"score": None, "months": 9, "died": "no", "crib": 0, "cyst": None, "found": None},
        {"score": 5, "months": -3, "died": "yes", "crib": 1, "cyst": 1, "found": "cyst"},
    ]
    for n, row in enumerate(rows, start=1):
        tree.participant(f"{n:02d}", arm="A", grade=7, stage="II" if n < 3 else "III", **row)
        tree.image(f"{n:02d}", "T2w", {"sequence": "T2w"})
    return Database(tree.finish())


def cohort(db: Database, missing: str = "drop", **targets: Target) -> Cohort:
    return db.cohort(images=T2, targets=targets, missing=missing)


def test_every_kind_of_target(db: Database) -> None:
    made = cohort(
        db,
        score=Categorical("score"),
        os=Survival("months", "died"),
        both=MultiLabel(("crib", "cyst")),
        found=MultiLabel("found"),
        months=Regression("months"),
    )
    assert [sample["participant_id"][-2:] for sample in made] == ["01", "02"]
    assert [sample["score"] for sample in made] == [0, 1]
    assert [sample["os"] for sample in made] == [[12.5, 1.0], [30.0, 0.0]]
    assert [sample["both"] for sample in made] == [[1.0, 0.0], [0.0, 0.0]]
    assert [sample["found"] for sample in made] == [[1.0, 1.0], [0.0, 0.0]]
    assert made.classes == {"score": (2, 4, 5), "both": ("crib", "cyst"), "found": ("cyst", "node")}
    assert made.column("score") == (2, 4) and made.column("os") == ((12.5, "yes"), (30.0, "no"))


@pytest.mark.parametrize(
    ("target", "gone", "words"),
    [
        (Categorical("score"), ["04"], "sub-04 ses-01: x: score is empty"),
        (MultiLabel(("crib", "cyst")), ["04"], "sub-04 ses-01: x: cyst is empty"),
        (MultiLabel("found"), ["04"], "found is empty"),
        (Survival("months", "died"), ["03", "05"], "sub-05 ses-01: x: months is -3.0, and no time is negative"),
    ],
)
def test_a_gap_is_an_error_or_a_line_in_the_report(db: Database, target: Target, gone: list[str], words: str) -> None:
    with pytest.raises(CohortError) as error:
        cohort(db, missing="raise", x=target)
    assert words in str(error.value)
    report = cohort(db, x=target).report()
    assert [dropped.sample_id[4:6] for dropped in report.dropped] == gone
    assert words.partition(": x: ")[2] in "\n".join(map(str, report.dropped))


def test_gaps_are_kept_only_where_it_is_asked_for_and_never_as_a_zero(db: Database) -> None:
    made = cohort(
        db,
        score=Categorical("score", gaps="mask"),
        both=MultiLabel(("crib", "cyst"), gaps="mask"),
        os=Survival("months", "died", gaps="mask"),
    )
    assert [sample["participant_id"][-2:] for sample in made] == ["01", "02", "03", "04"]  # 05 is wrong, no gap
    assert made[3]["score"] == -1 and made[3]["both"][0] == 0.0 and math.isnan(made[3]["both"][1])
    assert made[2]["os"][0] == 7.0 and math.isnan(made[2]["os"][1])
    assert "score: 1 samples have no value and are kept (gaps='mask')" in made.report().notes


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (Regression("stage"), r"holds text such as 'II"),
        (Regression("scor"), r"target 'x': there is no column 'scor'.*did you mean 'score'\?"),
        (Categorical("score", classes=(2, 3)), "4 is not one of the classes"),
        (Categorical("arm"), "holds the one value 'A' in the whole tree"),
        (MultiLabel(("crib", "score")), "the column 'score' holds 2; expected 0/1, true/false or yes/no"),
        (MultiLabel("found", classes=("cyst",)), "'node' is not one of the classes"),
        (Survival("stage", "died"), "the column 'stage' holds text"),
        (Survival("months", "score"), "the column 'score' holds 2; expected 0/1"),
    ],
)
def test_a_target_that_cannot_be_meant(db: Database, target: Target, words: str) -> None:
    with pytest.raises(QueryError, match=words):
        cohort(db, x=target)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Regression(""),
        lambda: Regression("a", gaps="zero"),
        lambda: Categorical("a", classes=(1, 1)),
        lambda: MultiLabel(("a", "a")),
        lambda: MultiLabel(("a", "b"), classes=("c", "d")),
        lambda: MultiLabel(("a",), classes=("c",)),
        lambda: MultiLabel("a", classes=("b", "None")),
        lambda: MultiLabel("a", separator=""),
        lambda: Survival("a", "a"),
    ],
)
def test_a_target_that_contradicts_itself(make: object) -> None:
    assert callable(make)
    with pytest.raises(QueryError):
        make()


def test_one_column_of_flags_is_no_listing(db: Database) -> None:
    made = cohort(db, crib=MultiLabel(("crib",)))
    assert made.classes == {"crib": ("crib",)}
    assert [sample["crib"] for sample in made] == [[1.0], [0.0], [0.0], [0.0], [1.0]]
    with pytest.raises(QueryError, match=r"MultiLabel\(\('score',\)\): the column 'score' holds 2; expected 0/1"):
        cohort(db, x=MultiLabel(("score",)))


def test_the_word_for_nothing_may_be_in_capitals() -> None:
    cells = {"found": ["None", "cyst", "NONE", "none ", None]}
    target = MultiLabel("found").fit(cells.__getitem__)
    assert target.classes == ("cyst",)
    assert [target.encode({"found": cell}) for cell in cells["found"][:4]] == [(0.0,), (1.0,), (0.0,), (0.0,)]


@pytest.mark.parametrize("cached", [False, True])
def test_a_target_of_several_numbers_is_a_tensor_once_it_is_read(db: Database, cached: bool, tmp_path: Path) -> None:
    made = cohort(
        db,
        score=Categorical("score"),
        age=Regression("grade"),
        crib=MultiLabel(("crib",)),
        both=MultiLabel(("crib", "cyst"), gaps="mask"),
        os=Survival("months", "died"),
    )
    dataset = CohortDataset(made, cache=Cache(tmp_path) if cached else None)
    sample = dataset[0]
    assert {name: (sample[name].dtype, sample[name].tolist()) for name in ("crib", "both", "os")} == {
        "crib": (torch.float32, [1.0]),
        "both": (torch.float32, [1.0, 0.0]),
        "os": (torch.float32, [12.5, 1.0]),
    }
    batch = collate([dataset[n] for n in range(2)])
    assert torch.equal(batch["os"], torch.tensor([[12.5, 1.0], [30.0, 0.0]]))
    assert batch["both"].shape == (2, 2) and batch["crib"].shape == (2, 1)
    assert batch["score"].dtype == torch.int64 and batch["age"].dtype == torch.float32


def test_the_report_says_what_a_model_cannot_learn(db: Database) -> None:
    notes = cohort(db, arm=Categorical("arm", classes=("A", "B")), grade=Regression("grade")).report().notes
    assert notes == (
        "arm: all 5 samples have the same value; a model learns nothing from it",
        "arm: no sample of 'B' among the classes",
        "grade: all 5 samples have the same value; a model learns nothing from it",
    )


def test_columns_by_name(db: Database) -> None:
    made = cohort(db, x=Regression("months"))
    assert made.column("stage") == ("II", "II", "III", "III", "III")
    assert made.column("score") == (2, 4, 4, None, 5)
    assert made.column("participant_id")[0] == "sub-01" and made[2:4].column("site") == ("S01", "S01")
    with pytest.raises(QueryError, match="did you mean 'stage'"):
        made.column("stag")


CELLS = st.one_of(st.none(), st.integers(-5, 5), st.sampled_from(["a", "b", "c"]))


@given(st.lists(CELLS, min_size=1, max_size=8))
def test_a_class_leads_back_to_its_value(values: list[int | str | None]) -> None:
    given_values = [value for value in values if value is not None]
    if len(set(given_values)) < 2:
        return
    target = Categorical("x", gaps="mask").fit(lambda name: values)
    codes = [target.encode({"x": value}) for value in values]
    assert [None if code == -1 else target.classes[code] for code in codes] == values
    assert target.fit(lambda name: values[::-1]) == target


@given(st.lists(st.sampled_from("abcd"), max_size=4, unique=True))
def test_a_list_of_findings_leads_back_to_its_names(names: list[str]) -> None:
    target = MultiLabel("x", classes=tuple("abcd"), separator="; ")
    flags = target.encode({"x": "; ".join(names) or "none"})
    assert [name for name, flag in zip("abcd", flags, strict=True) if flag] == sorted(names)
