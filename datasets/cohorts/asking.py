"""Conditions asked of the samples of a cohort, and of single images: clinical columns, images, and their quality."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from trialbids.mappings.criteria import Condition, ConditionError, Value

from ..errors import QueryError
from ..index.image import Image
from ..index.quality import TABLE
from .acquisition import qc_rank
from .facts import Facts
from .policies import QC, VERDICTS

if TYPE_CHECKING:
    from ..database import Database

VERDICT = "qc_verdict"
PREFIX = "qc__"
NOT_TRUE = {False: "the condition is not true", None: "it cannot be told whether the condition is true"}


class Asking:
    """One condition. The quality of the tree is read only where it is asked for.

    ``name`` says in messages whose condition it is, ``columns`` what else than quality it may read. Raises
    :class:`QueryError` where it cannot be meant.
    """

    def __init__(self, name: str, text: str, db: Database, columns: Mapping[str, type], unit: str) -> None:
        self._name, self._db, self._unit = name, db, unit
        try:
            self._condition = Condition(text)
        except ConditionError as error:
            raise QueryError(f"{name}: {error}") from error
        self.columns = frozenset(self._condition.columns & columns.keys() - {VERDICT})
        self._asked = self._condition.columns - self.columns - {VERDICT}
        self._check_verdicts()
        self._check_found()
        metrics = self._metrics() if self._asked else {}
        self._check_level(metrics)
        try:
            self._condition.check({**(metrics if unit == "image" else {}), **columns, VERDICT: str})
        except ConditionError as error:
            hint = "" if metrics or not self._asked else f"; metrics of quality are not known: {self._without()}"
            raise QueryError(f"{name}: {error}{hint}") from error

    def reason(self, row: Mapping[str, Value], images: Sequence[Image]) -> str | None:
        """Why a sample of these images is left out, None where the condition is true.

        Of a single image and of the images of one acquisition it must be true of each; of all images of a session or
        participant checks are asked together, and the verdict is the worst.
        """
        groups = [(image,) for image in images] if self._unit == "image" else [tuple(images)]
        truths = {self._truth(row, group, images) for group in groups}
        return next((NOT_TRUE[word] for word in (False, None) if word in truths), None)

    def _truth(self, row: Mapping[str, Value], group: Sequence[Image], images: Sequence[Image]) -> bool | None:
        records = [image.record for image in images]
        return self._condition.truth({**self._of(group), **row, VERDICT: _worst(group)}, records, self._found(group))

    def _of(self, group: Sequence[Image]) -> Mapping[str, Value]:
        """The metrics of an image, by their own names and behind the prefix."""
        if not self._asked or len(group) != 1 or group[0].path not in self._db.quality:
            return {}
        metrics = self._db.quality[group[0].path].metrics
        return {**metrics, **{f"{PREFIX}{name}": value for name, value in metrics.items()}}

    def _found(self, group: Sequence[Image]) -> Callable[[str], bool] | None:
        """Whether a check found something; not known where an image of the group was not judged."""
        if not self._condition.codes or any(image.path not in self._db.quality for image in group):
            return None
        codes = frozenset(code for image in group for code in self._db.quality[image.path].codes)
        return codes.__contains__

    def _metrics(self) -> dict[str, type]:
        names = self._db.quality.metrics
        return {written: float for name in names for written in (name, f"{PREFIX}{name}")}

    def _check_verdicts(self) -> None:
        if VERDICT in self._condition.columns and not any(image.qc for image in self._db.images):
            raise QueryError(f"{self._name}: {VERDICT} is not known: {self._db.root} has no QC verdicts")

    def _check_found(self) -> None:
        for code in sorted(self._condition.codes):
            if not self._db.quality:
                raise QueryError(f"{self._name}: found({code!r}) is not known: {self._without()}")

    def _check_level(self, metrics: Mapping[str, type]) -> None:
        """A session has many images, each with its own metrics."""
        many = sorted(self._asked & metrics.keys())
        if many and self._unit != "image":
            ask = f"write qc=QC(where='{many[0]} > …') for the images that are used, or ask with unit='image'"
            raise QueryError(f"{self._name}: {many[0]!r} belongs to one image, and a {self._unit} has many; {ask}")

    def _without(self) -> str:
        return f"{self._db.root} has neither {TABLE} nor *_qc.json files"


def where_of(text: str, db: Database, facts: Facts, unit: str) -> Asking:
    """The condition of ``where=``. Raises :class:`QueryError` where it cannot be meant."""
    asking = Asking("where", text, db, facts.kinds, unit)
    for name in sorted(asking.columns):
        facts.check(name)
    return asking


class Filter:
    """Which images are good enough: ``qc=`` of a cohort. Raises :class:`QueryError` where it cannot be meant."""

    def __init__(self, wanted: QC, db: Database) -> None:
        self._verdicts = VERDICTS[wanted.verdict]
        self._where = None if wanted.where is None else Asking("qc", wanted.where, db, {}, "image")
        self._text = wanted.where

    def objection(self, image: Image) -> str | None:
        """Why an image is not good enough, None where it is."""
        if self._verdicts and image.qc not in self._verdicts:
            return f"its QC verdict is {image.qc or 'not given'}"
        reason = self._where.reason({}, [image]) if self._where is not None else None
        return None if reason is None else f"{self._text}: {reason}"


def _worst(group: Sequence[Image]) -> str | None:
    """The gravest verdict of some images, None where one has none."""
    if not group or not all(image.qc for image in group):
        return None
    return max(group, key=lambda image: qc_rank([image])).qc
