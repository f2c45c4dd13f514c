"""Check R04: what the description of a stack says, and what its numbers say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from trialbids.mappings.calibration import TEXT_THEME
from trialbids.mappings.description import plain
from trialbids.mappings.lexicon import read_concepts
from trialbids.mappings.rules import SITE

from ...harmonise import Harmonised
from ..check import WARNING, Check, Evidence

LEAST_WEIGHT = 1.5
"""Votes that weigh less are guesses, which may differ without a contradiction."""

CONTRASTS: Mapping[str, frozenset[str]] = {
    "T1": frozenset({"T1w", "DCE", "VFA", "angio", "MEGRE", "T1map"}),
    "T2": frozenset({"T2w", "FLAIR", "MRCP", "MESE", "T2map"}),
    "PD": frozenset({"PDw"}),
    "T2*": frozenset({"T2starw", "SWI", "MEGRE", "T2starmap", "R2starmap", "fieldmap"}),
    "balanced": frozenset({"bSSFP", "cine"}),
    "diffusion": frozenset({"DWI", "trace", "ADC", "expADC", "FA", "colFA", "S0map"}),
    "perfusion": frozenset({"DSC", "ASL", "bold", "perfmap"}),
}
"""Kinds of image by what they are weighted for: those of one contrast do not contradict each other."""

COMPATIBLE = (
    frozenset({"T2", "balanced"}), frozenset({"T1", "perfusion"}), frozenset({"T2*", "perfusion"}),
    frozenset({"T2", "PD"}), frozenset({"diffusion", "perfusion"}), frozenset({"T1", "T2*"}),
)  # fmt: skip
"""Contrasts between which numbers do not tell: intermediate echo times, and spoiled gradient echoes of any use."""

NAMED: Mapping[str, str] = {
    "t1": "T1", "mprage": "T1", "vibe": "T1", "t2": "T2", "flair": "T2", "mrcp": "T2", "pd": "PD", "t2star": "T2*",
    "swi": "T2*", "diffusion": "diffusion", "bvalue": "diffusion", "adc": "diffusion",
}  # fmt: skip
"""Concepts of a description that name a contrast."""

PLANES = ("ax", "sag", "cor", "obl")


def text_against_numbers(h: Harmonised, least: float) -> Iterator[Evidence]:
    """The words of the description name another contrast or another plane than the header's numbers have.

    The numbers count from a weight of ``least`` votes on, the words where they name one contrast alone. Images that
    were computed are left out: their description is that of what they were made from.
    """
    named = read_concepts(plain(h.stack.first.SeriesDescription))
    said = {NAMED[concept] for concept in named if concept in NAMED}
    measured = _contrasts(_told_by_numbers(h, least))
    if len(said) == 1 and measured and not said & measured and not _compatible(said, measured):
        numbers = " or ".join(sorted(measured))
        yield Evidence(f"the description says {said.pop()}, the numbers of the header say {numbers}", "contrast")
    planes = {*(c for c in named if c in PLANES), h.record.plane}
    if len(planes) == 2 and not h.record.derived and planes <= {"ax", "sag", "cor"}:
        described = (planes - {h.record.plane}).pop()
        if h.record.plane not in named:
            yield Evidence(f"the description says {described}, the cosines say {h.record.plane}", "plane")


def _told_by_numbers(h: Harmonised, least: float) -> str:
    """The kind of image that all but words speak for most, "" where nothing does with this weight."""
    votes: dict[str, float] = defaultdict(float)
    for evidence in h.evidence:
        if evidence.theme not in (SITE, TEXT_THEME):
            for name, value in evidence.votes:
                if name == "sequence":
                    votes[value] = max(votes[value], evidence.weight)
    best = max(sorted(votes), key=votes.__getitem__, default="")
    return best if votes[best] >= least else ""


def _contrasts(sequence: str) -> frozenset[str]:
    return frozenset(name for name, members in CONTRASTS.items() if sequence in members)


def _compatible(said: set[str], measured: frozenset[str]) -> bool:
    return any({a, b} == pair for a in said for b in measured for pair in COMPATIBLE)


AGREEMENT: tuple[Check[Harmonised], ...] = (
    Check(
        "R04", "stack", WARNING, "text and physics disagree", text_against_numbers, LEAST_WEIGHT, "weight",
        "the harmoniser's votes by theme",
    ),
)  # fmt: skip
