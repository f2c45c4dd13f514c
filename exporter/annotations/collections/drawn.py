"""What an adapter makes of a collection's files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from trialbids.mappings.labels import Label, Labels

from ..region import Drawing, Fault


@dataclass(frozen=True, slots=True)
class Drawn:
    """Everything drawn in some files, in their order, and what could not be taken from them."""

    drawings: tuple[Drawing, ...]
    faults: tuple[Fault, ...]


def labelled(labels: Labels, name: str) -> dict[str, Any]:
    """The label of this name as a drawing holds it."""
    known = labels.named(name)
    return {"label": known or Label(name), "is_listed": known is not None, "said": name}


def together(parts: Iterable[Drawn]) -> Drawn:
    """Several of them as one."""
    parts = tuple(parts)
    return Drawn(tuple(d for p in parts for d in p.drawings), tuple(f for p in parts for f in p.faults))
