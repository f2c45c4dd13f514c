"""``keep:`` in ``trial.yaml``: the kinds of image that are left out by default and that a trial may want back."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator

NEVER_KEPT = {
    "secondary": "a secondary capture is a picture of a screen: BIDS has no name for it, and a name may stand in it",
    "nonimage": "such an object holds no image; masks and structure sets come in by `annotations:`",
    "duplicate": "the same object is in the database already, from another place",
    "field": "the inventory does not read it, or it tells of a person or a place",
    "resent": "the same images are in the database already, from the series that is more complete",
}
"""Kinds that no line of ``trial.yaml`` brings back, and why."""


Kind = Literal["localizer", "calibration", "derived", "projection"]


def _can_be_kept(word: Any) -> Any:
    """A word of ``keep:``; for a kind that cannot be brought back, why."""
    if why := NEVER_KEPT.get(str(word)):
        raise ValueError(f"'{word}' cannot be brought back: {why}; keep takes {', '.join(get_args(Kind))}")
    return word


Kept = Annotated[Kind, BeforeValidator(_can_be_kept)]
"""A word of ``keep:``."""
