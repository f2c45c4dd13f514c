"""What somebody drew, before it is put on an image: a region, a box or a point, and the image that it is for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from trialbids.mappings.imageterms import ImageTerm
from trialbids.mappings.labels import Label

from .grid import Shape

Method = Literal["manual", "semiautomatic", "automatic", "unknown"]
METHODS: tuple[Method, ...] = ("manual", "semiautomatic", "automatic")
"""What a table may say; ``unknown`` is left to objects that do not."""

Kind = Literal["binary", "fraction"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageWords:
    """An image by words: the trial's id of the subject, the visit (its label, or its number by date), what it shows."""

    subject: str
    visit: str
    term: ImageTerm


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The image that something was drawn on: by its original series or instance UIDs, or by words.

    ``subject`` is the trial's id of the subject that whoever drew it names, "" where none is named; ``owner`` is the
    subject of the drawing's own DICOM object as the plan knows it, ``study`` and ``frame_of_reference`` are that
    object's: the image must agree with them.
    """

    series_uids: tuple[str, ...] = ()
    instances: frozenset[str] = frozenset()
    words: ImageWords | None = None
    subject: str = ""
    owner: str = ""
    study: str = ""
    frame_of_reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What all that is drawn has in common.

    ``origin`` says where it comes from (a line of a table, or a part of an object) and ``said`` is its label there:
    both are private. ``label`` is public, ``lesion`` tells several of one label apart, ``reader`` is a public code.
    ``state`` changes when what it is made from does. ``rank`` orders drawings as their source does. ``scores`` are
    what the reader says about it in whole numbers, by the names of ``trialbids.mappings.scores``.
    """

    origin: str
    target: Target
    label: Label
    reader: str
    method: Method
    said: str = ""
    lesion: int | None = None
    is_listed: bool = True
    state: str = ""
    rank: tuple[str, int] = ("", 0)
    scores: tuple[tuple[str, int], ...] = ()

    @property
    def name(self) -> str:
        """Label and number as they stand in a file's name: ``lesion2``."""
        return f"{self.label.name}{'' if self.lesion is None else self.lesion}"

    @property
    def series_uid(self) -> str:
        """The original series that is named, for private lists; "" where none is."""
        return next(iter(self.target.series_uids), "")

    @property
    def fingerprint(self) -> str:
        """Names everything that its files depend on."""
        label = (self.label.name, self.label.scheme, self.label.code, self.label.meaning)
        target = replace(self.target, instances=frozenset()), sorted(self.target.instances)
        return repr((target, label, self.is_listed, self.lesion, self.reader, self.method, self.state, self.scores))


@dataclass(frozen=True, slots=True, kw_only=True)
class Region(Drawing):
    """A region: a shape that can be put on a grid.

    Regions of one ``source`` (a label map, a DICOM object) also leave as one label map, called ``set``, where they do
    not overlap; ``value`` is its number there. ``source`` is private, "" where the region stands alone.
    ``is_own_number`` says that every reader numbers the lesions anew: number 1 of two readers may be two lesions.
    """

    shape: Shape
    kind: Kind = "binary"
    is_own_number: bool = False
    source: str = ""
    set: str = "labels"
    value: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked(Drawing):
    """A box, or a point where ``high`` is None.

    ``low`` and ``high`` are two opposite corners in mm (LPS, as in DICOM); with ``sop_uid`` they are column and row of
    that instance instead, counted from 0 at the centre of the first pixel, and the third number is 0.
    """

    low: tuple[float, float, float]
    high: tuple[float, float, float] | None = None
    sop_uid: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """A drawing, or a whole source of some, that was not taken, or something about one that was: private.

    ``series_uid`` is the image's, "" where none is named; the message says where it comes from. ``may_pass`` says that
    the next run should try again.
    """

    check: str
    series_uid: str
    message: str
    severity: Literal["error", "warning"] = "error"
    may_pass: bool = False
