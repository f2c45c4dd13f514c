"""Stacks to harmonised records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trialbids.mappings.facts import Facts
from trialbids.mappings.record import Record
from trialbids.mappings.rules import Rules

from ..stacks.stack import Stack
from .context import contexts
from .decide import Decision, Evidence, decide
from .facts import agent, facts_of, representatives

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
    """The harmonised record of every stack, in the order given.

    Stacks of one study should be given together: injections, time points and flip angles are read across them.
    Objects that are no images get an empty record.
    """
    images = [s for s in stacks if s.is_image]
    named = {s.stack_id: agent(representatives(s)) for s in images}
    around = contexts(images, named)
    done: list[Harmonised] = []
    for stack in stacks:
        if not stack.is_image:
            done.append(Harmonised(stack, Record(), ()))
            continue
        facts = facts_of(stack, around[stack.stack_id])
        decision = decide(facts, rules)
        done.append(Harmonised(stack, record_of(stack, facts, decision), decision.evidence))
    return done


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
