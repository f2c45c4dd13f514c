"""The commands ``datalist``, ``splits`` and ``card``, reached through ``trialbids`` as a user reaches them."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from treemaker import small_trial

from trialbids.datasets.exports.formats import FORMATS
from trialbids.exporter.border import run as border_run
from trialbids.exporter.cli import app

OPTIONS = ("--image", "t2=T2w,plane=sag", "--label", "lesion=lesion,reader=consensus", "--qc", "warn")
RECIPE = """\
images:
  t2: {sequence: T2w, plane: sag}
labels:
  lesion: {label: lesion, reader: consensus}
targets:
  age: {regression: age}
qc: warn
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Ended]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = small_trial(tmp_path_factory.mktemp("tree") / "bids")
    (root.parent / "cohort.yaml").write_text(RECIPE)
    return root


@pytest.fixture
def trialbids(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # those of pytest stay

    def run(*words: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["trialbids", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            border_run(app)
        shown = capsys.readouterr()
        return Ended(int(ended.value.code or 0), shown.out, shown.err)

    return run


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_from_splits_to_lists_with_the_same_parts(trialbids: Command, tree: Path, tmp_path: Path) -> None:
    recipe, splits = tree.parent / "cohort.yaml", tmp_path / "lists" / "splits.tsv"
    made = trialbids("splits", tree, "--cohort", recipe, "--k", 3, "--stratify", "site", "--out", splits)
    assert (made.code, made.err) == (0, "")
    assert "fold3" in made.out and "no leak" in made.out
    asked = ("--cohort", recipe, "--splits", splits)
    assert trialbids("datalist", tree, "--format", "monai", *asked, "--out", tmp_path / "list.json").code == 0
    assert trialbids("datalist", tree, "--format", "nnunet", *asked, "--out", tmp_path / "Dataset501_Lesion").code == 0
    assert trialbids("datalist", tree, "--format", "tsv", *asked, "--out", tmp_path / "cohort.tsv").code == 0
    assert trialbids("datalist", tree, "--format", "torchio", *asked, "--out", tmp_path / "subjects.json").code == 0
    items = json.loads((tmp_path / "list.json").read_text())["training"]
    cases = json.loads((tmp_path / "Dataset501_Lesion" / "splits_final.json").read_text())
    subjects = json.loads((tmp_path / "subjects.json").read_text())["folds"]
    rows = table(tmp_path / "cohort.tsv")
    for number in range(3):
        held = {f"{row['participant_id']}_ses-01" for row in table(splits) if row[f"fold{number + 1}"] == "val"}
        assert held == {item["sample_id"] for item in items if item["fold"] == number}
        assert held == set(cases[number]["val"])
        assert held == {sample for sample, part in subjects[number].items() if part == "val"}
        assert held == {row["sample_id"] for row in rows if row[f"fold{number + 1}"] == "val"}


def test_the_options_say_the_same_as_a_recipe(trialbids: Command, tree: Path, tmp_path: Path) -> None:
    words = ("datalist", tree, "--format", "tsv")
    trialbids(*words, "--cohort", tree.parent / "cohort.yaml", "--out", tmp_path / "a.tsv")
    done = trialbids(*words, *OPTIONS, "--target", "age=regression:age", "--out", tmp_path / "b.tsv", "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert told == {"written": str(tmp_path / "b.tsv"), "samples": 6, "files": 1, "notes": []}
    assert table(tmp_path / "a.tsv") == table(tmp_path / "b.tsv")
    few = trialbids(*words, *OPTIONS, "--where", "age > 33", "--out", tmp_path / "c.tsv", "--json")
    assert json.loads(few.out)["samples"] == 3


def test_an_earlier_table_is_continued_and_checked(trialbids: Command, tree: Path, tmp_path: Path) -> None:
    before, after = tmp_path / "before.tsv", tmp_path / "after.tsv"
    asked = ("splits", tree, *OPTIONS)
    made = trialbids(*asked, "--where", "age < 35", "--k", 2, "--out", before)
    assert made.code == 0, made.err
    assert trialbids(*asked, "--previous", before, "--out", after).code == 0
    parts = {row["participant_id"]: row["fold1"] for row in table(after)}
    assert all(parts[row["participant_id"]] == row["fold1"] for row in table(before))
    assert len(parts) == 6
    checked = trialbids(*asked, "--check", after, "--json")
    assert checked.code == 0 and json.loads(checked.out)["leaks"] == 0


def test_leaving_one_out_makes_a_fold_a_value(trialbids: Command, tree: Path, tmp_path: Path) -> None:
    done = trialbids("splits", tree, *OPTIONS, "--leave-one-out", "site", "--out", tmp_path / "splits.tsv", "--json")
    assert done.code == 0, done.err
    assert {part["fold"] for part in json.loads(done.out)["parts"]} == {"without S01", "without S02"}


def test_a_leak_ends_with_4_and_names_who(trialbids: Command, tree: Path, tmp_path: Path) -> None:
    rows = ["participant_id\tgroup\tfold1"]
    rows += [f"sub-{n:02d}\t{'twins' if n in (2, 5) else f'g{n}'}\t{'val' if n > 4 else 'train'}" for n in range(1, 7)]
    (tmp_path / "splits.tsv").write_text("\n".join(rows) + "\n")
    done = trialbids("splits", tree, *OPTIONS, "--check", tmp_path / "splits.tsv")
    assert done.code == 4
    assert "sub-02" in done.err and "sub-05" in done.err


NO_COHORT = "say what a sample holds"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "howto-lists.md"
WRONG = {
    "a format nobody knows": (("--format", "niftynet"), 2, "--format niftynet: is not known; legal: monai, auto3dseg"),
    "no cohort": (("--format", "tsv"), 2, NO_COHORT),
    "both": (("--format", "tsv", "--cohort", "cohort.yaml", "--qc", "warn"), 2, "--cohort: says it all; leave"),
    "a key twice": (("--format", "tsv", "--image", "t2=T2w", "--image", "t2=T1w"), 2, "--image: the key 't2' is given"),
    "a target without a kind": (("--format", "tsv", *OPTIONS, "--target", "age=age"), 2, "--target age=age: write a"),
    "a kind nobody knows": (("--format", "tsv", *OPTIONS, "--target", "a=class:age"), 2, "targets.a: expected one of"),
    "a sequence nobody knows": (("--format", "tsv", "--image", "t2=T9w"), 2, "'T9w' is not in the vocabulary"),
    "a column nobody has": (("--format", "tsv", *OPTIONS, "--where", "agee > 1"), 2, "agee"),
    "a fold of nothing": (("--format", "monai", *OPTIONS, "--fold", "1"), 2, "--fold: counts the folds of a table"),
    "a choice it has not": (("--format", "tsv", *OPTIONS, "--copy"), 2, "--copy: tsv has no such choice; leave it out"),
    "no splits there": (("--format", "tsv", *OPTIONS, "--splits", "none.tsv"), 2, "none.tsv: cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize(("words", "code", "sentence"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_one_sentence(
    trialbids: Command, tree: Path, tmp_path: Path, words: tuple[str, ...], code: int, sentence: str
) -> None:
    done = trialbids("datalist", tree, *words, "--out", tmp_path / "out")
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("trialbids: ") and sentence in done.err and done.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_mistyped_recipe_and_a_place_in_the_tree_are_named(trialbids: Command, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "cohort.yaml").write_text(RECIPE.replace("targets", "target"))
    words = ("datalist", tree, "--format", "tsv", "--cohort", tmp_path / "cohort.yaml")
    typo = trialbids(*words, "--out", tmp_path / "out.tsv")
    assert typo.code == 2 and "cohort.yaml: line 5: target: unknown key" in typo.err
    inside = trialbids(*words, "--out", tree / "derivatives" / "out.tsv")
    assert inside.code == 2 and "lies inside the BIDS tree" in inside.err
    nowhere = trialbids("datalist", tmp_path / "none", "--format", "tsv", *OPTIONS, "--out", tmp_path / "out.tsv")
    assert nowhere.code == 2 and str(tmp_path / "none") in nowhere.err


def test_making_and_checking_at_once_is_refused(trialbids: Command, tree: Path, tmp_path: Path) -> None:
    both = trialbids("splits", tree, *OPTIONS, "--k", 2, "--check", tmp_path / "splits.tsv")
    assert both.code == 2 and "--check: looks at a table that is there" in both.err
    neither = trialbids("splits", tree, *OPTIONS, "--k", 2)
    assert neither.code == 2 and "give --out" in neither.err


def test_damage_is_no_mistake_of_the_user(trialbids: Command, tmp_path: Path) -> None:
    root = small_trial(tmp_path / "bids")
    image = next(root.rglob("sub-02*_ADC.nii.gz"))  # it is scaled, so it is read
    stat = image.stat()
    image.write_bytes(image.read_bytes()[:-8] + b"damaged!")
    os.utime(image, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    words = ("--image", "adc=ADC", "--missing", "drop", "--out", tmp_path / "list.json")
    done = trialbids("datalist", root, "--format", "monai", *words)
    assert done.code == 1
    assert "sub-02 ses-01" in done.err and image.name in done.err
    assert not list(tmp_path.glob("list*"))


def test_the_page_on_lists_is_true(trialbids: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_trial(tmp_path / "demo-trial" / "bids")
    monkeypatch.chdir(tmp_path)
    ran = Counter[str]()
    text = PAGE.read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S):
        ran[language] += 1
        if language == "yaml":
            Path("cohort.yaml").write_text(block)
        elif language == "bash":
            for line in block.replace("\\\n", " ").splitlines():
                done = trialbids(*shlex.split(line, comments=True)[1:])
                assert done.code == 0, f"{line}: {done.err}"
        elif language == "python":
            exec(compile(block, str(PAGE), "exec"), names)
    assert ran["bash"] >= 4 and ran["python"] >= 2 and ran["yaml"] == 1
    assert all(f"`{name}`" in text for name in FORMATS)


def test_help_lists_them_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from trialbids.exporter.cli import app, Commands; import typer;"
        "shown = typer.main.get_command(app).list_commands(None);"
        "print(shown[-3:], sorted({'torch', 'monai', 'numpy', 'pyarrow', 'nibabel', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['datalist', 'splits', 'card'] []"


def test_leaving_one_out_says_itself_what_is_tested_on(trialbids: Command, tree: Path, tmp_path: Path) -> None:
    done = trialbids("splits", tree, *OPTIONS, "--leave-one-out", "site", "--test", 0.2, "--out", tmp_path / "s.tsv")
    assert done.code == 2 and "tests on who has it; leave out --test" in done.err


def test_croissant_is_told_what_the_tree_does_not_say(trialbids: Command, tree: Path, tmp_path: Path) -> None:
    words = ("datalist", tree, *OPTIONS, "--format")
    told = ("--licence", "CC0", "--creator", "A. Author", "--creator", "B. Author")
    done = trialbids(*words, "croissant", *told, "--out", tmp_path / "out")
    assert done.code == 0 and "--licence" not in done.out and "--creator" not in done.out
    body = json.loads((tmp_path / "out" / "croissant.json").read_text())
    assert body["license"] == "CC0" and [one["name"] for one in body["creator"]] == ["A. Author", "B. Author"]
    assert "--licence" in trialbids(*words, "croissant", "--out", tmp_path / "bare").out
    assert trialbids(*words, "tsv", *told, "--out", tmp_path / "a.tsv").code == 2


@pytest.mark.parametrize("name", ["huggingface", "webdataset", "croissant"])
def test_a_format_without_resampling_says_what_to_do(trialbids: Command, tree: Path, tmp_path: Path, name: str) -> None:
    words = ("--grid", "t2", "--format", name, "--out", tmp_path / "out")
    done = trialbids("datalist", tree, *OPTIONS, *words)
    assert done.code == 2 and "leave out --grid" in done.err and "take one of monai, " in done.err


def test_the_json_beside_a_table_is_not_replaced(trialbids: Command, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "splits.json").write_text("mine")
    done = trialbids("splits", tree, *OPTIONS, "--k", 2, "--out", tmp_path / "splits.tsv")
    assert done.code == 2 and "splits.json: is there already" in done.err
    assert (tmp_path / "splits.json").read_text() == "mine" and not (tmp_path / "splits.tsv").exists()


def test_no_cell_of_a_table_is_a_formula(trialbids: Command, tmp_path: Path) -> None:
    root = small_trial(tmp_path / "bids")
    people = root / "participants.tsv"
    people.write_text(people.read_text().replace("S01\t31", '=HYPERLINK("http://x")\t-3'))
    words = ("--image", "t2=T2w", "--qc", "any", "--target", "age=regression:age", "--format", "tsv")
    done = trialbids("datalist", root, *words, "--out", tmp_path / "out.tsv")
    assert "out.tsv: 6 samples, 1 file\n" in done.out and "have an apostrophe before them, in: site." in done.out
    row = table(tmp_path / "out.tsv")[0]
    assert (row["site"], row["age"]) == ('\'=HYPERLINK("http://x")', "-3")


PYTHON = re.compile(r"(?<!-)\b[a-z_]+\((?!s\))|\b(previous|where|missing|fold|groups|k|val|test|grid|told|changed)=")


def test_what_goes_wrong_is_told_in_options(trialbids: Command, tree: Path, tmp_path: Path) -> None:
    table, few = tmp_path / "splits.tsv", tmp_path / "few.tsv"
    splits = ("splits", tree, *OPTIONS)
    assert trialbids(*splits, "--k", 2, "--out", table).code == 0
    assert trialbids(*splits, "--k", 2, "--where", "age < 35", "--out", few).code == 0
    other = ("--image", "t2=T2w,plane=sag", "--qc", "warn")
    lists = ("datalist", tree, *OPTIONS, "--out", tmp_path / "out", "--format")
    ended = [
        trialbids("splits", tree, *other, "--check", table),
        trialbids(*splits, "--check", few),
        trialbids(*splits, "--out", tmp_path / "new.tsv"),
        trialbids(*splits, "--k", 3, "--previous", table, "--out", tmp_path / "new.tsv"),
        trialbids(*splits, "--k", 2, "--stratify", "participant_id", "--out", tmp_path / "new.tsv"),
        trialbids(*lists, "webdataset", "--splits", table),
        trialbids("datalist", tree, *OPTIONS, "--image", "t1=T1w", "--format", "tsv", "--out", tmp_path / "out"),
    ]
    for done in ended:
        assert done.code == 2 and not PYTHON.search(done.err), done.err
    assert "--previous OLD.tsv --out NEW.tsv" in ended[0].err and "--previous OLD.tsv --out NEW.tsv" in ended[1].err
    again = trialbids("splits", tree, *other, "--previous", table, "--out", tmp_path / "again.tsv")
    assert again.code == 0, again.err
    assert trialbids("splits", tree, *other, "--check", tmp_path / "again.tsv").code == 0


def test_croissant_warns_once_and_not_by_the_log_of_its_library(
    trialbids: Command, tree: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    done = trialbids("datalist", tree, *OPTIONS, "--format", "croissant", "--out", tmp_path / "out")
    assert done.code == 0 and (done.err, caplog.text) == ("", "") and "Told" not in done.out
