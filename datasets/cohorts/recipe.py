"""Cohorts written down without Python: a YAML or JSON file with the arguments of :meth:`Database.cohort`.

::

    unit: session
    images:
      t2: {sequence: T2w, plane: sag}
      dce: {sequence: DCE, phases: [0, 30, 60], tolerance: 10}
      adc: ADC
    labels:
      lesion: {label: lesion, reader: consensus}
    targets:
      orads: {categorical: orads_score}
      os: {survival: [os_months, os_event]}
    where: site != 'S07' and age >= 18
    qc: pass
    missing: drop
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from trialbids.mappings.plain import read_mapping
from trialbids.mappings.protocolfile import line_of, plainly

from ..errors import QueryError
from .inline import query_of_values, query_of_words
from .policies import (
    DUPLICATES,
    GRIDS,
    MISSING,
    QC,
    UNITS,
    VERDICTS,
    Grid,
    Missing,
    Require,
    Resample,
    check_choice,
)
from .query import Q
from .request import Request
from .targets import Categorical, MultiLabel, Regression, Survival, Target

if TYPE_CHECKING:
    from ..database import Database
    from .cohort import Cohort

ANY = "any"
"""The word for ``qc=None``: images of any verdict, or none."""
EXAMPLE = "such as `images: {t2: T2w}`"
TARGETS: Mapping[str, tuple[type[Target], frozenset[str]]] = {
    "regression": (Regression, frozenset({"gaps"})),
    "categorical": (Categorical, frozenset({"classes", "gaps"})),
    "multilabel": (MultiLabel, frozenset({"classes", "separator", "nothing", "gaps"})),
    "survival": (Survival, frozenset({"gaps"})),
}


def _query(value: Any) -> Any:
    if isinstance(value, str):
        return query_of_words(value)
    return query_of_values(value) if isinstance(value, Mapping) else value


def _target(value: Any) -> Any:
    """``{categorical: orads_score, classes: [2, 3, 4, 5]}`` as a target."""
    if not isinstance(value, Mapping):
        return value
    kinds = [kind for kind in TARGETS if kind in value]
    if len(kinds) != 1:
        raise ValueError(f"expected one of {', '.join(TARGETS)} with its column, found {', '.join(map(str, value))}")
    kind, options = TARGETS[kinds[0]]
    given: dict[str, Any] = {
        str(name): tuple(v) if isinstance(v, list) else v for name, v in value.items() if name != kinds[0]
    }
    if strange := sorted(given.keys() - options):
        raise ValueError(f"{strange[0]} is no option of {kinds[0]}; there are: {', '.join(sorted(options))}")
    columns = value[kinds[0]]
    if kind is Survival:
        if not isinstance(columns, list) or len(columns) != 2:
            raise ValueError(f"survival needs two columns, [time, event], found {columns!r}")
        return Survival(columns[0], columns[1], **given)
    if kind is MultiLabel:
        if not isinstance(columns, str | list):
            raise ValueError(f"multilabel needs a column or a list of columns, found {columns!r}")
        return MultiLabel(columns if isinstance(columns, str) else tuple(columns), **given)
    return kind(columns, **given)


def _quality(value: Any) -> Any:
    """``{verdict: warn, where: snr > 8}`` as a policy; ``any``, as on the command line, is None."""
    if isinstance(value, QC):
        return value
    given = _known(value, ("verdict", "where"), "qc") if isinstance(value, Mapping) else {"verdict": value}
    verdict = None if given.get("verdict", "pass") == ANY else given.get("verdict", "pass")
    check_choice("qc", verdict, (*VERDICTS, ANY))
    return QC(**{**given, "verdict": verdict}) if isinstance(value, Mapping) else verdict


def _missing(value: Any) -> Any:
    """``{require: [t2], any_of: 2}`` as a policy."""
    if isinstance(value, Require):
        return value
    if not isinstance(value, Mapping):
        check_choice("missing", value, MISSING, "or {require: t2}")
        return value
    given = _known(value, ("require", "any_of"), "missing")
    keys = given.pop("require", [])
    return Require(*(keys if isinstance(keys, list) else [keys]), **given)


def _grid(value: Any) -> Any:
    """``{resample: t2, interpolation: linear}`` as a policy."""
    if isinstance(value, Resample):
        return value
    if not isinstance(value, Mapping):
        check_choice("grid", value, GRIDS, "or {resample: t2}")
        return value
    given = _known(value, ("resample", "interpolation"), "grid")
    if "resample" not in given:
        raise ValueError("grid needs the key of an image, such as {resample: t2}")
    return Resample(given.pop("resample"), **given)


def _known(value: Mapping[Any, Any], names: Sequence[str], what: str) -> dict[str, Any]:
    if strange := [name for name in value if name not in names]:
        raise ValueError(f"{strange[0]} is no key of {what}; there are: {', '.join(names)}")
    return {str(name): each for name, each in value.items()}


def _one_of(name: str, legal: tuple[str, ...]) -> Callable[[str], str]:
    """A check that is done while the field, and so its line, is known."""

    def check(value: str) -> str:
        check_choice(name, value, legal)
        return value

    return check


class Recipe(BaseModel):
    """The arguments of :meth:`Database.cohort` in a file; ``recipe.cohort(db)`` makes the cohort.

    A query is ``{sequence: T2w, plane: sag}`` or ``"T2w,plane=sag"``, a list means any of its values. A target is
    ``{regression: column}``, ``{categorical: column, classes: […]}``, ``{multilabel: [columns]}`` or
    ``{survival: [time, event]}``. ``missing`` may be ``{require: [t2], any_of: 2}``, ``grid``
    ``{resample: t2}``, ``qc`` ``any`` or ``{verdict: warn, where: snr > 8}``. Raises :class:`QueryError` naming file,
    line and field.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    unit: Annotated[str, AfterValidator(_one_of("unit", UNITS))] = "session"
    images: dict[str, Annotated[Q, BeforeValidator(_query)]] = Field(min_length=1)
    labels: dict[str, Annotated[Q, BeforeValidator(_query)]] = Field(default_factory=dict)
    targets: dict[str, Annotated[Target, BeforeValidator(_target)]] = Field(default_factory=dict)
    where: str | None = None
    qc: Annotated[str | QC | None, BeforeValidator(_quality)] = "pass"
    missing: Annotated[Missing, BeforeValidator(_missing)] = "raise"
    duplicates: Annotated[str, AfterValidator(_one_of("duplicates", DUPLICATES))] = "raise"
    grid: Annotated[Grid, BeforeValidator(_grid)] = "any"
    fields: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read a YAML or JSON file. Raises :class:`QueryError` naming file, line and field."""
        node, data = read_mapping(Path(path), "the recipe", EXAMPLE, QueryError)
        try:
            recipe = cls.model_validate(data)
            recipe.request()
        except ValidationError as error:
            lines = [_sentence(Path(path), node, e["loc"], e["msg"], e["type"]) for e in error.errors()]
            raise QueryError("\n".join(dict.fromkeys(lines))) from error
        except QueryError as error:
            raise QueryError(f"{path}: {error}") from error
        return recipe

    def request(self) -> Request:
        """The request, checked. Raises :class:`QueryError`."""
        return Request(**{name: getattr(self, name) for name in type(self).model_fields})

    def cohort(self, db: Database) -> Cohort:
        """The cohort in a tree. Raises as :meth:`Database.cohort`."""
        return db.cohort(**{name: getattr(self, name) for name in type(self).model_fields})


def _sentence(path: Path, node: yaml.Node, loc: Sequence[Any], message: str, kind: str) -> str:
    """One error of the model as a sentence."""
    place = _in_file(node, loc)
    named = ".".join(map(str, place)) or "the file"
    sentence = plainly(message, kind).removeprefix("cohort: ")
    if kind == "extra_forbidden":
        sentence = f"unknown key; there are: {', '.join(Recipe.model_fields)}"
    elif kind in ("is_instance_of", "too_short"):
        sentence = f"expected keys and values, {EXAMPLE}"
    return f"{path}: line {line_of(node, place)}: {named}: {sentence}"


def _in_file(node: yaml.Node, loc: Sequence[Any]) -> list[Any]:
    """The part of pydantic's way to an error that the file holds; the rest names one of several types."""
    place: list[Any] = list(loc[:1])
    here = next((v for k, v in node.value if k.value == str(place[0])), None) if place else None
    for part in loc[1:]:
        held = here.value if isinstance(here, yaml.MappingNode) else []
        following = next((v for k, v in held if k.value == str(part)), None)
        if following is None:
            break
        place.append(part)
        here = following
    return place
