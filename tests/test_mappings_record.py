"""The record: closed, and the same after a trip through a table."""

from __future__ import annotations

import pytest
from hypothesis import given
from strategies import RECORDS

from trialbids.mappings.record import Record
from trialbids.mappings.vocabulary import vocabulary


@given(RECORDS)
def test_a_record_survives_a_row_of_a_table(record: Record) -> None:
    back = Record.from_row(record.to_row())
    assert back.but(bvalues=()) == record.but(bvalues=())
    assert back.bvalues == pytest.approx(record.bvalues, rel=1e-5)


@pytest.mark.parametrize("name", [n for n, a in vocabulary().items() if a.kind == "word"])
def test_a_word_outside_the_vocabulary_cannot_be_in_a_record(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: 'T9w' is not in the vocabulary"):
        Record(**{name: "T9w"})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "values",
    [{"derived": ("mip", "sub")}, {"derived": ("blur",)}, {"echo_index": 0}, {"phase_time_s": -1.0},
     {"bvalues": (-5.0,)}, {"confidence": 1.5}],
)  # fmt: skip
def test_other_values_outside_the_vocabulary_are_refused_too(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        Record(**values)  # type: ignore[arg-type]


def test_what_does_not_apply_is_absent_from_the_sidecar_and_derived_is_always_there() -> None:
    content = Record(sequence="T2w").to_json()
    assert "echo_index" not in content and "phase_time_s" not in content
    assert content["derived"] == []


def test_a_cell_that_cannot_be_read_names_its_column() -> None:
    with pytest.raises(ValueError, match="echo_index"):
        Record.from_row({"echo_index": "second"})
