"""What a report says beside its counts: how often something is there, and what a model cannot learn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from .columnar import Columnar
from .report import Multiplicity
from .targets import NO_CLASS, Categorical, MultiLabel, Target
from .units import Unit


def multiplicities(units: Iterable[Unit], visits: Iterable[tuple[str, str]]) -> tuple[Multiplicity, ...]:
    """Visits a participant, and acquisitions that answered a key; only where they are not one throughout."""
    counted: dict[str, Counter[int]] = {}
    people = Counter(participant for participant, _ in visits)
    counted["participants by number of visits"] = Counter(people.values())
    for unit in units:
        for key, n in unit.answers.items():
            counted.setdefault(f"{key}, samples by number of acquisitions", Counter())[n] += 1
    return tuple(Multiplicity(of, dict(counts)) for of, counts in counted.items() if set(counts) - {1})


def remarks(targets: Mapping[str, Target], samples: Columnar) -> tuple[str, ...]:
    """Targets with one value only, classes without a sample, and samples kept without a value."""
    lines: list[str] = []
    for name, target in targets.items():
        values = samples.columns[name]
        given = [value for value in values if _known(value)]
        if len(given) < len(values):
            lines.append(f"{name}: {len(values) - len(given)} samples have no value and are kept (gaps='mask')")
        if len(given) > 1 and len(set(given)) == 1:
            lines.append(f"{name}: all {len(given)} samples have the same value; a model learns nothing from it")
        if lonely := _without_sample(target, given):
            lines.append(f"{name}: no sample of {', '.join(map(repr, lonely))} among the classes")
    return tuple(lines)


def _known(value: object) -> bool:
    if isinstance(value, tuple):
        return all(_known(each) for each in value)
    return value != NO_CLASS if isinstance(value, int) else value == value  # NaN is not itself


def _without_sample(target: Target, given: Sequence[object]) -> list[object]:
    if isinstance(target, Categorical):
        return [name for n, name in enumerate(target.classes) if n not in given]
    if isinstance(target, MultiLabel):
        return [
            name for n, name in enumerate(target.classes) if not any(row[n] for row in given if isinstance(row, tuple))
        ]
    return []
