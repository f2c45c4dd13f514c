"""What a certificate is made from, and what it says: classes only.

It holds released values, counts and closed words only, and lies in the tree that it speaks of. Groups under 5 stand in
it with their values, which anybody who has the tree can count there, but without the participants' labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..deidentify.anonymity import Anonymity
from ..deidentify.kept import Kept
from ..deidentify.options import Options

SCHEMA = "trialbids-certificate/1"
NO_LEGAL = (
    "This page says what a program did and looked for. It is not a legal certificate of anonymity: whether these data "
    "are anonymous under the law that applies (such as the GDPR) is for the data controller to judge."
)


@dataclass(frozen=True, slots=True)
class IdentifierKind:
    """Identifiers of one kind: how many are known, were searched for, were too short or too common to search for."""

    kind: str
    known: int
    searched: int
    too_short: int
    too_common: int


@dataclass(frozen=True, slots=True)
class Search:
    """The search for known identifiers in what is released; ``files`` leaves out the certificate itself."""

    kinds: tuple[IdentifierKind, ...]
    files: int
    hits: int
    sessions_stopped: int


@dataclass(frozen=True, slots=True)
class Pixels:
    """Burned-in text: stacks looked at, those that the text detector had to see, those held back."""

    looked_at: int
    read_by_engine: int
    held_back: int


@dataclass(frozen=True, slots=True)
class Faces:
    """Images with a head in view, or whose body part is not known (``unknown``, held back or not)."""

    held_back: int
    allowed: int
    defaced: int
    unknown: int


@dataclass(frozen=True, slots=True)
class LookedAt:
    """The inspection of a random sample: ``looked_at`` of ``images`` as they were when was drawn, of which ``wrong``.

    ``rate`` and ``at_most`` (with 95 % confidence) are shares of all images that the sample speaks of; ``unchanged`` of
    the ``released`` ones are as they were then.
    """

    images: int
    looked_at: int
    wrong: int
    rate: float
    at_most: float
    released: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class Facts:
    """All that an export knows of its own de-identification.

    ``date`` is the release's (ISO 8601), ``versions`` are by name of program, ``edition`` is that of PS3.15.
    ``stopped`` counts by DICOM keyword the values that the allow-list stopped, ``removed`` by plain words what was left
    out (attributes, sequences, private attributes, overlays). ``accepted`` and ``rejected`` count the values that a
    person let out or stopped in the review. What is None did not run.
    """

    date: str
    trial: str
    versions: Mapping[str, str]
    key: str
    edition: str
    participants: int
    sessions: int
    options: Options
    kept: Kept
    stopped: Mapping[str, int] = field(default_factory=dict)
    removed: Mapping[str, int] = field(default_factory=dict)
    accepted: int = 0
    rejected: int = 0
    search: Search | None = None
    pixels: Pixels | None = None
    faces: Faces | None = None
    anonymity: Anonymity | None = None
    inspection: LookedAt | None = None
    dicom: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """A code of PS3.16 CID 7050 with its meaning; ``why`` says why it is not claimed, "" where it is."""

    code: str
    meaning: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class FieldLine:
    """One field of the allow-list: in which form it leaves, in how many sidecars (None where it stands in none), and
    how many values were stopped."""

    field: str
    group: str
    action: str
    form: str
    images: int | None
    stopped: int


@dataclass(frozen=True, slots=True)
class ValueCount:
    """A released value and how many images and participants have it."""

    value: str
    images: int
    subjects: int


@dataclass(frozen=True, slots=True)
class KeptLine:
    """The distinct values of one field: the most frequent ones of ``distinct``, or the range of its numbers."""

    field: str
    distinct: int
    values: tuple[ValueCount, ...] = ()
    numbers: str = ""


@dataclass(frozen=True, slots=True)
class Certificate:
    """Everything that the JSON and the page say."""

    date: str
    trial: str
    versions: Mapping[str, str]
    key: str
    edition: str
    allow_list: int
    participants: int
    sessions: int
    images: int
    claimed: tuple[Claim, ...]
    not_claimed: tuple[Claim, ...]
    fields: tuple[FieldLine, ...]
    actions: Mapping[str, int]
    removed: Mapping[str, int]
    accepted: int
    rejected: int
    kept: tuple[KeptLine, ...]
    search: Search | None
    pixels: Pixels | None
    faces: Faces | None
    anonymity: Anonymity | None
    inspection: LookedAt | None
    risks: tuple[str, ...]
    not_checked: tuple[str, ...]
    schema: str = SCHEMA
    statement: str = NO_LEGAL

    def to_json(self) -> dict[str, Any]:
        """Plain values, bounded in size whatever the trial holds."""
        values = asdict(self)
        return {name: values.pop(name) for name in ("schema", "statement")} | values
