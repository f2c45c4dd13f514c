"""``trialbids harmonise`` as a user meets it, and the page that explains it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from trialbids.exporter.harmonise.columns import KEYWORDS, OF_SERIES

BIN = Path(sys.executable).parent
PAGE = Path(__file__).resolve().parents[1] / "docs" / "howto-judge-a-table.md"


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONSAFEPATH": "1"}
    return subprocess.run(
        [str(BIN / "trialbids"), *words], cwd=folder, env=env, capture_output=True, text=True, check=False
    )


def test_the_summary_for_people_and_for_machines(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("SeriesDescription,EchoTime\nt2_tse_sag,100\nxyzzy,long\n")
    shown = run(tmp_path, "harmonise", "--table", "in.csv", "-o", "out.csv")
    assert shown.returncode == 0, shown.stderr
    assert "in.csv: 2 rows, 1 answered (50%), 1 unknown; written to out.csv" in shown.stdout
    assert "line 3 EchoTime 'long'" in shown.stdout
    told = json.loads(run(tmp_path, "harmonise", "--table", "in.csv", "-o", "out.csv", "--json").stdout)
    assert (told["rows"], told["answered"], told["unknown"]) == (2, 1, 1)
    assert told["sequences"] == {"T2w": 1, "unknown": 1}
    assert told["bad_cells"] == [{"line": 3, "column": "EchoTime", "cell": "long"}]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--table", "absent.csv", "-o", "out.csv"], "absent.csv: cannot be read"),
        (["--table", "in.csv", "-o", "in.csv"], "in.csv: is the table that is read"),
        (["--table", "in.csv", "-o", "site.yaml", "--rules", "site.yaml"], "site.yaml: is a rule file that is read"),
        (["--table", "in.csv", "-o", "/dev/null"], "/dev/null: is no regular file"),
        (["--table", "in.csv", "-o", "no/out.csv"], "there is no folder no"),
        (["--table", "in.csv", "-o", "out.csv", "--rules", "no.yaml"], "no.yaml: the rule file cannot be read"),
        (["--table", "in.csv", "-o", "out.csv", "--engine", "magic"], "expected processes or serial"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_two(tmp_path: Path, words: list[str], sentence: str) -> None:
    (tmp_path / "in.csv").write_text("SeriesDescription\nt2\n")
    (tmp_path / "site.yaml").write_text("[]\n")
    done = run(tmp_path, "harmonise", *words)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out.csv").exists()
    assert (tmp_path / "site.yaml").read_text() == "[]\n"


def test_the_page_is_true(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S)
    answers: list[str] = []
    for language, block in blocks:
        if language == "csv":
            (tmp_path / "series.csv").write_text(block, encoding="utf-8")
        elif language == "yaml":
            (tmp_path / "site.yaml").write_text(block, encoding="utf-8")
        else:
            done = run(tmp_path, *block.removeprefix("$ trialbids ").split())
            assert done.returncode == 0, done.stderr
            lines = (tmp_path / "judged.csv").read_text(encoding="utf-8").splitlines()
            answers.append(lines[-1])
    assert ",unknown," in answers[0]
    assert ",T2w,sag," in answers[1]


def test_the_page_names_columns_that_are_read() -> None:
    table = re.findall(r"^\| (`.+?) \|", PAGE.read_text(encoding="utf-8"), re.M)
    named = {word for row in table for word in re.findall(r"`(\w+)`", row)} - {"b_value", "bvalues"}
    assert named <= set(KEYWORDS) | set(OF_SERIES)
    assert len(named) > 20
