"""Hypothesis strategies shared by several test files."""

from __future__ import annotations

from hypothesis import strategies as st

from trialbids.mappings.names import name_rules
from trialbids.mappings.record import Record
from trialbids.mappings.vocabulary import vocabulary


def any_word(name: str) -> st.SearchStrategy[str]:
    return st.sampled_from([v for v in vocabulary()[name].values if v != "multi"])


RECORDS = st.builds(
    Record,
    sequence=st.sampled_from(sorted(name_rules().sequences)),
    plane=any_word("plane"),
    dim=any_word("dim"),
    technique=any_word("technique"),
    fatsat=any_word("fatsat"),
    dixon=any_word("dixon"),
    derived=st.sets(st.sampled_from(vocabulary()["derived"].values)).map(
        lambda s: tuple(w for w in vocabulary()["derived"].values if w in s)
    ),
    part=any_word("part"),
    agent=any_word("agent"),
    agent_name=any_word("agent_name"),
    phase_name=any_word("phase_name"),
    echo_index=st.integers(1, 12),
    flip_index=st.integers(1, 6),
    bvalues=st.lists(st.floats(0, 3000), max_size=4).map(tuple),
)
