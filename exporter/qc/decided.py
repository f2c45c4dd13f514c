"""What a person should know of what the plan has decided."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..plan.build import Planned, kept_with_text
from .check import WARNING, Evidence, Finding

KEPT_WITH_TEXT = "kept by a person's edit although the header says that text is burned into the pixels"


def decided_findings(planned: Iterable[Planned]) -> Iterator[Finding]:
    """Text that a person lets stand although the header says that it is burned in (P08)."""
    for p in kept_with_text(planned):
        own = (p.row.stack_id,)
        yield Finding("P08", WARNING, KEPT_WITH_TEXT, Evidence(KEPT_WITH_TEXT), "stack", p.row.stack_id, own)
