"""A protocol: what was agreed to be scanned. Slots, the images that fill them, and the figures that these must keep."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from .criteria import Condition, ConditionError
from .imageterms import ImageTerm, read_term
from .parameters import slack_b
from .record import Record
from .vocabulary import vocabulary

OURS, LEARNED = "ours", "learned"
"""Sources that are no publication: a figure that this project chose, and one that was read from data."""

NO_PROTOCOL = "none"
VENDORS = ("siemens", "ge", "philips", "canon", "uih", "hitachi", "hyperfine", "bruker", "other")
PICKS: Mapping[str, str] = MappingProxyType(
    {
        "conforming": "the fewest figures outside the protocol",
        "slices": "the most slices",
        "resolution": "the smallest pixels",
        "phases": "the most phases or b-values",
        "last": "acquired last",
        "first": "acquired first",
    }
)
"""What decides among several candidates for one slot."""


class Model(BaseModel):
    """Base of all parts: unknown keys are errors, values do not change, numbers are not read from text."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _tuple(value: Any) -> Any:
    """A list of the file as the tuple that the model holds; one value alone stands for a list of it."""
    return tuple(value) if isinstance(value, list) else (value,) if isinstance(value, str | int | float) else value


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Text = Annotated[str, BeforeValidator(_text)]
Words = Annotated[tuple[Text, ...], BeforeValidator(_tuple)]
Id = Annotated[str, Field(pattern=r"^[a-z0-9]+([.-][a-z0-9]+)*$", max_length=64)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class Range(Model):
    """From ``min`` to ``max``, each of which may be open. ``n`` is how many acquisitions a learned range stands for."""

    min: Number | None = None
    max: Number | None = None
    n: Annotated[int, Field(ge=0, le=1_000_000_000)] | None = None
    source: str = ""

    def holds(self, low: float, high: float, slack: float, rounding: float) -> bool:
        """Whether what was measured, from ``low`` to ``high``, lies within; ``slack`` is a share of each bound."""
        least, most = self._bounds(slack, rounding)
        return (most is None or high <= most + 1e-9) and (least is None or low >= least - 1e-9)

    def allowed(self, slack: float, rounding: float) -> Range:
        """The range with its tolerance: wider by a share of each bound, and by ``rounding`` at least.

        >>> Range(min=2.0, max=4.0).allowed(0.05, 0.0).words()
        '1.9 to 4.2'
        """
        least, most = self._bounds(slack, rounding)
        return Range(min=least, max=most)

    def _bounds(self, slack: float, rounding: float) -> tuple[float | None, float | None]:
        least = None if self.min is None else self.min - max(slack * abs(self.min), rounding)
        return least, None if self.max is None else self.max + max(slack * abs(self.max), rounding)

    def words(self) -> str:
        """The range as a sentence says it.

        >>> Range(min=2.0, max=4.0).words(), Range(max=15.0).words()
        ('2 to 4', 'at most 15')
        """
        low, high = (None if x is None else f"{x:.6g}" for x in (self.min, self.max))
        if low is not None and high is not None:
            return low if low == high else f"{low} to {high}"
        return f"at least {low}" if low is not None else f"at most {high}" if high is not None else "any"


class Limit(Range):
    """The range of one parameter, in its stated unit, with its source; ``vendors`` have ranges of their own.

    ``tolerance`` is a share of each bound that is let pass beyond it; the check's own where none is given.
    """

    unit: str
    tolerance: Annotated[float, Field(ge=0, le=1)] | None = None
    vendors: dict[str, Range] = Field(default_factory=dict)

    def range_for(self, vendor: str) -> Range:
        """The range that holds for scanners of a vendor."""
        return self.vendors.get(vendor, self)


class Window(Model):
    """A range of b-values in s/mm². ``required``: one must be there; ``calculated``: a computed one will do."""

    min: Annotated[Number, Field(ge=0)]
    max: Number | None = None
    required: bool = False
    calculated: bool = False

    def holds(self, b: float, share: float = 0.05) -> bool:
        """Whether a b-value lies in the window, within a share of its bounds or 10 s/mm²."""
        least, most = self._bounds(share)
        return b >= least and (most is None or b <= most)

    def allowed(self, share: float = 0.05) -> Range:
        """The window with its tolerance."""
        least, most = self._bounds(share)
        return Range(min=least, max=most)

    def _bounds(self, share: float) -> tuple[float, float | None]:
        most = None if self.max is None else self.max + slack_b(self.max, share)
        return self.min - slack_b(self.min, share), most

    def words(self) -> str:
        """The window as a sentence says it."""
        return Range(min=self.min, max=self.max).words()


class BValues(Model):
    """The b-values of a diffusion scan: every acquired one lies in a window, every required window holds one."""

    unit: str
    windows: Annotated[tuple[Window, ...], BeforeValidator(_tuple), Field(min_length=1)]
    source: str = ""


class Slot(Model):
    """One kind of image that the protocol wants.

    ``match`` says which images are meant: attributes of the record with their values, or a condition such as
    ``has(T2w, sag) and technique != 'haste'``. A slot with ``any_of`` is filled when one of those named is.
    """

    slot: Id
    meaning: str = ""
    required: bool | None = None
    optional: bool | None = None
    any_of: Words = ()
    match: dict[str, Words] | str = Field(default_factory=dict)
    limits: dict[str, Limit] = Field(default_factory=dict)
    bvalues: BValues | None = None
    pick: Words = ("conforming", "slices", "last")
    source: str = ""

    @property
    def is_required(self) -> bool:
        """Whether a session without it lacks something."""
        return bool(self.required)

    @cached_property
    def condition(self) -> Condition | ImageTerm:
        """The match, compiled. Raises ``ValueError`` with a sentence where it is not legal."""
        if isinstance(self.match, str):
            condition = Condition(self.match)
            condition.check(ATTRIBUTES)
            if condition.functions - {"has"}:
                raise ConditionError(f"{self.match!r}: asks for more than one image; a slot has has(…) and attributes")
            return condition
        return read_term([], {name: [_word(name, w) for w in words] for name, words in self.match.items()})

    def matches(self, record: Record) -> bool | None:
        """Whether an image is meant; None where an attribute that decides is unknown."""
        condition = self.condition
        if isinstance(condition, ImageTerm):
            return condition.matches(record)
        row = {name: _value(getattr(record, name)) for name in condition.columns}
        return condition.truth(row, [record])


ATTRIBUTES: Mapping[str, type] = MappingProxyType(
    {name: str if a.kind == "word" else float for name, a in vocabulary().items() if a.kind in ("word", "index")}
)
"""The attributes of a record that the condition of a slot may read beside ``has``."""


def _value(value: Any) -> Any:
    return None if value in ("unknown", "") else value


def _word(name: str, word: str) -> str | float:
    """A word of a match: attributes that hold numbers are compared with numbers."""
    attribute = vocabulary().get(name)
    if attribute is None or attribute.kind in ("word", "words"):
        return word
    try:
        number = float(word)
    except ValueError:
        return word
    return number if math.isfinite(number) else word


class Change(Model):
    """What a protocol that is based on another changes: slots that it replaces or adds, and those it is ``without``."""

    meaning: str = ""
    slots: Annotated[tuple[Slot, ...], BeforeValidator(_tuple)] = ()
    without: Words = ()


class Protocol(Model):
    """What was agreed to be scanned. ``bodyparts`` are those of BodyPartExamined that agree with it."""

    protocol: Id
    version: Text = "1"
    meaning: str = ""
    based_on: str = ""
    without: Words = ()
    bodyparts: Words = ()
    sources: dict[str, str] = Field(default_factory=dict)
    slots: Annotated[tuple[Slot, ...], BeforeValidator(_tuple)] = ()
    variants: dict[str, Change] = Field(default_factory=dict)

    def slot(self, name: str) -> Slot | None:
        """The slot of this id, None where there is none."""
        return next((s for s in self.slots if s.slot == name), None)

    def changed(self, change: Change | Self, name: str) -> Protocol:
        """This protocol with the slots of a change in place of its own of the same id, and without some."""
        own = {s.slot: s for s in self.slots if s.slot not in change.without}
        slots = tuple((own | {s.slot: s for s in change.slots}).values())
        more = change.sources if isinstance(change, Protocol) else {}
        parts = (isinstance(change, Protocol) and change.bodyparts) or self.bodyparts
        return Protocol(
            protocol=name, version=getattr(change, "version", self.version), meaning=change.meaning or self.meaning,
            bodyparts=parts, sources={**self.sources, **more}, slots=slots,
        )  # fmt: skip
