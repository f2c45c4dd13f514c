"""Coded concepts of the standard: a code leaves with the meaning that the standard gives it, never with the file's."""

from __future__ import annotations

from functools import cache

LONGEST_MEANING = 64
"""Characters in an LO value."""


def meaning_of(scheme: str, value: str) -> str:
    """The meaning of a code that PS3.16 uses, "" where it is none (then the code may be a site's own).

    Codes of the former scheme SRT get the meaning of the SNOMED CT concept that took their place.

    >>> meaning_of("SCT", "41216001"), meaning_of("SRT", "T-92000"), meaning_of("99SITE", "41216001")
    ('Prostate', 'Prostate', '')
    """
    if scheme in ("SRT", "SNM3"):
        from pydicom.sr.coding import snomed_mapping  # pyright: ignore[reportPrivateImportUsage]

        scheme, value = "SCT", snomed_mapping["SRT"].get(value, "")
    return _meanings().get((scheme, value), "")


@cache
def _meanings() -> dict[tuple[str, str], str]:
    from pydicom.sr.codedict import CONCEPTS  # pyright: ignore[reportPrivateImportUsage]  # a large table

    found: dict[tuple[str, str], str] = {}
    for scheme, concepts in CONCEPTS.items():
        for codes in concepts.values():
            for value, (meaning, _) in codes.items():
                if meaning.isascii() and "\\" not in meaning:
                    found.setdefault((scheme, value), meaning[:LONGEST_MEANING])
    return found
