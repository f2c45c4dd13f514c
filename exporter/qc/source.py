"""What is known of the quality of a trial before a pixel is read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

from .check import ERROR, Finding
from .verdict import Waived, blocking, is_waived

WIDE = frozenset({"session", "subject", "release"})


@dataclass(frozen=True)
class Quality:
    """Findings on headers, and what a person has waived.

    ``of_headers`` are those of the checks of stacks, series, sessions and people, ``of_stacking`` what stacking and
    reading met: files without an image, copies, identifiers that are used twice, series that cannot be trusted,
    ``of_plan`` what the protocol says of the stacks that are kept.
    """

    of_headers: tuple[Finding, ...] = ()
    of_stacking: tuple[Finding, ...] = ()
    of_plan: tuple[Finding, ...] = ()
    waived: Waived = field(default_factory=dict)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All of them."""
        return (*self.of_stacking, *self.of_headers, *self.of_plan)

    @cached_property
    def blocked(self) -> Mapping[str, Finding]:
        """The stacks that failed a check which nobody has waived, each with the first such finding.

        A doubt of stacking is not among them: it decides by itself.
        """
        return blocking(self.of_headers, self.waived)

    @cached_property
    def trusted(self) -> frozenset[str]:
        """The stacks whose doubt a person has waived."""
        found = [f for f in self.of_stacking if f.severity == ERROR]
        doubted = {s for f in found for s in f.stacks if not is_waived(f, self.waived)}
        return frozenset(s for f in found for s in f.stacks) - doubted

    def of_stack(self, stack_id: str) -> tuple[Finding, ...]:
        """What concerns one stack that is kept: a doubt that a person's edit has overruled does not."""
        return self._by_stack.get(stack_id, ())

    def codes(self, stack_id: str) -> frozenset[str]:
        """The codes of all that the checks of headers found on a stack."""
        return frozenset(f.check for f in self._by_stack.get(stack_id, ()))

    def with_plan(self, findings: Iterable[Finding]) -> Self:
        """The same with what is known once the plan is made."""
        return replace(self, of_plan=tuple(findings))

    @cached_property
    def _by_stack(self) -> Mapping[str, tuple[Finding, ...]]:
        doubts = [f for f in self.of_stacking if f.severity != ERROR or is_waived(f, self.waived)]
        return by_stack((*doubts, *self.of_headers, *self.of_plan))


def by_stack(findings: Iterable[Finding]) -> dict[str, tuple[Finding, ...]]:
    """The findings that concern each stack, in their order.

    What is said of a session or subject as a whole (a sequence is missing, a birth date differs) is no fault of any of
    its images, where it is no error.
    """
    index: dict[str, list[Finding]] = defaultdict(list)
    for f in findings:
        if f.level in WIDE and f.severity != ERROR and not f.evidence.stacks:
            continue
        for stack_id in f.stacks:
            index[stack_id].append(f)
    return {stack_id: tuple(found) for stack_id, found in index.items()}
