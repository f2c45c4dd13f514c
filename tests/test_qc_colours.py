"""Colours that no scanner measures are seen in the header, before such an image is taken for a screen capture."""

from __future__ import annotations

from dataclasses import replace

import pytest
from seriesmaker import series

from trialbids.exporter.qc.check import run_checks
from trialbids.exporter.qc.headers.colours import COLOURS
from trialbids.exporter.qc.views import Series

MR, CAPTURE = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.7"


def found(colours, **header):
    """What is said of a series whose images have these photometric interpretations in turn."""
    values = {"Rows": 64, "Columns": 64, "Modality": "MR", "SOPClassUID": MR, "ImageType": ("ORIGINAL", "PRIMARY")}
    rows = series(1, len(colours), **(values | header))
    rows = [replace(i, PhotometricInterpretation=word) for i, word in zip(rows, colours, strict=True)]
    return run_checks(COLOURS, Series("1.2", tuple(rows), ()), "1.2")


@pytest.mark.parametrize("word", ["RGB", "PALETTE COLOR", "YBR_FULL_422", "MONOCHROME1", "rgb "])
@pytest.mark.parametrize("modality", ["MR", "CT"])
def test_an_original_in_colour_is_an_error_be_it_one_image_or_all(word, modality):
    for colours in ([word] * 4, ["MONOCHROME2", word, "MONOCHROME2"]):
        (finding,) = found(colours, Modality=modality)
        assert (finding.check, finding.severity, finding.subject) == ("P07", "error", "1.2")
        assert len(finding.evidence.instances) == sum(c == word for c in colours)
        assert ("dark" in finding.message) == (word == "MONOCHROME1")


def test_grey_and_what_says_nothing_are_sound():
    assert found(["MONOCHROME2"] * 3 + ["", "monochrome2 "]) == ()


@pytest.mark.parametrize(
    "header",
    [
        {"SOPClassUID": CAPTURE},
        {"SOPClassUID": CAPTURE + ".4"},
        {"ImageType": ("DERIVED", "SECONDARY")},
        {"ImageType": ("DERIVED", "PRIMARY", "DIFFUSION", "COLFA")},
        {"ImageType": ("ORIGINAL", "PRIMARY", "SCREEN SAVE")},
        {"ConversionType": "WSD"},
        {"Modality": "US"},
        {"Modality": "DX"},
    ],
)
def test_captures_maps_and_what_is_in_colour_by_nature_are_no_fault(header):
    assert found(["RGB"] * 3, **header) == ()
