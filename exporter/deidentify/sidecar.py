"""The sidecar of one image: allow-listed fields, each in the form that the list names, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trialbids.mappings.fields import DerivedKey, Field, allow_list, legal_number
from trialbids.mappings.names import name_rules
from trialbids.mappings.record import Record

from ..stacks.stack import Stack
from .pseudonyms import Pseudonyms
from .times import as_offset, first_moment

LONGEST_SESSION_S = 6 * 3600.0
"""Further from the session's first image than this, a time is a clock of its own and would tell the time of day."""

INGREDIENTS = {"gadolinium": "GADOLINIUM", "iodine": "IODINE"}


@dataclass(frozen=True, slots=True)
class Dropped:
    """A value that the allow-list did not let pass. Private: it is listed in the work folder for a person to review."""

    keyword: str
    value: str


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What the image's JSON holds, and what was dropped on the way."""

    content: dict[str, Any]
    dropped: tuple[Dropped, ...]


def make_sidecar(
    stack: Stack,
    record: Record,
    converted: Mapping[str, Any],
    *,
    acquisition: str,
    start: float | None,
    pseudonyms: Pseudonyms,
    extra: Mapping[str, Any],
) -> Sidecar:
    """The JSON of one image.

    ``converted`` is the converter's own (private) sidecar, of which only the listed derived keys are taken; ``start``
    is the session's first moment; ``extra`` holds keys of ours such as ``Units``. Raises ``ValueError`` where ``extra``
    holds a key that the list does not.
    """
    rules = allow_list()
    content: dict[str, Any] = {}
    dropped: list[Dropped] = []
    for field in rules.fields:
        if not field.bids:
            continue
        value = _released(stack, field, start, pseudonyms, dropped)
        if value is not None:
            content[field.bids] = value
    content.update(_derived(converted, rules.derived, stack, content))
    content.update(_own(record, acquisition, content))
    unknown = set(extra) - rules.own
    if unknown:
        raise ValueError(f"not in the allow-list: {', '.join(sorted(unknown))}")
    content.update(extra)
    return Sidecar(content, tuple(dropped))


def _released(stack: Stack, field: Field, start: float | None, pseudonyms: Pseudonyms, dropped: list[Dropped]) -> Any:
    """One field in the form in which it leaves, None where there is nothing to say."""
    if field.action == "offset":
        moment = first_moment(stack.instances)
        if moment is None or start is None or not 0 <= moment - start <= LONGEST_SESSION_S:
            return None
        return as_offset(moment - start)
    value = _common(stack, field.keyword)
    if value in (None, "", ()):
        return None
    if field.action == "hash":
        return pseudonyms.uid(field.keyword, str(value))
    if field.action == "number":
        number = _number(value, field.scale)
        if _is_numeric(number) and _are_legal(field.bids, number):
            return number
        dropped.append(Dropped(field.keyword, str(value)))
        return None
    words = value if isinstance(value, tuple) else (str(value),)
    passed = [w for w in words if field.passes(w)]
    dropped.extend(Dropped(field.keyword, w) for w in words if not field.passes(w))
    if not passed:
        return None
    return passed if field.keyword == "ImageType" else passed[0] if len(passed) == 1 else "_".join(passed)


def _common(stack: Stack, keyword: str) -> Any:
    """The value that all instances share, None where they differ; UIDs are those of the first instance."""
    value = getattr(stack.first, keyword)
    if keyword.endswith("UID"):
        return value
    return value if all(getattr(i, keyword) == value for i in stack.instances) else None


def _number(value: Any, scale: float) -> Any:
    if isinstance(value, tuple):
        return [_number(v, scale) for v in value]
    if isinstance(value, int) and scale == 1.0:
        return value
    number = float(f"{float(value) * scale:.9g}")
    return number if math.isfinite(number) else None


def _derived(
    converted: Mapping[str, Any], keys: tuple[DerivedKey, ...], stack: Stack, content: Mapping[str, Any]
) -> dict[str, Any]:
    """The converter's computed keys, where they are numbers or listed words and fit the stack."""
    out: dict[str, Any] = {}
    for entry in keys:
        value = converted.get(entry.key)
        if entry.words:
            if isinstance(value, str) and value in entry.words:
                out[entry.key] = value
        elif _is_numeric(value) and _are_legal(entry.key, value):
            out[entry.key] = value
    timing = out.get("SliceTiming")
    if timing is not None and not _plausible_timing(timing, stack.n_slices, content.get("RepetitionTime")):
        del out["SliceTiming"]
    return out


def _is_numeric(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(_is_numeric(v) for v in value)
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _are_legal(key: str, value: Any) -> bool:
    return all(legal_number(key, v) for v in (value if isinstance(value, list) else [value]))


def _plausible_timing(timing: Any, n_slices: int, repetition: Any) -> bool:
    if not isinstance(timing, list) or len(timing) != n_slices or min(timing) < 0:
        return False
    return not isinstance(repetition, int | float) or max(timing) < repetition


def _own(record: Record, acquisition: str, content: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {"Harmonised": record.to_json(), "AcquisitionID": acquisition}
    if record.bodypart != "unknown":
        out["BodyPart"] = record.bodypart.upper()
    if record.agent == "with" and record.agent_name in INGREDIENTS:
        out["ContrastBolusIngredient"] = INGREDIENTS[record.agent_name]
    if record.sequence == "bold":
        out["TaskName"] = "unknown"
    if record.technique in name_rules().pulse_sequences:
        out["PulseSequenceType"] = name_rules().pulse_sequences[record.technique]
    if record.sequence == "VFA" and "RepetitionTime" in content:
        out["RepetitionTimeExcitation"] = content["RepetitionTime"]
    if record.part == "phase":
        out["Units"] = "arbitrary"
    out["DeidentificationMethod"] = [
        "Only allow-listed header fields, as numbers, closed words or listed vendor patterns",
        "Subject, session and UIDs replaced by a keyed hash",
        "Dates removed, times relative to the session's first acquisition",
    ]
    return out
