"""The facts of stacks as the rules read them, and what they would be if something in the header were absent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, Field, dataclass, fields, replace
from functools import partial
from typing import Any

from trialbids.mappings.facts import Facts
from trialbids.mappings.record import format_cell

from ..harmonise.context import contexts
from ..harmonise.facts import enhanced_among, facts_of, representatives
from ..inventory.instance import Instance
from ..stacks.stack import Stack


@dataclass(frozen=True, slots=True)
class Absence:
    """The facts of a stack as they would be without one thing, with the value that it has."""

    name: str
    read: str
    facts: Facts


def facts_by_stack(stacks: Sequence[Stack]) -> dict[str, Facts]:
    """The facts of every image by ``stack_id``. Stacks of one study must be given together."""
    return {stack_id: read(stack) for stack_id, (stack, read) in readers(stacks).items()}


def readers(stacks: Sequence[Stack]) -> dict[str, tuple[Stack, Callable[[Stack], Facts]]]:
    """Every image by ``stack_id``, with how its facts are read within its study."""
    images = [s for s in stacks if s.is_image]
    around = contexts(images, enhanced_among(images))
    return {s.stack_id: (s, partial(facts_of, context=around[s.stack_id])) for s in images}


def without_headers(stack: Stack, read: Callable[[Stack], Facts]) -> Iterator[Absence]:
    """The facts without one DICOM keyword after the other; those that no fact depends on are passed over.

    How the stack was cut out of its series, and what the rest of the study says, stay as they are.
    """
    rows = representatives(stack)
    thin = replace(stack, instances=tuple(rows), volume=tuple(range(len(rows))))
    facts = read(stack)
    if read(thin) != facts:
        thin = stack
    for field in fields(Instance):
        if not (field.name[0].isupper() or field.name.startswith("b_")):
            continue
        told = [i for i in thin.instances if getattr(i, field.name) != default_of(field)]
        if not told:
            continue
        bare = tuple(replace(i, **{field.name: default_of(field)}) for i in thin.instances)
        changed = read(replace(thin, instances=bare))
        if changed != facts:
            yield Absence(field.name, _cell(getattr(told[0], field.name)), changed)


def without_facts(facts: Facts, names: Sequence[str]) -> Iterator[Absence]:
    """The facts with one of these fields after the other set back to absent."""
    for field in fields(Facts):
        value = getattr(facts, field.name)
        if field.name in names and value != default_of(field):
            yield Absence(field.name, _cell(value), replace(facts, **{field.name: default_of(field)}))


def default_of(field: Field[Any]) -> Any:
    """The value of a field where nothing is told."""
    return None if field.default is MISSING else field.default


def _cell(value: Any) -> str:
    return format_cell(value)
