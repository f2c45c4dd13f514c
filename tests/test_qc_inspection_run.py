"""The command from end to end on a small tree: draw, fill in, read, draw again."""

from __future__ import annotations

import csv
import json
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
import typer
from treemaker import small_trial
from typer.testing import CliRunner

from trialbids.exporter.cli_sample import sample
from trialbids.exporter.errors import UsageError
from trialbids.exporter.qc.inspection.estimate import inspection_of
from trialbids.exporter.qc.inspection.judged import inspection_findings
from trialbids.exporter.qc.inspection.population import read_population
from trialbids.exporter.qc.names import ASPECTS

APP = typer.Typer()
APP.command()(sample)


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    """A folder with trial.yaml, a released tree, and a work folder that knows its stacks."""
    root = small_trial(tmp_path / "bids")
    (tmp_path / "incoming").mkdir()
    (tmp_path / "trial.yaml").write_text("trial: small\nsources: [incoming]\noutput: bids\nwork: work\n")
    work = tmp_path / "work"
    work.mkdir()
    (work / ".lock").touch()
    rows = [f"stack{n}\t{image.path}\tkeep" for n, image in enumerate(read_population(root))]
    (work / "plan.tsv").write_text("\n".join(["stack_id\tbids_path\tfinal_decision", *rows]) + "\n")
    return tmp_path


def run(trial: Path, *arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(APP, [str(trial / "trial.yaml"), "--json", *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def fill(path: Path, wrong: int = 0, rows: int | None = None) -> Path:
    """Fill a table in: the first so many have an artefact, the others are right."""
    with path.open(newline="") as file:
        table = list(csv.DictReader(file, delimiter="\t"))
    for n, row in enumerate(table[:rows]):
        row |= dict.fromkeys(ASPECTS, "right") | ({"artefact": "wrong"} if n < wrong else {})
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]), delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    return path


def images_of(path: str) -> list[str]:
    with Path(path).open(newline="") as file:
        return [row["image"] for row in csv.DictReader(file, delimiter="\t")]


def test_draw_fill_in_and_read(trial: Path) -> None:
    made = run(trial, "--n", "12")
    assert (made["drawn"], made["images"], made["inspection"]) == (12, 47, 1)
    verdicts = fill(Path(made["verdicts"]), wrong=2)
    told = run(trial, "--read", str(verdicts))
    assert told["rows"] == 12
    assert [issue["check"] for issue in told["issues"]] == ["M04", "M04"]
    assert (told["result"]["sample"]["n"], told["result"]["sample"]["wrong"]) == (12, 2)
    found = inspection_of(trial / "work")
    assert found is not None
    assert found.to_json() == told["result"]
    findings = inspection_findings(trial / "work")
    assert {f.subject for f in findings} == {issue["stack_id"] for issue in told["issues"]}
    assert all(f.stacks[0].startswith("stack") for f in findings)
    assert {f.id for f in inspection_findings(trial / "work")} == {f.id for f in findings}


def test_the_sheet_is_for_its_owner_alone_and_lies_outside_the_tree(trial: Path) -> None:
    before = sorted((trial / "bids").rglob("*"))
    made = run(trial, "--n", "5")
    for name in ("sheet", "verdicts"):
        assert stat.S_IMODE(Path(made[name]).stat().st_mode) == 0o600
    assert stat.S_IMODE(Path(made["sheet"]).parent.stat().st_mode) == 0o700
    assert sorted((trial / "bids").rglob("*")) == before


def test_the_same_seed_and_tree_give_the_same_sample(trial: Path) -> None:
    once, twice, other = (run(trial, "--n", "9", "--seed", seed)["verdicts"] for seed in ("4", "4", "5"))
    assert images_of(once) == images_of(twice) != images_of(other)


def test_what_was_judged_and_is_unchanged_does_not_come_again(trial: Path) -> None:
    first = run(trial, "--n", "20")
    run(trial, "--read", str(fill(Path(first["verdicts"]), rows=15)))
    second = run(trial, "--n", "100")
    assert second["drawn"] == 47 - 15
    assert not set(images_of(first["verdicts"])[:15]) & set(images_of(second["verdicts"]))
    run(trial, "--read", str(fill(Path(second["verdicts"]))))
    with pytest.raises(UsageError, match="all 47 images were inspected"):
        run(trial)
    assert run(trial, "--again", "--n", "7")["drawn"] == 7


def test_a_verdict_that_is_taken_back_closes_its_issue(trial: Path) -> None:
    made = run(trial, "--n", "6")
    run(trial, "--read", str(fill(Path(made["verdicts"]), wrong=1)))
    assert len(inspection_findings(trial / "work")) == 1
    assert run(trial, "--read", str(fill(Path(made["verdicts"]))))["issues"] == []
    assert inspection_findings(trial / "work") == ()


def test_the_size_follows_from_the_bound_that_is_wanted(trial: Path) -> None:
    assert run(trial, "--max-error", "0.1")["drawn"] == 29
    made = run(trial, "--per-stratum", "2")
    assert made["drawn"] == 2 * made["strata_in_tree"]


def test_the_sheet_may_go_elsewhere_and_the_verdicts_come_back_from_there(trial: Path) -> None:
    made = run(trial, "--n", "4", "--to", str(trial / "for-the-reader"))
    assert Path(made["sheet"]) == trial / "for-the-reader" / "sheet.html"
    assert run(trial, "--read", str(fill(trial / "for-the-reader" / "verdicts.tsv")))["rows"] == 4


def test_what_a_person_sees_names_the_bound(trial: Path) -> None:
    made = run(trial, "--n", "30")
    done = CliRunner().invoke(APP, [str(trial / "trial.yaml"), "--read", str(fill(Path(made["verdicts"])))])
    assert done.exit_code == 0
    assert "none of them was wrong" in done.output
    assert "at most 9.6 %" in done.output  # 1 - 0.05 ** (1 / 30) = 9.503 %, rounded up


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--n", "5", "--max-error", "0.1"], "give one of them"),
        (["--n", "0"], "--n 0: expected a whole number from 1"),
        (["--max-error", "5"], "expected a share between 0 and 1"),
        (["--to", "{}/bids/sheets"], "lies in the released tree"),
        (["--to", "{}/incoming/sheets"], "lies in the source"),
        (["--to", "{}"], "is no empty folder"),
        (["--read", "{}/none.tsv"], "nothing was drawn yet"),
        (["--read", "{}/none.tsv", "--n", "5"], "draws nothing"),
        (["--work", "{}/bids"], "is no work folder"),
    ],
)
def test_arguments_that_cannot_be_are_refused_in_one_sentence(trial: Path, arguments: list[str], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as told:
        run(trial, *(word.format(trial) for word in arguments))
    assert "\n" not in str(told.value)
    assert not (trial / "work" / "inspection").exists()


def test_a_tree_without_a_manifest_and_a_work_folder_without_a_plan_are_said_so(trial: Path) -> None:
    (trial / "work" / "plan.tsv").unlink()
    with pytest.raises(UsageError, match=r"plan\.tsv: there is no plan"):
        run(trial)
    (trial / "bids" / "curation" / "manifest.parquet").write_bytes(b"no parquet")
    with pytest.raises(UsageError, match="is no manifest of a released tree"):
        run(trial)
    shutil.rmtree(trial / "bids" / "curation")
    with pytest.raises(UsageError, match="run trialbids export first"):
        run(trial)
