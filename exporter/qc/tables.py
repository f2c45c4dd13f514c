"""All tables of checks in one place, for what must know every code with its tolerance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .check import Check, tolerance_keys


def all_tables() -> Iterator[Sequence[Check[Any]]]:
    """Every table whose tolerances a trial can set; those that run together stand together."""
    from .headers.run import tables_of
    from .pixels.checks import PIXELS
    from .pixels.sessions import SIBLINGS
    from .protocol.check import PROTOCOL

    headers = tables_of()
    yield from (headers.series, headers.stack, headers.acquisition, headers.session, headers.person)
    yield from (PROTOCOL, PIXELS, SIBLINGS)


def tolerance_units() -> dict[str, str]:
    """The unit of every tolerance, by what a trial calls it; checks without one are left out."""
    found: dict[str, str] = {}
    for table in all_tables():
        keys = tolerance_keys(table)
        found |= {keys[n]: check.unit for n, check in enumerate(table) if check.tolerance}
    return found
