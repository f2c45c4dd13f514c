"""What a fault is, and the table of all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from .scans import Slice

Item = Dataset | bytes
Inject = Callable[[list[Slice], float, np.random.Generator], Sequence[Item]]

MR_VENDORS = ("siemens", "ge", "philips", "canon", "hitachi", "uih", "fujifilm", "toshiba")
CT_VENDORS = ("siemens", "ge", "philips", "toshiba")
STRENGTHS = {"mild": 0.0, "moderate": 0.5, "gross": 1.0}


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    ``kinds`` are the kinds of scan it is put into, each a kind or several joined by ``+`` (one session); ``vendors``
    the makers it can happen at. ``trial`` says in which of the trials its cases lie: ``header`` (checked before a pixel
    is read), ``pixel`` (exported), ``protocol`` or ``visits``. ``packed`` says that it can also be put into multi-frame
    objects: the slices are made faulty, then packed, or the object is made faulty (``after_packing``). A fault that is
    not ``graded`` has one strength.
    """

    check: str
    severity: str
    kind: str
    inject: Inject
    kinds: tuple[str, ...]
    vendors: tuple[str, ...] = MR_VENDORS
    trial: str = "header"
    packed: bool = False
    graded: bool = True
    after_packing: bool = False

    @property
    def name(self) -> str:
        """Code and kind."""
        return f"{self.check}:{self.severity} {self.kind}"


FAULTS: list[Fault] = []

PLAIN = ("t2ax", "t2sag", "t2obl", "t1")


def fault(
    check: str,
    severity: str,
    kind: str,
    *,
    kinds: tuple[str, ...] = PLAIN,
    vendors: tuple[str, ...] | None = None,
    trial: str = "header",
    packed: bool = False,
    graded: bool = True,
    after_packing: bool = False,
) -> Callable[[Inject], Inject]:
    """Enter a function into the table; one function may stand in several rows."""

    def enter(inject: Inject) -> Inject:
        chosen = vendors or (CT_VENDORS if kinds == ("ct",) else MR_VENDORS)
        row = Fault(check, severity, kind, inject, kinds, chosen, trial, packed, graded, after_packing)
        FAULTS.append(row)
        return inject

    return enter


def grade(strength: float, mild: float, gross: float) -> float:
    """From mild (strength 0) to gross (1), by equal ratios where both are positive."""
    if mild > 0 and gross > 0:
        return float(mild * (gross / mild) ** strength)
    return mild + strength * (gross - mild)


def some(items: Sequence[Slice], strength: float, rng: np.random.Generator, most: float = 0.5) -> list[Slice]:
    """One item where the fault is mild, up to a share of ``most`` where it is gross; never the first or the last."""
    inner = list(items[1:-1]) or list(items)
    count = max(1, round(strength * most * len(items)))
    chosen = sorted(rng.choice(len(inner), size=min(count, len(inner)), replace=False))
    return [inner[k] for k in chosen]
