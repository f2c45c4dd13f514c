"""The ledger: names once given stay."""

from __future__ import annotations

import tempfile
from itertools import count
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from trialbids.exporter.plan.ledger import Ledger


def test_a_name_once_given_stays_whatever_comes_before_it_later() -> None:
    ledger = Ledger()
    first = ledger.first_free("image", "s", "b", ["T2w", "run-02_T2w"])
    second = ledger.first_free("image", "s", "a", ["T2w", "run-02_T2w"])
    assert (first, second) == ("T2w", "run-02_T2w")
    assert ledger.first_free("image", "s", "b", ["other"]) == "T2w"


@given(st.lists(st.tuples(st.text(), st.text(), st.text()), max_size=20))
def test_it_survives_a_trip_to_disk_and_gives_no_label_twice(keys: list[tuple[str, str, str]]) -> None:
    ledger = Ledger()
    given_labels = {(k, s, x): ledger.first_free(f"k{k.encode().hex()}", s, x, map(str, count(1))) for k, s, x in keys}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "names.tsv"
        ledger.write(path)
        back = Ledger.read(path)
        first = path.read_bytes()
        back.write(path)
        assert path.read_bytes() == first
    for (k, s, x), label in given_labels.items():
        assert back.given(f"k{k.encode().hex()}", s)[x] == label
    for k, s, _ in keys:
        labels = list(back.given(f"k{k.encode().hex()}", s).values())
        assert len(labels) == len(set(labels))
