"""Parsimony: what a database of images does not need, why, and the line of ``trial.yaml`` that brings it back.

Nothing is deleted: the sources stay as they are. What is not needed is set aside, listed and counted by category.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..trial.keep import NEVER_KEPT

COMPUTABLE = "computable"
"""The reason of a derived copy that can be computed again."""

KEEP_COPIES = "derived"
"""The word of ``keep:`` that leaves all copies as they are."""

PROJECTION = "projection"
"""A radiograph: what ``kind`` says of one, whatever its record calls it."""


@dataclass(frozen=True, slots=True)
class Category:
    """One kind of what is not needed.

    ``reasons`` are the codes of the plan and of the stacks that stand for it; one that ends in ``-`` is a beginning.
    ``kind`` narrows it to what the record calls the image. ``back`` is the line of ``trial.yaml`` that brings it back,
    or what else does; "" where nothing does.
    """

    id: str
    sentence: str
    reasons: tuple[str, ...] = ()
    kind: str = ""
    back: str = ""

    @property
    def never(self) -> str:
        """Why nothing brings it back, "" where something does."""
        return NEVER_KEPT.get(self.id, "")

    def covers(self, reason: str, kind: str) -> bool:
        """Whether a stack or an instance with this reason is of this category."""
        named = any(reason == r or (r.endswith("-") and reason.startswith(r)) for r in self.reasons)
        return named and self.kind in ("", kind)


_BY_KIND = ("not-needed", "looks-not-needed")

KEPT = Category("kept", "re-packed into an image of the release")
REVIEW = Category(
    "review", "a person should look at it first", back="plan --apply with `keep` as its decision in a copy of plan.tsv"
)
FIELD = Category("field", "a header field outside the list of those that may leave")
"""Not of objects, so none of :data:`CATEGORIES`; what the inventory reads as a number can be added to the list."""

CATEGORIES: tuple[Category, ...] = (
    KEPT,
    Category("localizer", "made to plan other images on", _BY_KIND, "localizer", "keep: [localizer]"),
    Category("calibration", "made to adjust the scanner", _BY_KIND, "calibration", "keep: [calibration]"),
    Category(PROJECTION, "a radiograph", (*_BY_KIND, "no-class"), PROJECTION, f"keep: [{PROJECTION}]"),
    Category("secondary", "a picture of a screen or of a report", _BY_KIND, "secondary"),
    Category(
        "derived",
        "a copy that can be computed again from images kept in the same session",
        (COMPUTABLE,),
        back=f"keep: [{KEEP_COPIES}]",
    ),
    Category("nonimage", "an object that holds no image", ("not-an-image",)),
    Category("duplicate", "the same object lies in another place, which is kept", ("duplicate",)),
    Category("resent", "the same images were sent again under other identifiers", ("series-resent",)),
    Category(
        "criterion",
        "left out by a criterion of the trial",
        ("criterion-",),
        back="criteria: without the criterion that the reason names",
    ),
    Category("person", "left out by a person", ("edit",), back="plan --apply with the edit taken back"),
    REVIEW,
)
"""Every object of the sources is in one of these; where several stacks share it, in the first that holds."""


def category_of(decision: str, reason: str, kind: str = "") -> Category:
    """The category of a stack or of an instance set aside; ``kind`` is its sequence, or :data:`PROJECTION`.

    >>> category_of("exclude", "not-needed", "localizer").back
    'keep: [localizer]'
    >>> category_of("quarantine", "unknown-sequence", "unknown").id
    'review'
    """
    if decision == "keep":
        return KEPT
    return next((c for c in CATEGORIES if c.covers(reason, kind)), REVIEW)
