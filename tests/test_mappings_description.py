"""Free text as plain words, and descriptions of the world at large: no crash, no value outside the vocabulary."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seriesmaker import records_of, series

from trialbids.mappings.description import b_values_in, plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("t2_tse_SAG-320.p2", "t2 tse sag 320 p2"),
        ("T1 VIBE +C", "t1 vibe plusc"),
        ("+KM", "pluskm"),
        ("T2* GRE", "t2star gre"),
        ("Séquence Übersicht", "sequence ubersicht"),
        ("OutPhase: LAVA", "out phase lava"),
        ("SWI_mIP", "swi mip"),
        ("", ""),
    ],
)
def test_plain(text: str, expected: str) -> None:
    assert plain(text) == expected


@given(st.text())
def test_plain_text_stays_as_it_is(text: str) -> None:
    once = plain(text)
    assert plain(once) == once
    assert once == once.strip().lower()


def test_b_values_need_their_letter() -> None:
    assert b_values_in(plain("DWI b=50, b800 3000 tra")) == (50.0, 800.0)
    assert b_values_in(plain("ep2d_high bvalue 1400")) == (1400.0,)
    assert b_values_in(plain("t2 320 web20")) == ()


def test_the_descriptions_of_the_world_do_not_crash(real_data: Path) -> None:
    with (real_data / "names" / "dev_idc_mr_descriptions_unlabelled.csv").open(newline="", encoding="utf-8") as file:
        texts = sorted({row["d"] for row in csv.DictReader(file)})[::12]
    rows = [series(k, 1, SeriesDescription=text) for k, text in enumerate(texts)]
    done = records_of(*rows)
    known = sum(h.record.sequence != "unknown" for h in done)
    assert len(done) == len(texts)
    assert known > 0.4 * len(texts)
