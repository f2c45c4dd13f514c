"""Clinical tables: joined before identities are replaced, and only listed columns leave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trialbids.exporter.annotations.clinical import ClinicalRows, join_clinical
from trialbids.exporter.errors import UsageError
from trialbids.exporter.plan.visits import Visit
from trialbids.exporter.trial import Clinical

VISITS = (
    Visit("AAA", "01", "S1", "n\0P1", "20200101", "20200101", 0),
    Visit("AAA", "02", "S1", "n\0P1", "20200601", "20200601", 152),
    Visit("BBB", "01", "S1", "n\0P2", "20200101", "20200101", 0),
)


def join(folder: Path, text: str, **config: Any) -> ClinicalRows:
    table = folder / "clinical.csv"
    table.write_text(text, encoding="utf-8")
    values = {"table": table, "subject": "id", "columns": {"sex": ["F", "M"], "score": "number"}, **config}
    return join_clinical(Clinical.model_validate(values), VISITS)


def test_constant_columns_describe_the_participant_and_the_others_the_session(tmp_path: Path) -> None:
    text = "id,visit,sex,score,comment\nP1,1,F,4,calls on Mondays\nP1,2,F,2,\nP2,1,M,3,\n"
    rows = join(tmp_path, text, visit="visit")
    assert rows.participants == {"AAA": {"sex": "F"}, "BBB": {"sex": "M"}}
    assert rows.sessions["AAA", "01"] == {"score": "4"} and rows.sessions["AAA", "02"] == {"score": "2"}
    assert "Mondays" not in repr(rows)
    assert not rows.unmatched and not rows.refused


def test_orphans_on_either_side_are_listed(tmp_path: Path) -> None:
    rows = join(tmp_path, "id,sex,score\nP1,F,4\nP9,M,1\n")
    assert any("no images of this subject" in s and "line 3" in s for s in rows.unmatched)
    assert any("sub-BBB" in s for s in rows.unmatched)


def test_cells_that_are_not_what_the_column_says_become_missing_and_are_listed(tmp_path: Path) -> None:
    rows = join(tmp_path, "id;sex;score\nP1;X;3,5\nP2;M;high\n")
    assert rows.participants["AAA"]["sex"] == "n/a" and rows.participants["BBB"]["score"] == "n/a"
    assert rows.participants["AAA"]["score"] == "3.5", "a decimal comma is read"
    assert len(rows.refused) == 2
    assert not any(value in s for s in rows.refused for value in ("X", "high")), "the list holds no raw value"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id,sex\nP1,F\n", "has no column score"),
        ("id,sex,score\nP1,F,1\nP1,F,2\n", "line 3: a second row"),
        ("id,sex,score\nP1,F,1,extra\n", "line 2: more cells"),
    ],
)
def test_a_wrong_table_is_named_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        join(tmp_path, text)
