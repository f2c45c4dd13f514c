"""The benchmark judges as it says it does, its labels are inside the vocabulary, and it runs without the real data."""

# ruff: noqa: E402 (the modules of benchmarks/ are found once the path is set)

from __future__ import annotations

import csv
import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialbids.exporter.harmonise.decide import Judge
from trialbids.exporter.inventory.instance import Instance
from trialbids.mappings.rules import load_rules
from trialbids.mappings.vocabulary import vocabulary

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import damage
import errors
import judging
import perturb
import report
from labelled_sets import TRUTH, TableSet, read_rows
from real import load_module

TABLE = """\
study,Modality,Manufacturer,SeriesDescription,ScanningSequence,SequenceVariant,MRAcquisitionType,RepetitionTime,EchoTime,\
EchoTrainLength,ImageOrientationPatient,truth_sequence,truth_plane,truth_fatsat
s1,MR,SIEMENS,t2_tse_sag,SE,SK,2D,4000,100,15,0\\1\\0\\0\\0\\-1,T2w,sag,none|fs
s1,MR,SIEMENS,t1_tse_tra,SE,SK,2D,600,10,3,1\\0\\0\\0\\1\\0,T1w,ax,
s2,MR,SIEMENS,t2_tse_tra,SE,SK,2D,4000,100,15,1\\0\\0\\0\\1\\0,FLAIR,cor,
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    path.write_text(TABLE)
    return path


@pytest.fixture
def runner(table: Path) -> damage.Runner:
    return damage.Runner(TableSet("table", read_rows(table)), Judge(load_rules()))


def cell(
    verdict: str, study: str = "s", confidence: float = 0.5, truth: str = "T2w", answer: str = "T1w"
) -> judging.Cell:
    return judging.Cell(study, "k", "ge", "sequence", truth, answer, verdict, confidence)


def test_verdicts() -> None:
    judge = judging.judge_cell
    assert [judge("sequence", t, "T2w") for t in ("T2w", "T1w|T2w", "T1w", "unknown", "", "*")] == [
        "right", "right", "wrong", "wrong", "", "",
    ]  # fmt: skip
    assert judge("sequence", "T2w", "unknown") == "silent" and judge("sequence", "unknown", "unknown") == "withheld"
    assert judge("agent", "unknown", "with") == "unverifiable"
    assert judge("derived", "-", "") == "right" and judge("derived", "sub mip", "mip sub") == "right"
    assert judge("derived", "-|mip", "sub") == "wrong"


scoring = cache(load_module)
WORDS = [a.name for a in vocabulary().values() if a.kind == "word" and a.name not in ("part", "phase_time_source")]


@given(st.data())
def test_verdicts_are_those_of_the_scoring_tool(real_data: Path, data: st.DataObject) -> None:
    tool = real_data.parent / "tools" / "score_series.py"
    if not tool.is_file():
        pytest.skip("there is no scoring tool beside the data")
    name = data.draw(st.sampled_from([w for w in WORDS if w != "phase_name"]))
    values = st.sampled_from(vocabulary()[name].values)
    truth = "|".join(data.draw(st.lists(values, min_size=1, max_size=2, unique=True)))
    answer = data.draw(values)
    theirs = scoring(tool).compare(name, truth, answer)
    alike = {"right": "correct", "silent": "abstain", "withheld": "correct"}
    ours = judging.judge_cell(name, truth, answer)
    assert alike.get(ours, ours) == theirs


def test_shares_count_what_they_say() -> None:
    cells = [cell("right")] * 6 + [cell("wrong")] * 2 + [cell("silent")] * 2 + [cell("withheld", truth="unknown")]
    assert (judging.accuracy(cells).value, judging.accuracy(cells).n) == (0.75, 8)
    assert judging.answered(cells).value == 0.8 and judging.right(cells).value == 0.6


@given(st.integers(1, 200), st.data())
def test_the_interval_holds_the_share(n: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, n))
    low, high = judging.wilson(hits, n)
    assert 0.0 <= low <= hits / n + 1e-12 and hits / n - 1e-12 <= high <= 1.0


def test_the_bootstrap_is_wider_where_studies_differ_as_wholes() -> None:
    mixed = [cell("right" if k % 2 else "wrong", f"s{s}") for s in range(10) for k in range(10)]
    whole = [cell("right" if s % 2 else "wrong", f"s{s}") for s in range(10) for k in range(10)]
    a, b = judging.accuracy(mixed), judging.accuracy(whole)
    assert a.value == b.value == 0.5 and b.high - b.low > a.high - a.low
    assert judging.accuracy(whole) == b


def test_a_threshold_trades_answers_for_accuracy() -> None:
    cells = [cell("right", confidence=0.9)] * 8 + [cell("wrong", confidence=0.6)] * 2
    assert judging.curve(cells, (0.0, 0.7)) == [(0.0, 1.0, 0.8, 2), (0.7, 0.8, 1.0, 0)]


def test_the_calibration_error_is_that_of_the_bins() -> None:
    cells = [cell("right", confidence=0.8)] * 5 + [cell("wrong", confidence=0.8)] * 5
    error, bins = judging.calibration_error(cells, bins=1)
    assert error == pytest.approx(0.3) and bins == [(pytest.approx(0.8), 0.5, 10)]


def test_macro_f1_by_hand() -> None:
    pairs = {("T1w", "T1w"): 3, ("T1w", "T2w"): 1, ("T2w", "T2w"): 2, ("T2w", "unknown"): 2}
    f1, classes = judging.macro_f1(pairs)
    assert classes == 2 and f1 == pytest.approx((2 * 3 / (3 + 4) + 2 * 2 / (3 + 4)) / 2)


def test_the_road_of_tables_finds_right_and_wrong(runner: damage.Runner) -> None:
    verdicts = {(c.key, c.attribute): c.verdict for c in runner.clean}
    assert verdicts["row:0", "sequence"] == verdicts["row:0", "plane"] == verdicts["row:1", "sequence"] == "right"
    assert verdicts["row:2", "sequence"] == verdicts["row:2", "plane"] == "wrong"
    assert ("row:1", "fatsat") not in verdicts


def test_swapped_text_moves_in_a_circle() -> None:
    texts = {f"k{n}": (f"d{n}", f"p{n}") for n in range(10)}
    moved = perturb.swapped(texts, 0.4, seed=1)
    assert len(moved) == 4 and moved == perturb.swapped(texts, 0.4, seed=1)
    given_text = {key: (c["SeriesDescription"], c["ProtocolName"]) for key, c in moved.items()}
    assert all(given_text[key] != texts[key] for key in moved)
    assert sorted(given_text.values()) == sorted(texts[key] for key in moved)


def test_an_element_taken_away_is_gone_from_files_and_rows(runner: damage.Runner) -> None:
    instance = Instance(path="a", EchoTime=5.0, b_value=800.0, b_value_source="DiffusionBValue")
    assert {"EchoTime", "DiffusionBValue"} <= perturb.held(instance)
    bare = perturb.changed(instance, perturb.without("EchoTime", "DiffusionBValue"))
    assert bare == Instance(path="a")
    without_plane = runner.damaged(damage.removal(runner.labelled, "ImageOrientationPatient"))
    planes = [c for c in without_plane if c.attribute == "plane" and c.key == "row:0"]
    assert planes[0].confidence > 0 and "ImageOrientationPatient" in damage.elements(runner.labelled)


def test_the_worst_removal_exempts_what_the_element_defines(runner: damage.Runner) -> None:
    runs = [
        ("ImageOrientationPatient", [c for c in runner.clean if c.attribute != "plane"]),
        ("EchoTime", [c for c in runner.clean if c.attribute != "sequence"]),
    ]
    worst = {loss.attribute: loss for loss in damage.worst_removals(runner, runs)}
    assert set(worst) == {"sequence"} and worst["sequence"].damage == "without EchoTime"
    assert worst["sequence"].right.value == pytest.approx(-2 / 3)


@pytest.mark.parametrize("name", ["headers", "descriptions", "judged"])
def test_every_label_is_in_the_vocabulary(name: str) -> None:
    rows = read_rows(ROOT / "benchmarks" / "labelled" / f"{name}.csv")
    assert {row["split"] for row in rows} == {"dev", "test"}
    for row in rows:
        for column, truth in row.items():
            attribute = vocabulary().get(column.removeprefix(TRUTH))
            if attribute is None or (name != "judged" and not column.startswith(TRUTH)):
                continue
            for answer in filter(None, truth.split("|")):
                words = answer.replace("-", "").split() if attribute.kind == "words" else [answer]
                assert set(words) <= set(attribute.values), (row, column)


def test_no_study_stands_in_both_halves() -> None:
    rows = read_rows(ROOT / "benchmarks" / "labelled" / "headers.csv")
    assert len({(row["study"], row["split"]) for row in rows}) == len({row["study"] for row in rows})


def test_the_page_keeps_all_but_the_figures(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    report.write_block(page, "new")
    assert page.read_text() == f"# Before\n{report.BEGIN}\n\nnew\n\n{report.END}\nafter\n"
    page.write_text("no marks")
    with pytest.raises(SystemExit, match="there are no lines"):
        report.write_block(page, "new")


@pytest.mark.slow
def test_the_whole_benchmark_runs_without_the_real_data(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    command = [sys.executable, ROOT / "benchmarks" / "harmonise.py", "--quick", "--labelled", table, "--json", out]
    environment = {"PATH": "", "TRIALBIDS_TEST_DATA": str(tmp_path), "PYTHONSAFEPATH": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert "left out" in done.stdout
    tables = json.loads(out.read_text())
    labelled = next(t for t in tables if t["title"] == "Labelled tables")
    own = [row for row in labelled["rows"] if row[0] == "table" and row[1] == "sequence"]
    assert own[0][2].startswith("66.7") and own[0][2].endswith("n=3")


def test_errors_of_the_test_halves_are_never_listed() -> None:
    source = csv.DictReader((ROOT / "benchmarks" / "labelled" / "descriptions.csv").read_text().splitlines())
    rows = [row for row in source if row["split"] == "test"][:40]
    closed = damage.Runner(TableSet("descriptions, test", rows), Judge(load_rules()))
    assert errors.listing([closed], [closed]) == []
