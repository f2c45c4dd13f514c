"""Run lengths that are damaged are told from sound ones without decoding them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialbids.exporter.qc.pixels.runs import HEADER, Runs, Shape, damaged_frames, runs_of

ROWS, COLUMNS = 6, 20
SHAPE = Shape(ROWS, COLUMNS, 1)


def literal(values: bytes) -> bytes:
    return bytes([len(values) - 1]) + values


def repeated(value: int, n: int) -> bytes:
    return bytes([257 - n, value])


def frame(*segments: bytes) -> bytes:
    offsets = np.zeros(HEADER // 4, "<u4")
    offsets[0] = len(segments)
    offsets[1 : 1 + len(segments)] = HEADER + np.cumsum([0, *map(len, segments)])[: len(segments)]
    return offsets.tobytes() + b"".join(segments)


def rows_of(n: int = ROWS) -> bytes:
    """Rows of a repeated and a literal run, as the standard wants them."""
    return b"".join(repeated(k, 12) + literal(bytes(range(8))) for k in range(n))


def test_whole_rows_padded_or_not_are_sound():
    sound = Runs(whole=True, crossing=False)
    assert runs_of(frame(rows_of()), SHAPE) == sound
    assert runs_of(frame(rows_of() + b"\0"), SHAPE) == sound
    assert runs_of(frame(rows_of(3) + b"\x80" + rows_of(3)), SHAPE) == sound  # 128 stands for no run
    assert runs_of(frame(rows_of(), rows_of()), Shape(ROWS, COLUMNS, 2)) == sound


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        frame(rows_of())[:40],
        frame(rows_of(5)),
        frame(rows_of()[:-3]),
        frame(rows_of(5) + repeated(1, 30)),
        frame(rows_of(), rows_of()),
        frame(),
    ],
    ids=["nothing", "header", "a row less", "cut", "too long", "a segment too many", "no segment"],
)
def test_runs_that_do_not_fill_the_matrix_are_not_whole(broken: bytes):
    assert not runs_of(broken, SHAPE).whole


def test_a_run_that_goes_on_into_the_next_row_is_a_fault_only_among_others_that_do_not():
    shifted = frame(literal(bytes(24)) + literal(bytes(16)) + rows_of(4))
    assert runs_of(shifted, SHAPE) == Runs(whole=True, crossing=True)
    keeps, crosses = runs_of(frame(rows_of()), SHAPE), runs_of(shifted, SHAPE)
    assert damaged_frames([keeps, keeps, crosses]) == [2]
    assert damaged_frames([crosses, crosses, keeps]) == []  # an encoder that does so throughout
    assert damaged_frames([crosses]) == []
    assert damaged_frames([crosses, Runs(whole=False, crossing=False)]) == [1]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, ROWS * 2 - 1), st.integers(1, 255))
def test_any_other_length_of_a_run_is_damage_among_sound_frames(which: int, by: int):
    data = bytearray(rows_of())
    starts = [11 * row + part for row in range(ROWS) for part in (0, 2)]
    data[starts[which]] = (data[starts[which]] + by) % 256
    sound = runs_of(frame(rows_of()), SHAPE)
    changed = runs_of(frame(bytes(data)), SHAPE)
    assert damaged_frames([sound, sound, changed]) == [2]
