"""Stacks to harmonised records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trialbids.mappings.facts import Facts
from trialbids.mappings.record import Record
from trialbids.mappings.rules import Rules

from ..stacks.stack import Stack
from .context import contexts
from .decide import Decision, Evidence, Judge
from .facts import enhanced_among, facts_of

PART_FREE = frozenset({"ADC", "expADC", "FA", "colFA", "S0map", "perfmap", "fatfraction"})
WITH_BVALUES = frozenset({"DWI", "trace"})
WITHOUT_ECHO = frozenset({"inphase", "opposed", "water", "fat"})


@dataclass(frozen=True)
class Harmonised:
    """A stack with its record, and every rule that fired for it."""

    stack: Stack
    record: Record
    evidence: tuple[Evidence, ...]


def harmonise(stacks: Sequence[Stack], rules: Rules) -> list[Harmonised]:
    """The harmonised record of every stack, in the order given, with every rule that fired.

    Stacks of one study should be given together: injections, time points and flip angles are read across them.
    Objects that are no images get an empty record.
    """
    return [
        Harmonised(stack, record, decision.evidence if decision else ())
        for stack, record, decision in judged(stacks, Judge(rules))
    ]


def judged(stacks: Sequence[Stack], judge: Judge) -> Iterator[tuple[Stack, Record, Decision | None]]:
    """Each stack with its record and the decision behind it, None for objects that are no images.

    This is :func:`harmonise` without its evidence, which costs more than all the rest where a table is long.
    """
    images = [s for s in stacks if s.is_image]
    around = contexts(images, enhanced_among(images))
    for stack in stacks:
        if not stack.is_image:
            yield stack, Record(), None
            continue
        facts = facts_of(stack, around[stack.stack_id])
        decision = judge(facts)
        yield stack, record_of(stack, facts, decision), decision


def record_of(stack: Stack, facts: Facts, decision: Decision) -> Record:
    """The record: voted attributes from the decision, indices, times and b-values from the stack."""
    values = dict(decision.values)
    sequence = values["sequence"]
    if sequence in PART_FREE:
        values["part"] = "mag"
    return Record(
        **values,
        echo_index=None if values["dixon"] in WITHOUT_ECHO else stack.echo_index,
        flip_index=stack.flip_index,
        phase_index=stack.phase_index,
        phase_time_s=stack.phase_time_s,
        phase_time_source=stack.phase_time_source,
        bvalues=facts.bvalues if sequence in WITH_BVALUES else (),
        confidence=decision.confidence,
        evidence=decision.deciding,
    )
