"""Arrow arrays without pandas."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialbids.exporter.arrays import array

VALUES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.string(): st.text(max_size=6),
    pa.bool_(): st.booleans(),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): st.floats(allow_nan=False),
}
VALUES |= {pa.list_(kind): st.lists(values, max_size=3).map(tuple) for kind, values in VALUES.items()}


@settings(deadline=None, max_examples=30)
@pytest.mark.parametrize("kind", VALUES, ids=str)
@given(data=st.data())
def test_it_makes_what_pyarrow_makes(kind: pa.DataType, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.none() | VALUES[kind], max_size=20))
    made = array(values, kind)
    made.validate(full=True)
    assert made.equals(pa.array(values, kind))
    assert made.to_pylist() == pa.array(values, kind).to_pylist()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UnicodeEncodeError):
        array(["\udc80"], pa.string())
    with pytest.raises(OverflowError):
        array([2**63], pa.int64())


def test_pandas_stays_away() -> None:
    code = (
        "import sys, pyarrow as pa; from trialbids.exporter.arrays import array\n"
        "pa.table({'a': array(['x', None], pa.string()), 'b': array([(1,), ()], pa.list_(pa.int64()))})\n"
        "print('pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
