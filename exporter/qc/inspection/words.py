"""The record in words: what a reader compares the picture with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

NAMES = {
    "T1w": "T1-weighted", "T2w": "T2-weighted", "PDw": "proton-density-weighted", "T2starw": "T2*-weighted",
    "SWI": "susceptibility-weighted", "angio": "angiography", "bSSFP": "balanced SSFP", "DWI": "diffusion",
    "trace": "diffusion trace", "ADC": "ADC map", "expADC": "exponential ADC map", "FA": "fractional anisotropy",
    "colFA": "coloured fractional anisotropy", "S0map": "S0 map", "DCE": "dynamic contrast-enhanced",
    "DSC": "dynamic susceptibility contrast", "ASL": "arterial spin labelling", "bold": "functional (BOLD)",
    "fieldmap": "field map", "T1map": "T1 map", "T2map": "T2 map", "T2starmap": "T2* map", "R2starmap": "R2* map",
    "fatfraction": "fat fraction map", "perfmap": "perfusion map", "CT": "CT", "PET": "PET",
    "ax": "axial", "sag": "sagittal", "cor": "coronal", "obl": "oblique", "multi": "several planes",
    "2d": "2D", "3d": "3D", "se": "spin echo", "tse": "turbo spin echo", "gre": "gradient echo",
    "vibe": "3D gradient echo", "trufi": "balanced steady state", "epi": "echo planar", "rsepi": "segmented EPI",
    "ir": "inversion recovery",
    "ute": "ultrashort echo time",
}  # fmt: skip
"""Words of the vocabulary for the eye; all others are shown as they are."""

PHRASES = {
    ("fatsat", "none"): "no fat suppression",
    ("fatsat", "fs"): "fat-suppressed",
    ("fatsat", "stir"): "STIR",
    ("agent", "without"): "before contrast agent",
    ("agent", "with"): "with contrast agent",
}

HEADLINE = ("sequence", "technique", "plane", "dim", "fatsat", "agent", "bodypart")
SAYS_NOTHING = {"", "none", "unknown", "n/a"}
UNSAID = ("phase_time_source", "confidence")

TITLES = {
    "echo_index": "echo", "flip_index": "flip angle no.", "phase_index": "phase no.", "phase_time_s": "time (s)",
    "phase_name": "phase", "bvalues": "b-values (s/mm²)", "agent_name": "agent", "recon": "reconstruction",
}  # fmt: skip


def headline(words: Mapping[str, str]) -> str:
    """What the image is said to be, in one line.

    >>> headline({"sequence": "T2w", "technique": "tse", "plane": "sag", "fatsat": "none", "bodypart": "pelvis"})
    'T2-weighted, turbo spin echo, sagittal, no fat suppression, pelvis'
    """
    parts = []
    for name in HEADLINE:
        word = words.get(name, "")
        if (name, word) in PHRASES:
            parts.append(PHRASES[name, word])
        elif word not in SAYS_NOTHING:
            parts.append(NAMES.get(word, word))
    return ", ".join(parts) or "unknown"


def further(words: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Name and value of all else that the record says, and of what it does not know."""
    for name, word in words.items():
        if name in UNSAID:
            continue
        if word == "unknown" or (name not in HEADLINE and word not in SAYS_NOTHING and (name, word) != ("part", "mag")):
            yield TITLES.get(name, name.replace("_", " ")), NAMES.get(word, word)
