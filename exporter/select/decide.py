"""The decision on one stack, from its record: a table of small named rules, the first that applies decides."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from trialbids.mappings.names import name_rules

from ..harmonise import Harmonised
from ..stacks.reasons import SENTENCES, SERIES_IN_TWO_PATIENTS
from .parsimony import COMPUTABLE
from .projection import UNNAMED, is_inverted, is_wanted

EDIT = "edit"
"""What stands among the rules that decided where a person did. It names nobody: evidence leaves with the image."""

NUMBERS = "physics"
"""The theme of rules that read numbers: what they alone would exclude, a person should look at first."""

EXCLUDED = ("localizer", "calibration", "secondary")
AMONG_OTHERS = {
    COMPUTABLE: "a derived copy that can be computed again from images kept in this session",
}
"""Reasons that no stack has by itself, but beside the others of its session (:mod:`.copies`)."""

FOUR_DIMENSIONAL = frozenset({"DWI", "trace", "bold", "DSC", "cine", "perfmap", "PET", "CT", "ASL"})


@dataclass(frozen=True, slots=True)
class Decision:
    """``keep``, ``quarantine`` (a person should look) or ``exclude`` (not needed), with the reason and a sentence.

    ``missing`` names what is not known where a criterion could not be told.
    """

    decision: str
    reason: str = ""
    message: str = ""
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One reason not to keep a stack. ``final`` ones nobody can overrule: there would be no image or no name."""

    reason: str
    decision: str
    message: str
    applies: Callable[[Harmonised, Collection[str]], bool]
    final: bool = True


def is_told(harmonised: Harmonised) -> bool:
    """Whether more than the numbers of the header says what it is: a word, a flag, the other images, a person."""
    told = ("sequence", harmonised.record.sequence)
    return (
        any(e.theme != NUMBERS and told in e.votes for e in harmonised.evidence) or EDIT in harmonised.record.evidence
    )


def has_burned_in_text(harmonised: Harmonised) -> bool:
    """Whether the header of any instance says that text is burned into the pixels."""
    return any(i.BurnedInAnnotation.upper() == "YES" for i in harmonised.stack.instances)


def _is_asked_for(h: Harmonised, keep: Collection[str]) -> bool:
    """Whether a stack is of no kind that is left out by default, or of one that the trial wants back."""
    return h.record.sequence not in EXCLUDED or h.record.sequence in keep or is_wanted(h, keep)


RULES: tuple[Rule, ...] = (
    Rule(
        "not-an-image",
        "exclude",
        "the object holds no image: a segmentation, structure set, report, presentation state or raw data",
        lambda h, keep: not h.stack.is_image,
    ),
    Rule(
        "looks-not-needed",
        "quarantine",
        "timing and geometry are those of a localizer or calibration, but no word or flag says that it is one",
        lambda h, keep: not _is_asked_for(h, keep) and not is_told(h),
        final=False,
    ),
    Rule(
        "not-needed",
        "exclude",
        "localizers, calibrations and secondary captures are not needed",
        lambda h, keep: not _is_asked_for(h, keep),
        final=False,
    ),
    Rule(
        "burned-in-text",
        "quarantine",
        "the header says that text is burned into the pixels",
        lambda h, keep: has_burned_in_text(h),
        final=False,
    ),
    Rule(
        "unknown-sequence",
        "quarantine",
        "the header does not say with enough certainty what this is",
        lambda h, keep: h.record.sequence == "unknown",
    ),
    Rule(
        "bids-metadata-missing",
        "quarantine",
        "BIDS requires keys for this kind of image that the header does not give",
        lambda h, keep: h.record.sequence in name_rules().metadata_missing,
    ),
    Rule(
        "no-class",
        "quarantine",
        "understood, but outside the vocabulary's list of sequences",
        lambda h, keep: (
            h.record.sequence not in name_rules().sequences or (h.record.sequence in UNNAMED and not is_wanted(h, keep))
        ),
    ),
    Rule(
        "inverted",
        "quarantine",
        "the pixels of this radiograph are stored inverted (MONOCHROME1), which the released files could not say",
        lambda h, keep: is_wanted(h, keep) and is_inverted(h),
    ),
    Rule(
        "no-volume-index",
        "quarantine",
        "several images stand at one place and nothing in the header tells them apart",
        lambda h, keep: h.stack.n_volumes > 1 and h.record.sequence not in FOUR_DIMENSIONAL,
    ),
    Rule(
        "index-missing",
        "quarantine",
        "one of a set of echoes or flip angles, but which one is not known",
        lambda h, keep: (
            (h.record.sequence in ("MEGRE", "MESE") and h.record.echo_index is None)
            or (h.record.sequence == "VFA" and h.record.flip_index is None)
        ),
    ),
)


def decide(harmonised: Harmonised, keep: Collection[str] = ()) -> Decision:
    """The decision on one stack; ``keep`` names excluded kinds that the trial wants back."""
    for rule in RULES:
        if rule.applies(harmonised, keep):
            return Decision(rule.decision, rule.reason, rule.message)
    doubt = harmonised.stack.doubt
    return Decision("quarantine", doubt, SENTENCES[doubt]) if doubt else Decision("keep")


def hindrance(harmonised: Harmonised) -> str:
    """Why not even a person can have this stack kept, as a sentence; "" where one can."""
    for rule in RULES:
        if rule.final and rule.applies(harmonised, ()):
            return rule.message
    return SENTENCES[SERIES_IN_TWO_PATIENTS] if harmonised.stack.doubt == SERIES_IN_TWO_PATIENTS else ""


def sentence_of(reason: str) -> str:
    """What a reason code of the plan means, "" for codes that are explained elsewhere."""
    return ({rule.reason: rule.message for rule in RULES} | AMONG_OTHERS | SENTENCES).get(reason, "")
