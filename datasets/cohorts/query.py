"""Queries: which image of a session is meant, in the harmonised vocabulary and in BIDS entities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from trialbids.mappings.imageterms import FAMILIES
from trialbids.mappings.predictions import MODEL
from trialbids.mappings.vocabulary import Attribute, vocabulary

from ..errors import QueryError
from ..files.names import entity_keys
from ..index.image import Image

SCOPES = ("raw", "annotations")
MODELS = "derivatives/"
UNITS = ("physical", "stored", "SUV")


@dataclass(frozen=True, slots=True, init=False)
class Times:
    """Which phases of a dynamic series are wanted, in seconds since its first phase.

    For each time the nearest phase is taken, if it is not further away than ``tolerance`` seconds; otherwise the
    series counts as missing.
    """

    times: tuple[float, ...]
    tolerance: float

    def __init__(self, times: Sequence[float], tolerance: float = 5.0) -> None:
        given = _numbers("Times", times)
        if not given or given[0] < 0 or any(a >= b for a, b in pairwise(given)):
            raise QueryError(f"Times: {list(times)} is not a rising list of seconds from 0 on")
        if not tolerance >= 0:
            raise QueryError(f"Times: tolerance={tolerance!r} is not a number of seconds from 0 on")
        object.__setattr__(self, "times", given)
        object.__setattr__(self, "tolerance", float(tolerance))


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Q:
    """What an image must be.

    ``Q("T2w", plane="sag")`` names the ``sequence`` first; every other attribute of the vocabulary and every BIDS
    entity (short or long name), ``suffix`` and ``datatype`` may follow. ``None`` means absent (or, for a closed set
    of words, ``unknown``), a tuple any of its values.

    ``derived``    the words the image must have, no more and no less; nothing unless asked, ``"any"`` for all
    ``family``     ``"diffusion"`` is DWI or trace
    ``phases``     :class:`Times`: the phases of a DCE
    ``bvalues``    s/mm²: the volumes of a diffusion image, each within 5 % or 10 s/mm², whichever is more
    ``label``, ``reader``   an annotation: what it shows and who drew it; the scope is then ``annotations``, as with
                   ``seg``, the set of a label map. A label is a mask (several lesions of it are one mask), where there
                   is none the regions of that name in a label map; ``suffix="probseg"``, ``"boxes"`` or ``"points"``
                   asks for fractions, float32 ``[N, 6]`` (i1 j1 k1 i2 j2 k2, both corners inside) or ``[N, 3]``
    ``scope``      ``"raw"``, ``"annotations"``, or ``"derivatives/<model>"``: what a model predicted, as a label, whose
                   ``reader`` is then the model as its files name it, or as an image, which is not asked for QC
    ``units``      ``"stored"`` leaves an ADC as it was stored (after slope and intercept) instead of 10⁻⁶ mm²/s;
                   ``"SUV"`` turns a PET in Bq/mL into standardised uptake values by body weight, where the column
                   ``weight`` (kg) and its sidecar (dose, times and radionuclide as in BIDS) tell them

    Raises :class:`QueryError` for an unknown name or value, with the legal ones.

    >>> Q("T2w", plane="sag")
    Q('T2w', plane='sag')
    >>> Q("T2w", plane="sagittal")
    Traceback (most recent call last):
        ...
    QueryError: Q: plane='sagittal' is not in the vocabulary; legal: ax sag …
    """

    attributes: tuple[tuple[str, tuple[Any, ...]], ...]
    entities: tuple[tuple[str, tuple[str | None, ...]], ...]
    derived: tuple[str, ...] | None
    scope: str
    label: tuple[str, ...]
    reader: tuple[str, ...]
    phases: Times | None
    bvalues: tuple[float, ...]
    units: str
    text: str

    def __init__(
        self,
        sequence: str | tuple[str, ...] | None = None,
        /,
        *,
        family: str | None = None,
        derived: str | Sequence[str] = (),
        scope: str | None = None,
        label: str | tuple[str, ...] = (),
        reader: str | tuple[str, ...] = (),
        phases: Times | None = None,
        bvalues: Sequence[float] = (),
        units: str = "physical",
        **conditions: Any,
    ) -> None:
        sets = {"seg", "segmentation"} & set(conditions)
        scope = scope or ("annotations" if label or reader or sets else "raw")
        _check_scope(scope)
        _check_word("units", units, UNITS)
        if (label or reader) and scope == "raw":
            raise QueryError("Q: label and reader belong to masks; write scope='annotations' or leave it out")
        if family is not None:
            _check_word("family", family, tuple(FAMILIES))
        if family is not None and (sequence is not None or "sequence" in conditions):
            raise QueryError("Q: give either a sequence or a family, not both")
        given = {**conditions}
        if sequence is not None:
            given = {"sequence": sequence, **conditions}
        if family is not None:
            given["sequence"] = FAMILIES[family]
        attributes, entities = _sort_out(given)
        fields: dict[str, Any] = {
            "attributes": attributes,
            "entities": entities,
            "derived": _derived(derived),
            "scope": scope,
            "label": _tuple(label),
            "reader": _tuple(reader),
            "phases": phases,
            "bvalues": _numbers("Q: bvalues", bvalues),
            "units": units,
        }
        if phases is not None and not isinstance(phases, Times):
            raise QueryError(f"Q: phases={phases!r} must be Times([...], tolerance=…)")
        _check_bvalues(fields["bvalues"])
        extras = {"family": family, "phases": phases, "label": label, "reader": reader, **conditions}
        extras |= {"derived": derived, "bvalues": tuple(bvalues), "units": "" if units == "physical" else units}
        extras["scope"] = "" if scope in SCOPES else scope
        words = [repr(sequence)] if sequence is not None else []
        words += [f"{k}={v!r}" for k, v in extras.items() if k in conditions or (v is not None and v != () and v != "")]
        for name, value in {**fields, "text": f"Q({', '.join(words)})"}.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return self.text

    def matches(self, image: Image) -> bool:
        """Whether one image is meant. ``phases`` and ``bvalues`` choose volumes later and exclude no image here."""
        if image.scope != self.scope:
            return False
        for name, allowed in self.attributes:
            if getattr(image.record, name) not in allowed:
                return False
        if self.scope == "raw" and self.derived is not None and image.record.derived != self.derived:
            return False
        for name, labels in self.entities:
            value = getattr(image, name) if name in ("suffix", "datatype") else image.entity.get(name)
            if not any(_same_label(value, label) for label in labels):
                return False
        if self.label and not self._shows(image):
            return False
        readers = {image.reader.lower(), image.entity.get("desc", "").lower()}
        return not self.reader or any(reader.lower() in readers for reader in self.reader)

    def indices(self, image: Image) -> tuple[int, ...]:
        """The values of a label map that are meant by ``label``."""
        return tuple(sorted({index for name, index in image.regions if name in self.label}))

    def _shows(self, image: Image) -> bool:
        """Whether an annotation has the label asked for: as a whole, or as one of its regions or rows."""
        if image.is_table:
            named = not image.regions or any(name in self.label for name, _ in image.regions)
            return named and "suffix" in dict(self.entities)
        if image.suffix == "probseg" and "suffix" not in dict(self.entities):
            return False
        whole = image.label in self.label or image.entity.get("label") in self.label
        return whole or bool(self.indices(image))


def _sort_out(given: Mapping[str, Any]) -> tuple[tuple[tuple[str, Any], ...], tuple[tuple[str, Any], ...]]:
    """Split the conditions into those on the harmonised record and those on the BIDS name."""
    attributes: dict[str, Any] = {}
    entities: dict[str, Any] = {}
    for name, value in given.items():
        if name in vocabulary():
            attributes[name] = _values(vocabulary()[name], value)
        elif name in ("suffix", "datatype"):
            entities[name] = tuple(str(v) for v in _tuple(value))
        elif name in entity_keys():
            entities[entity_keys()[name]] = tuple(None if v is None else str(v) for v in _tuple(value))
        else:
            legal = [*vocabulary(), "suffix", "datatype", "family", "label", "reader", "scope", "phases", "units"]
            raise QueryError(
                f"Q: there is no attribute {name!r}; legal: {' '.join(legal)}, and the entities of BIDS: "
                f"{' '.join(sorted(set(entity_keys().values())))}"
            )
    return tuple(attributes.items()), tuple(entities.items())


def _values(attribute: Attribute, value: Any) -> tuple[Any, ...]:
    """The legal values that ``value`` stands for."""
    absent = "unknown" if "unknown" in attribute.values else "" if attribute.kind == "word" else None
    values = tuple(absent if v is None else v for v in _tuple(value))
    for each in values:
        if attribute.kind == "word" and each not in attribute.values and each != absent:
            raise QueryError(
                f"Q: {attribute.name}={each!r} is not in the vocabulary; legal: {' '.join(attribute.values)}"
            )
        if attribute.kind == "index" and each is not None and (type(each) is not int or each < 1):
            raise QueryError(f"Q: {attribute.name}={each!r} must be a whole number from 1 on, or None")
        if attribute.kind == "number" and each is not None and not (isinstance(each, int | float) and each >= 0):
            raise QueryError(f"Q: {attribute.name}={each!r} must be a number from 0 on, or None")
    return values


def _derived(value: str | Sequence[str]) -> tuple[str, ...] | None:
    if value == "any":
        return None
    legal = vocabulary()["derived"].values
    words = (value,) if isinstance(value, str) else tuple(value)
    for word in words:
        if word not in legal:
            raise QueryError(f"Q: derived={word!r} is not in the vocabulary; legal: {' '.join(legal)} any")
    return tuple(word for word in legal if word in words)


def _numbers(what: str, values: Sequence[float]) -> tuple[float, ...]:
    """Numbers in a list. Raises ``QueryError`` where one number, a text or something else is given."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise QueryError(f"{what}: expected a list of numbers, such as [0, 800]; found {values!r}")
    try:
        return tuple(float(v) for v in values)
    except (TypeError, ValueError) as error:
        raise QueryError(f"{what}: expected a list of numbers, such as [0, 800]; found {values!r}") from error


def _check_bvalues(bvalues: tuple[float, ...]) -> None:
    if any(b < 0 for b in bvalues) or any(a >= b for a, b in pairwise(bvalues)):
        raise QueryError(f"Q: bvalues={list(bvalues)} is not a rising list of s/mm² from 0 on")


def _check_scope(scope: str) -> None:
    if scope not in SCOPES and not (scope.startswith(MODELS) and MODEL.fullmatch(scope.removeprefix(MODELS))):
        raise QueryError(f"Q: scope={scope!r} is not known; legal: {' '.join(SCOPES)} {MODELS}<model>")


def _check_word(name: str, value: str, legal: tuple[str, ...]) -> None:
    if value not in legal:
        raise QueryError(f"Q: {name}={value!r} is not known; legal: {' '.join(legal)}")


def _tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _same_label(value: str | None, wanted: str | None) -> bool:
    """Labels are equal as text, and index labels (``run-01``) as numbers."""
    if value is None or wanted is None:
        return value is wanted
    return value == wanted or (value.isdigit() and wanted.isdigit() and int(value) == int(wanted))
