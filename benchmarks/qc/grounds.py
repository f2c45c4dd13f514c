"""What of the clean data a check has looked at: the ground of its false alarms."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Stack:
    """One stack of the program's plan: what it is part of, and whether it is diffusion or a phase."""

    stack_id: str
    series: str = ""
    acquisition: str = ""
    session: str = ""
    subject: str = ""
    is_diffusion: bool = False
    is_dynamic: bool = False


EXPORTED = frozenset({"pixel", "converter"})
"""The trials that are exported: in all others no pixel is read."""
SEEN_IN: Mapping[frozenset[str], str] = {
    EXPORTED: "F03 P01 P02 P03 P04 P05 P06 P08 P09 P10 B07 B08 B09 T06 T07 C03",
    frozenset({"protocol"}): "R01 R02 R05 B04 T04",
    frozenset({"visits"}): "C09 C10",
}
"""The checks that look at some trials alone; all others look at all."""

Object = Callable[[Stack], Hashable]
UNITS: Mapping[str, tuple[Object, str]] = {
    "series": (lambda s: s.series, "F01 F02 F05 F06 F07 F08 C01 C02 C05 C06 C07 C08 D02 D03 G12"),
    "acquisition": (lambda s: s.acquisition, "R02 R03"),
    "diffusion": (lambda s: s.is_diffusion and s.acquisition, "B01 B02 B03 B04 B06 B07 B08 B09"),
    "diffusion session": (lambda s: s.is_diffusion and (s.subject, s.session), "B05"),
    "dynamic": (lambda s: s.is_dynamic and s.acquisition, "T01 T02 T03 T04 T05 T06 T07 T08 T09"),
    "session": (lambda s: (s.subject, s.session), "R01 R05 R06 G10"),
    "subject": (lambda s: s.subject, "C03 C04 C09 C10"),
}
"""What a check is about, where that is not a stack; false where the stack is no such thing."""


def trials_of(check: str, trials: Iterable[str]) -> frozenset[str]:
    """Those of the trials in which a check runs.

    >>> sorted(trials_of("P05", ["header", "pixel"])), sorted(trials_of("G04", ["header", "pixel"]))
    (['pixel'], ['header', 'pixel'])
    """
    some = next((where for where, codes in SEEN_IN.items() if check in codes.split()), None)
    return frozenset(trials) if some is None else some & frozenset(trials)


def objects_seen(check: str, stacks: Iterable[Stack]) -> int:
    """How many objects a check of this code has looked at among these stacks.

    >>> rows = [Stack("1", "a", "x", "v", "p"), Stack("2", "a", "y", "v", "p", is_dynamic=True)]
    >>> [objects_seen(check, rows) for check in ("G04", "C07", "T01", "R01", "B01")]
    [2, 1, 1, 1, 0]
    """
    of = next((named for named, codes in UNITS.values() if check in codes.split()), lambda s: s.stack_id)
    return len({named for s in stacks if (named := of(s))})
