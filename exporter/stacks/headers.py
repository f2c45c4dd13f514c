"""What a single header says of the kind of image: derived words, Dixon product, complex part, diffusion kind.

Only what is needed to keep unlike images apart; what the image *is* belongs to the harmoniser.
"""

from __future__ import annotations

import re
from functools import lru_cache

from trialbids.mappings.description import plain
from trialbids.mappings.lexicon import read_concepts

from ..inventory.instance import Instance, Words

PART_WORDS = {
    **dict.fromkeys(("P", "PHASE", "PHASE MAP", "P_FFE", "P_SE", "P_IR", "P_TFE", "PHASE CONTRAST P"), "phase"),
    **dict.fromkeys(("R", "REAL", "R_FFE", "R_SE", "R_IR"), "real"),
    **dict.fromkeys(("I", "IMAGINARY", "I_FFE", "I_SE", "I_IR"), "imag"),
    **dict.fromkeys(("M", "MAGNITUDE", "M_FFE", "M_SE", "M_IR", "M_TFE"), "mag"),
}
DIXON_WORD = re.compile(
    r"(?:WFI?|DIXON|IDEAL|FLEX)?[ _-]*(?:(?P<water>W|WATER)|(?P<fat>F|FAT)|(?P<inphase>IP|IN[ _-]?PHASE)|"
    r"(?P<opposed>OP|OOP|OPP(?:OSED)?[ _-]?PHASE|OUT(?:[ _-]?OF)?[ _-]?PHASE))(?:[ _-]*(?:ONLY|IMAGE))?"
)
"""A word of ImageType that names a Dixon product: W, IP (Philips), WATER, IN_PHASE (Siemens, GE), WFOP (Canon)."""
# fmt: off
CONTENT_WORDS = frozenset([
    "ADC", "EADC", "EXP_ADC", "FA", "COLFA", "TENSOR", "LOCALIZER", "SCREENSAVE", "MOCO", "AVG", "MPR", "MIP",
    "MINIP", "MNIP", "MIN_IP", "PROJECTION", "REFORMATTED", "RESAMPLED", "SUB", "SUBTRACTION", "SUBTRACT",
    "FIELD_MAP", "B0", "T1_MAP", "T2_MAP", "T2_STAR_MAP", "T2STAR_MAP", "R2_MAP", "R2_STAR_MAP", "R2STAR_MAP", "FF",
    "FAT_FRACTION", "WATER_FRACTION", "RBV", "RBF", "MTT", "TTP", "TMAX", "RELCBV", "RELCBF", "RELMTT", "PEI",
])
# fmt: on
"""Words of ImageType that tell two images of one series apart; acquisition and filter words (ND, NORM) do not.

TRACEW is not among them: the b = 0 of a trace may lack it, and b-value and direction say more."""

MAP_WORDS = {"ADC": "ADC", "EADC": "expADC", "EXP_ADC": "expADC", "FA": "FA", "COLFA": "colFA", "TENSOR": "tensor"}
MAP_CONCEPTS = {"expadc": "expADC", "colfa": "colFA", "adc": "ADC", "fa": "FA"}
"""Concepts of text that name a diffusion map, the narrower ones first."""

PRODUCTS = frozenset(
    {"water", "fat", "letter_w", "letter_f", "inphase", "opposed", "both_phases", "swi", "mip", "minip", "subtraction"}
)
PART_TEXT = re.compile(r"(?<![a-z])(pha?s?e?|mag\w*)(?![a-z])")
DYNAMIC = frozenset({"dynamic", "phase_number", "view_sharing", "perfusion"})
NAMED_B = re.compile(r"\*?[a-z]+\d*d?_b(\d+)(?:t|#\d+)?")
DESCRIBED_B = re.compile(r"(?<![a-z0-9])b[ _-]?(?:val(?:ue)?s?)?[ _=-]*((?:\d+[ _,;/+-]*)+)")
DESCRIBED_TIME = re.compile(r"tt ?= ?(\d+(?:\.\d+)?) ?s(?:ec)?\b", re.IGNORECASE)


@lru_cache(maxsize=8192)
def upper(words: Words) -> frozenset[str]:
    """The words of ImageType in capitals, blanks trimmed."""
    return frozenset(w.strip().upper() for w in words)


def part(instance: Instance) -> str:
    """``mag``, ``phase``, ``real`` or ``imag``; magnitude where nothing is said."""
    if instance.complex_part:
        return instance.complex_part
    component = instance.ComplexImageComponent.strip().upper()
    if component in PART_WORDS:
        return PART_WORDS[component]
    if is_phase_contrast_free(instance.ImageType):
        for word in instance.ImageType[2:]:
            found = PART_WORDS.get(word.strip().upper())
            if found and found != "mag":
                return found
    return "mag"


@lru_cache(maxsize=8192)
def is_phase_contrast_free(image_type: Words) -> bool:
    """Perfusion maps and Dixon images reuse single letters; there they are not the complex part."""
    return "PERFUSION" not in upper(image_type)


@lru_cache(maxsize=8192)
def dixon_of(image_type: Words) -> str:
    """The Dixon product that ImageType names, "" where it names none."""
    for word in image_type[2:]:
        match = DIXON_WORD.fullmatch(word.strip().upper())
        if match:
            return match.lastgroup or ""
    return ""


@lru_cache(maxsize=8192)
def content_of(image_type: Words) -> str:
    """The content words of ImageType, sorted and joined."""
    words = {w for piece in upper(image_type[2:]) for w in {piece, *re.split(r"[ /]+", piece)}}
    return " ".join(sorted(words & CONTENT_WORDS))


@lru_cache(maxsize=8192)
def map_kind(image_type: Words, description: str) -> str:
    """``ADC``, ``expADC``, ``FA``, ``colFA`` or ``tensor`` for a diffusion map, "" for an image.

    ImageType names a map even beside TRACEW (Siemens derives maps from traces); the description counts only
    where ImageType does not say that the image is a trace or an original.
    """
    words = upper(image_type)
    for word in ("COLFA", "EADC", "EXP_ADC", "FA", "ADC", "TENSOR"):
        if word in words:
            return MAP_WORDS[word]
    if words & {"TRACEW", "TRACE", "ORIGINAL", "SUB", "SUBTRACTION"}:
        return ""
    said = concepts_of(description)
    return next((kind for concept, kind in MAP_CONCEPTS.items() if concept in said), "")


def is_calculated_b(instance: Instance) -> bool:
    """Whether the image is a computed b-value.

    By ImageType, by the description, or because its b-value is none of those that SequenceName lists
    (Siemens names what was measured: ``ep_b50_800``, a single volume ``ep_b800t``).
    """
    if says_calculated(instance.ImageType, instance.SeriesDescription):
        return True
    measured = measured_b(instance.SequenceName)
    return bool(measured) and bool(instance.b_value) and instance.b_value not in measured


def b_value(instance: Instance) -> float | None:
    """The b-value in s/mm² of its tag, else the one in a Siemens SequenceName (``*ep_b50t``, ``ep_b800#3``)."""
    return named_b(instance.SequenceName) if instance.b_value is None else instance.b_value


@lru_cache(maxsize=8192)
def named_b(sequence_name: str) -> float | None:
    """The one b-value that a Siemens SequenceName gives, None for a range or for another name."""
    match = NAMED_B.fullmatch(sequence_name.strip().lower())
    return float(match[1]) if match else None


@lru_cache(maxsize=8192)
def described_b(description: str) -> float | None:
    """The b-value that a description gives, None where it gives none or several."""
    found = {float(b) for said in DESCRIBED_B.findall(description.lower()) for b in re.findall(r"\d+", said)}
    return found.pop() if len(found) == 1 else None


@lru_cache(maxsize=8192)
def says_calculated(image_type: Words, description: str) -> bool:
    """Whether ImageType or the description says that the b-value was computed."""
    return "CALC_BVALUE" in upper(image_type) or "computed_b" in concepts_of(description)


@lru_cache(maxsize=8192)
def measured_b(sequence_name: str) -> frozenset[float]:
    """The range of b-values a Siemens SequenceName gives for a derived image, empty for a single one."""
    match = re.fullmatch(r"\*?ep_b(\d+)_(\d+)", sequence_name.strip().lower())
    return frozenset(float(b) for b in match.groups()) if match else frozenset()


def is_diffusion_weighted(instance: Instance) -> bool:
    """Whether the image is an acquisition with diffusion weighting (no map)."""
    if map_kind(instance.ImageType, instance.SeriesDescription):
        return False
    return (
        (b_value(instance) or 0.0) > 0
        or "DIFFUSION" in upper(instance.ImageType)
        or instance.AcquisitionContrast == "DIFFUSION"
    )


def has_direction(instance: Instance) -> bool:
    """Whether a gradient direction is stored (the zero vector is none)."""
    return any(abs(x) > 1e-6 for x in instance.b_direction)


def is_echo_planar_series(instance: Instance) -> bool:
    """Whether a repeated scan of this kind is one time series: gradient-echo EPI (BOLD, DSC) or ASL."""
    words = upper(instance.ImageType)
    if "ASL" in words or instance.AcquisitionContrast in ("PERFUSION", "ASL"):
        return True
    name = instance.SequenceName.lower().lstrip("*")
    named = name.startswith(("ep", "mb_ep")) or "EP" in instance.ScanningSequence or "EPI" in words
    train = instance.EchoTrainLength or 0
    gradient = instance.EchoPulseSequence == "GRADIENT" or "GR" in instance.ScanningSequence
    trained = gradient and train >= 16 and (instance.EchoTime or 0) >= 12 and instance.MRAcquisitionType != "3D"
    return named or trained


def described_time(instance: Instance) -> float | None:
    """Seconds written into the description as ``TT=24.9s``."""
    match = DESCRIBED_TIME.search(instance.SeriesDescription)
    return float(match[1]) if match else None


def says_dynamic(instance: Instance) -> bool:
    """The scanner's own words for a time point of a dynamic scan."""
    name = instance.SequenceName.lower()
    told = described_time(instance) is not None or "dyn" in name or "twist" in name
    said = {*concepts_of(instance.SeriesDescription), *concepts_of(instance.ProtocolName)}
    return told or (instance.NumberOfTemporalPositions or 0) >= 3 or bool(said & DYNAMIC)


@lru_cache(maxsize=8192)
def product_words(description: str) -> str:
    """What a description says that tells one product of a scan from another, sorted and joined."""
    return " ".join(sorted({*PRODUCTS.intersection(concepts_of(description)), *PART_TEXT.findall(description.lower())}))


def concepts_of(text: str) -> tuple[str, ...]:
    """The concepts of free text (:mod:`trialbids.mappings.lexicon`)."""
    return read_concepts(plain(text))
