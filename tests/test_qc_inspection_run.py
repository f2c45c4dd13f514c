"""The command from end to end on a small tree: draw, fill in, read, draw again."""

from __future__ import annotations

import csv
import json
import shutil
import stat
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from treemaker import small_trial
from typer.testing import CliRunner

from trialbids.exporter.cli_sample import sample
from trialbids.exporter.deidentify.prose import strange_lines
from trialbids.exporter.errors import UsageError
from trialbids.exporter.qc.inspection.estimate import inspection_of
from trialbids.exporter.qc.inspection.fate import staying
from trialbids.exporter.qc.inspection.judged import inspection_findings
from trialbids.exporter.qc.inspection.population import read_population
from trialbids.exporter.qc.ledger.waivers import Waiver, add_waivers
from trialbids.exporter.qc.names import ASPECTS
from trialbids.exporter.release.dataset import write_description
from trialbids.exporter.trial import load_trial

APP = typer.Typer()
APP.command()(sample)
TODAY = date(2026, 11, 23)


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


def said(trial: Path, *arguments: str) -> str:
    done = CliRunner().invoke(APP, [str(trial / "trial.yaml"), *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_a_draw_says_what_it_shows_together_with_earlier_verdicts(trial: Path) -> None:
    first = run(trial, "--n", "20")
    run(trial, "--read", str(fill(Path(first["verdicts"]), wrong=1)))
    told = said(trial, "--n", "10")
    assert "if all are right, with the 20 judged before, 1 of them wrong: at most 14.9 % of images" in told  # 1 in 30
    assert "max-error" not in told


def test_a_draw_says_whether_the_wanted_bound_is_met_and_how_many_more_would_do(trial: Path) -> None:
    first = run(trial, "--n", "20")
    run(trial, "--read", str(fill(Path(first["verdicts"]), wrong=2)))
    loose = run(trial, "--max-error", "0.6", "--seed", "3")
    assert loose["meets_max_error"] and loose["more_needed"] == 0
    assert "that meets --max-error 0.6" in said(trial, "--max-error", "0.6")
    tight = run(trial, "--max-error", "0.14", "--seed", "3")
    assert not tight["meets_max_error"]
    n = tight["drawn"] + tight["more_needed"]
    assert run(trial, "--n", str(n), "--seed", "3")["at_most_if_right"] <= 0.14
    assert run(trial, "--n", str(n - 1), "--seed", "3")["at_most_if_right"] > 0.14
    assert f"{tight['more_needed']} more images would do (--n {n})" in said(trial, "--max-error", "0.14", "--seed", "3")
    assert "the images that are left would not do either" in said(trial, "--max-error", "0.03")


def test_what_becomes_of_a_wrong_image_is_said_as_it_is(trial: Path) -> None:
    made = run(trial, "--n", "6")
    verdicts = str(fill(Path(made["verdicts"]), wrong=1))
    assert "the next export takes it out, unless" in said(trial, "--read", verdicts)
    assert staying(trial / "work", TODAY) == 0
    (finding,) = inspection_findings(trial / "work")
    waiver = Waiver(finding.id, finding.check, "AB", "known", "", TODAY.isoformat(), finding.digest)
    add_waivers(trial / "work", [waiver])
    told = said(trial, "--read", verdicts)
    assert "waived: this does not keep it out" in told and "takes it out" not in told
    assert staying(trial / "work", TODAY) == 1
    manifest = trial / "bids" / "curation" / "manifest.parquet"
    table = pq.read_table(manifest)
    (image,) = (issue["image"] for issue in run(trial, "--read", verdicts)["issues"])
    others = [path != image for path in table["path"].to_pylist()]
    pq.write_table(table.filter(pa.array(others)), manifest)
    assert "no longer holds it as it was judged" in said(trial, "--read", verdicts)


@pytest.mark.parametrize(
    ("wrong", "images", "expected"),
    [
        (1, 6, "a random sample of 6 of 47 images. Estimated from it,"),
        (0, 47, "A person looked at all 47 images: 0.0 %"),
    ],
)
def test_the_readme_says_what_the_figure_is(trial: Path, wrong: int, images: int, expected: str) -> None:
    made = run(trial, "--n", str(images))
    run(trial, "--read", str(fill(Path(made["verdicts"]), wrong=wrong)))
    write_description(trial / "bids", load_trial(trial / "trial.yaml"), "0" * 16, inspection_of(trial / "work"))
    readme = (trial / "bids" / "README").read_text()
    assert expected in readme
    assert ("what was judged wrong was taken out or repaired." in readme) == bool(wrong)
    assert list(strange_lines(readme, "small")) == []


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


def said_of(trial: Path, *arguments: str) -> str:
    """The one sentence with which the command is refused."""
    with pytest.raises(UsageError) as error:
        run(trial, *arguments)
    assert "\n" not in str(error.value) and len(str(error.value)) < 500
    return str(error.value).removeprefix(f"{trial}/")


def changed(column: str, value: object) -> Callable[[Path], None]:
    """A manifest whose first row holds this."""

    def change(manifest: Path) -> None:
        table = pq.read_table(manifest)
        place = table.schema.get_field_index(column)
        cells = [value, *table.column(place).to_pylist()[1:]]
        kind = table.schema.field(place).type if not isinstance(value, int) else pa.int64()
        cells = cells if not isinstance(value, int) else [value] * len(cells)
        pq.write_table(table.set_column(place, column, pa.array(cells, kind)), manifest)

    return change


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("affine", None), ("affine", [1.0] * 9), ("affine", [float("nan")] * 16), ("path", None),
        ("path", "../sub-01/anat/x.nii.gz"), ("sequence", "T9w"), ("phase_index", "first"), ("site", 5),
    ],
)  # fmt: skip
def test_a_manifest_that_no_export_wrote_is_told_by_row_and_column(trial: Path, column: str, value: object) -> None:
    changed(column, value)(trial / "bids" / "curation" / "manifest.parquet")
    sentence = said_of(trial, "--n", "2")
    assert sentence == (
        f"bids/curation/manifest.parquet: row 1: {column}: holds what no export writes; export the trial again"
    )


def draw_with(**changes: object) -> Callable[[dict[str, Any]], object]:
    return lambda draw: draw.update(changes)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda draw: draw.pop("strata"), "line 1: strata: is missing"),
        (draw_with(number="1"), "line 2: number: expected a valid integer"),
        (draw_with(number=2), "number: is 2; expected 1, the name of its folder"),
        (draw_with(images={}), "images: expected a list"),
        (draw_with(more=1), "more: is no key that is known here"),
        (lambda draw: draw["images"][0].pop("bases"), "images.0.bases: is missing"),
        (lambda draw: draw["images"][0]["bases"].pop("label"), "images.0.bases: expected label, orientation"),
        (lambda draw: draw["images"][0].update(state="a" * 16), "image 1 of the list is of no group under strata"),
        (lambda draw: draw["images"].append(draw["images"][0]), "image 3 of the list stands in it twice"),
    ],
)
def test_a_draw_that_was_changed_by_hand_is_told(trial: Path, change: Callable[[Any], object], expected: str) -> None:
    run(trial, "--n", "2")
    path = trial / "work" / "inspection" / "1" / "draw.json"
    draw = json.loads(path.read_bytes())
    change(draw)
    path.write_text(json.dumps(draw, indent=1))
    sentence = said_of(trial, "--n", "1")
    assert sentence.startswith("work/inspection/1/draw.json: ") and expected in sentence


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("\tright\t", "\tfine\t", "line 2: column label: 'fine': expected right, wrong, unsure or nothing"),
        ("\n1\t", "\n" + "9" * 5000 + "\t", "line 2: column inspection: '99999999999999999999': expected 1"),
        ("\tsub-", "\tsub-x", "line 2: column image: is no image of inspection 1"),
        ("\tlabel\t", "\tname\t", "line 1: has no column label"),
        ("\tright\tright", "\tright", "line 2: is not whole: expected 11 cells"),
    ],
)
def test_verdicts_that_were_changed_by_hand_are_told(trial: Path, old: str, new: str, expected: str) -> None:
    run(trial, "--n", "2")
    folder = trial / "work" / "inspection" / "1"
    run(trial, "--read", str(fill(folder / "verdicts.tsv")))
    taken = folder / "taken.tsv"
    assert old in taken.read_text()
    taken.write_text(taken.read_text().replace(old, new, 1))
    assert said_of(trial, "--n", "1").startswith(f"work/inspection/1/taken.tsv: {expected}")


def test_a_folder_of_another_name_is_no_inspection(trial: Path) -> None:
    run(trial, "--n", "2")
    folder = trial / "work" / "inspection"
    for name in ("01", "٣", "9" * 200):
        shutil.copytree(folder / "1", folder / name)
    assert run(trial, "--n", "1")["inspection"] == 2


def test_findings_that_were_changed_by_hand_are_told(trial: Path) -> None:
    run(trial, "--n", "2")
    run(trial, "--read", str(fill(trial / "work" / "inspection" / "1" / "verdicts.tsv", wrong=1)))
    path = trial / "work" / "inspection" / "findings.json"
    path.write_text(path.read_text().replace("M04", "G04"))
    with pytest.raises(UsageError, match=r"findings.json: line 3: 0.code: expected 'M01'.*read the verdicts in again"):
        inspection_findings(trial / "work")
