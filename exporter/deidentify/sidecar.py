"""The sidecar of one image: allow-listed fields, each in the form that the list names, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trialbids.mappings.fields import DerivedKey, Field, legal_number, rounded
from trialbids.mappings.names import name_rules
from trialbids.mappings.record import Record

from ..stacks.stack import Stack
from .marks import Marks, joined
from .options import Options
from .pseudonyms import Pseudonyms
from .times import Clock

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
    clock: Clock,
    pseudonyms: Pseudonyms,
    extra: Mapping[str, Any],
    options: Options | None = None,
    defaced: bool = False,
) -> Sidecar:
    """The JSON of one image.

    ``converted`` is the converter's own (private) sidecar, of which only the listed derived keys are taken; ``clock``
    is the session's; ``extra`` holds keys of ours such as ``Units``; ``options`` are the trial's, the strictest where
    none are given. Raises ``ValueError`` where ``extra`` holds a key that the list does not.
    """
    options = options or Options()
    rules = options.allowed
    content: dict[str, Any] = {}
    dropped: list[Dropped] = []
    for field in rules.fields:
        if not field.bids:
            continue
        value = _released(stack, field, clock, pseudonyms, options.marks, dropped)
        if value is not None:
            content[field.bids] = value
    content.update(_derived(converted, rules.derived, stack, content))
    content.update(_own(record, acquisition, content))
    content["DeidentificationMethod"] = options.methods(defaced=defaced)
    content["DeidentificationMethodCodeSequence"] = [code.to_json() for code in options.claims(defaced=defaced)]
    unknown = set(extra) - rules.own
    if unknown:
        raise ValueError(f"not in the allow-list: {', '.join(sorted(unknown))}")
    content.update(extra)
    return Sidecar(content, tuple(dropped))


def _released(
    stack: Stack, field: Field, clock: Clock, pseudonyms: Pseudonyms, marks: Marks, dropped: list[Dropped]
) -> Any:
    """One field in the form in which it leaves, None where there is nothing to say."""
    if field.action == "offset":
        seconds = clock.seconds(stack.instances)
        return None if seconds is None else clock.time_of_day(seconds)
    value = _common(stack, field.keyword)
    if value in (None, "", ()):
        return None
    if field.action == "hash":
        return pseudonyms.uid(str(value))
    if field.action == "number":
        number = _number(value, field.scale)
        if _is_numeric(number) and _are_legal(field.bids, number):
            return number
        dropped.append(Dropped(field.keyword, str(value)))
        return None
    words = value if isinstance(value, tuple) else (str(value),)
    passed = [w for w in words if marks.lets(field, w)]
    dropped.extend(Dropped(field.keyword, w) for w in words if w not in passed)
    if not passed:
        return None
    if (field.keyword, joined(passed)) in marks.rejected:
        dropped.append(Dropped(field.keyword, joined(passed)))
        return None
    return passed if field.keyword == "ImageType" else joined(passed)


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
    number = float(value) * scale
    return rounded(number) if math.isfinite(number) else None


def _shortened(value: Any) -> Any:
    if isinstance(value, list):
        return [_shortened(v) for v in value]
    return rounded(value) if isinstance(value, float) else value


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
            out[entry.key] = _shortened(value)
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
    return out
