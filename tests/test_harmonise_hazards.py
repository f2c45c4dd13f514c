"""What must not happen: a diagnostic image taken for one that is not needed, a word read for another it resembles."""

from __future__ import annotations

from typing import Any

import pytest
from seriesmaker import CT, records_of, series

from trialbids.exporter.harmonise.decide import Judge
from trialbids.exporter.harmonise.facts import said
from trialbids.exporter.select.decide import decide
from trialbids.mappings.description import plain
from trialbids.mappings.facts import Facts
from trialbids.mappings.lexicon import read_concepts
from trialbids.mappings.rules import load_rules

AXIAL_CT = {"Modality": "CT", "SOPClassUID": CT, "ImageType": ("ORIGINAL", "PRIMARY", "AXIAL")}
VIBE = {
    "ScanningSequence": ("GR",), "MRAcquisitionType": "3D", "RepetitionTime": 3.3, "EchoTime": 1.2, "FlipAngle": 9.0,
    "SliceThickness": 2.0, "PixelSpacing": (1.56, 1.56),
}  # fmt: skip
BTFE = {
    "ScanningSequence": ("GR",), "MRAcquisitionType": "2D", "RepetitionTime": 3.4, "EchoTime": 1.7, "FlipAngle": 40.0,
    "SliceThickness": 6.0, "PixelSpacing": (1.4, 1.4),
}  # fmt: skip
HASTE = {
    "ScanningSequence": ("SE",), "MRAcquisitionType": "2D", "RepetitionTime": 1100.0, "EchoTime": 90.0,
    "EchoTrainLength": 160, "SliceThickness": 6.0, "PixelSpacing": (1.4, 1.4),
}  # fmt: skip
KNEE_FLASH = {
    "ScanningSequence": ("GR",), "MRAcquisitionType": "3D", "RepetitionTime": 20.0, "EchoTime": 7.57, "FlipAngle": 12.0,
    "SliceThickness": 1.5, "PixelSpacing": (0.6, 0.6), "BodyPartExamined": "KNEE",
}  # fmt: skip

NEEDED: list[tuple[str, dict[str, Any]]] = [
    ("RT Planning CT", AXIAL_CT),
    ("RT Planung Becken", AXIAL_CT),
    ("T1 VIBE RT planning", VIBE),
    ("", VIBE | {"BodyPartExamined": "CHEST"}),
    ("", VIBE | {"BodyPartExamined": "KIDNEY"}),
    ("BTFE cor", BTFE),
    ("COR BH", HASTE),
    ("COR BH", BTFE),
    ("", KNEE_FLASH),
]


@pytest.mark.parametrize(
    ("description", "header"), NEEDED, ids=[f"{d or 'no words'} {n}" for n, (d, _) in enumerate(NEEDED)]
)
def test_a_diagnostic_image_is_not_excluded(description: str, header: dict[str, Any]) -> None:
    """It stands first in its study, as where a trial sends no scouts."""
    others = [series(n, 6, SeriesDescription="x", **HASTE) for n in (2, 3)]
    first = records_of(series(1, 20, SeriesDescription=description, **header), *others)[0]
    assert decide(first).decision != "exclude"


def test_what_numbers_alone_take_for_a_scout_is_shown_to_a_person() -> None:
    others = [series(n, 6, SeriesDescription="x", **HASTE) for n in (2, 3)]
    first = records_of(series(1, 12, SeriesDescription="", **BTFE), *others)[0]
    assert (first.record.sequence, decide(first).reason) == ("localizer", "looks-not-needed")
    told = records_of(series(1, 12, SeriesDescription="localizer", **BTFE), *others)[0]
    assert (told.record.sequence, decide(told).decision) == ("localizer", "exclude")


@pytest.mark.parametrize(
    ("description", "attribute", "never"),
    [
        ("Deep Resolve T2 tse", "sequence", "trace"),
        ("Ax T2 FOCUS", "sequence", "trace"),
        ("T2 phase 2", "sequence", "DCE"),
        ("RS T2 tra", "sequence", "bold"),
        ("left arm T1", "sequence", "angio"),
        ("T2 calcul urinaire", "sequence", "trace"),
        ("high spatial resolution T1", "phase_name", "delayed"),
        ("T2 high rate", "bodypart", "spleen"),
        ("sans injection T1", "agent", "with"),
        ("T1 assiale senza mezzo di contrasto", "agent", "with"),
        ("T1 axial sin medio de contraste", "agent", "with"),
        ("T1 axial sem meio de contraste", "agent", "with"),
        ("T2 coronal con saturación grasa", "dixon", "unknown"),
        ("T1 fat sat", "dixon", "fat"),
        ("ACRIN T2", "bodypart", "phantom"),
        ("T1 MPRAGE", "derived", "mpr"),
        ("AX RESEARCH T1", "bodypart", "head"),
        ("T1 FS ARTHRO shoulder", "phase_name", "arterial"),
        ("T1 FS ARTHRO shoulder", "agent", "with"),
        ("petrous bone 3D", "sequence", "PET"),
        ("T1 trauma", "plane", "ax"),
        ("T1 extremity esqueleto", "laterality", "left"),
        ("T2 FAT 2", "sequence", "fatfraction"),
    ],
)  # fmt: skip
def test_a_word_is_not_read_for_another(description: str, attribute: str, never: str) -> None:
    text = plain(description)
    facts = Facts(description=text, text=text, said=said(text, ""), named=read_concepts(text))
    value = Judge(load_rules())(facts).values[attribute]
    assert never not in value if isinstance(value, tuple) else value != never


def test_after_a_treatment_is_not_after_an_agent() -> None:
    done = records_of(*(series(n, 6, SeriesDescription=t, AcquisitionTime=f"10{n:02d}00", **HASTE)
                        for n, t in enumerate(("T2 tse post TACE", "T2 tse tra", "T2 tse sag"), 1)))  # fmt: skip
    assert [h.record.agent for h in done[1:]] == ["without", "without"]
