"""What is known of a session and a stack when their objects are de-identified."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...inventory.instance import Floats
from ..dates import UNMOVED, Shift
from ..options import Options
from ..pseudonyms import Pseudonyms


@dataclass(frozen=True, slots=True)
class ObjectContext:
    """The labels, the clock and the words that take the place of what the headers say.

    ``start`` is the session's first moment in seconds (``times.first_moment``), None where none is known; then no
    time leaves. ``description``, ``bodypart`` and ``agent`` are words of the harmonised record ("" = not known, and for
    the agent: without).
    """

    subject: str
    session: str
    pseudonyms: Pseudonyms = field(repr=False)
    shift: Shift = field(default=UNMOVED, repr=False)
    start: float | None = None
    site: str = ""
    description: str = ""
    bodypart: str = ""
    agent: str = ""
    options: Options = field(default_factory=Options)


@dataclass(frozen=True, slots=True)
class Diffusion:
    """b-value in s/mm² and unit direction (() = none) of a single-frame object, wherever they were found."""

    b_value: float
    direction: Floats = ()
