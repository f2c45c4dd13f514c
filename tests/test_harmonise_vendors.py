"""Records of series as vendors write them, in several languages: one row a situation."""

from __future__ import annotations

import pytest
from seriesmaker import CORONAL, CT, SAGITTAL, records_of, repeat, series

from trialbids.exporter.harmonise import Harmonised

GE = {"Manufacturer": "GE MEDICAL SYSTEMS", "ImageType": ("ORIGINAL", "PRIMARY", "OTHER")}
PHILIPS = {"Manufacturer": "Philips Medical Systems"}
SIEMENS = {"Manufacturer": "SIEMENS"}
TSE = {
    "ScanningSequence": ("SE",),
    "MRAcquisitionType": "2D",
    "RepetitionTime": 4500.0,
    "EchoTime": 100.0,
    "EchoTrainLength": 19,
}
T1 = TSE | {"RepetitionTime": 600.0, "EchoTime": 10.0, "EchoTrainLength": 3}
GRE = {
    "ScanningSequence": ("GR",),
    "MRAcquisitionType": "3D",
    "RepetitionTime": 4.0,
    "EchoTime": 1.4,
    "FlipAngle": 10.0,
}
DWI = {"ScanningSequence": ("EP", "SE"), "MRAcquisitionType": "2D", "RepetitionTime": 5000.0, "EchoTime": 65.0}
XA = {"Manufacturer": "Siemens Healthineers", "MRAcquisitionType": "2D", "SpectrallySelectedSuppression": "NONE"}
CT_HEADER = {"Modality": "CT", "SOPClassUID": CT, "ImageType": ("ORIGINAL", "PRIMARY", "AXIAL")}


def record(h: Harmonised) -> dict[str, str]:
    return h.record.to_row()


CASES = [
    ("Sag T2 FRFSE", GE | TSE | {"orientation": SAGITTAL}, "T2w sag 2d tse none none"),
    ("Ax T2 FS PROPELLER", GE | TSE | {"ScanOptions": ("FAST_GEMS", "FS")}, "T2w ax 2d propeller fs none"),
    ("Cor SSFSE BH", GE | TSE | {"RepetitionTime": 900.0, "EchoTrainLength": 1}, "T2w ax 2d haste none none"),
    ("Sag CUBE T2", GE | TSE | {"MRAcquisitionType": "3D", "EchoTrainLength": 100}, "T2w ax 3d space none none"),
    ("Ax T1", GE | T1, "T1w ax 2d tse none none"),
    ("WATER: Ax LAVA-Flex", GE | GRE, "T1w ax 3d vibe none water"),
    ("OutPhase: Ax LAVA-Flex", GE | GRE, "T1w ax 3d vibe none opposed"),
    (
        "T2W_TSE_sag",
        PHILIPS | TSE | {"ImageType": ("ORIGINAL", "PRIMARY", "M_SE", "M", "SE")},
        "T2w ax 2d tse none none",
    ),
    ("e-THRIVE", PHILIPS | GRE | {"ScanOptions": ("FS",)}, "T1w ax 3d vibe fs none"),
    ("mDIXON-W", PHILIPS | GRE | {"ImageType": ("DERIVED", "PRIMARY", "W", "W")}, "T1w ax 3d vibe none water"),
    (
        "t2_tse_dixon_tra_F",
        SIEMENS | TSE | {"ImageType": ("DERIVED", "PRIMARY", "DIXON", "FAT")},
        "T2w ax 2d tse none fat",
    ),
    ("tirm cor", SIEMENS | TSE | {"SequenceName": "*tir2d1_15", "InversionTime": 220.0}, "T2w ax 2d tse stir none"),
    (
        "t2_haste_cor",
        SIEMENS | TSE | {"SequenceName": "*h2d1_256", "RepetitionTime": 1000.0},
        "T2w ax 2d haste none none",
    ),
    (
        "t2_spc_sag",
        SIEMENS | TSE | {"SequenceName": "*spcR_65", "MRAcquisitionType": "3D"},
        "T2w ax 3d space none none",
    ),
    (
        "t2_tse_sag",
        XA | {"EchoPulseSequence": "SPIN", "RepetitionTime": 4e3, "EchoTime": 100.0, "EchoTrainLength": 20},
        "T2w ax 2d tse none none",
    ),
    ("T2 TSE COR SAT GRAISSE", SIEMENS | TSE | {"orientation": CORONAL}, "T2w cor 2d tse fs none"),
    ("T1 TSE tra nach KM fettsat", SIEMENS | T1, "T1w ax 2d tse fs none"),
    ("T2 TSE transversaal vetsuppressie", SIEMENS | TSE, "T2w ax 2d tse fs none"),
    ("t1_quick3d_tra_fs_bh", {"Manufacturer": "UIH"} | GRE, "T1w ax 3d vibe fs none"),
    ("T2W FSE SAG", {"Manufacturer": "TOSHIBA_MEC"} | TSE, "T2w ax 2d tse none none"),
    (
        "t2_trufi_cor",
        SIEMENS | GRE | {"SequenceName": "*tfi2d1", "MRAcquisitionType": "2D"},
        "bSSFP ax 2d trufi none none",
    ),
    (
        "Mag_Images",
        SIEMENS | GRE | {"SequenceName": "*swi3d1r", "RepetitionTime": 28.0, "EchoTime": 20.0},
        "SWI ax 3d gre none none",
    ),
]


@pytest.mark.parametrize(("description", "header", "expected"), CASES, ids=[c[0] for c in CASES])
def test_one_series_of_one_vendor(description: str, header: dict, expected: str) -> None:
    (h,) = records_of(series(3, 12, SeriesDescription=description, **header))
    row = record(h)
    assert " ".join(row[a] for a in ("sequence", "plane", "dim", "technique", "fatsat", "dixon")) == expected
    assert h.record.confidence >= 0.8


@pytest.mark.parametrize(
    ("description", "agent"),
    [
        ("T1 vibe +C", "with"),
        ("T1 vibe post Gd", "with"),
        ("T1 vibe tra nach KM", "with"),
        ("T1 vibe avec gado", "with"),
        ("T1 vibe com contraste", "with"),
        ("T1 vibe con mdc", "with"),
        ("T1 vibe pre", "without"),
        ("T1 vibe nativ", "without"),
        ("T1 vibe sans gado", "without"),
        ("T1 vibe sem contraste", "without"),
        ("T1 vibe zonder contrast", "without"),
        ("T1 vibe senza mdc", "without"),
        ("T1 vibe sin contraste", "without"),
        ("T1 vibe", "unknown"),
    ],
)
def test_agent_by_words(description: str, agent: str) -> None:
    (h,) = records_of(series(3, 4, SeriesDescription=description, **SIEMENS, **GRE))
    assert h.record.agent == agent
    assert h.record.agent_name == {"with": "gadolinium", "without": "none", "unknown": "unknown"}[agent]


def test_an_agent_tag_that_says_none_is_none() -> None:
    (h,) = records_of(series(3, 4, SeriesDescription="T1 vibe", ContrastBolusAgent="NONE", **GRE))
    assert h.record.agent == "unknown"


def test_a_dynamic_tells_what_came_before_and_after_the_injection() -> None:
    times = {
        "TemporalPositionIdentifier": list(range(1, 8)),
        "AcquisitionTime": [f"1010{k}0" if k < 6 else "101100" for k in range(7)],
    }
    done = records_of(
        series(2, 4, SeriesDescription="t2", AcquisitionTime="095000", **TSE),
        repeat(series(5, 4, SeriesDescription="dyn", **GRE), 7, **times),
        series(9, 4, SeriesDescription="t1", AcquisitionTime="101500", **T1),
    )
    assert [h.record.sequence for h in done] == ["T2w", *["DCE"] * 7, "T1w"]
    assert done[0].record.agent == "without"
    assert [h.record.agent for h in done[1:8]] == ["without", *["unknown"] * 5, "with"]
    assert done[8].record.agent == "with"
    assert {h.record.phase_name for h in done[1:8]} == {"dynamic"}


def test_three_breath_holds_are_t1_with_a_phase_name() -> None:
    words = ("native", "arteriell", "portalvenös")
    done = records_of(*(series(k, 4, SeriesDescription=f"vibe {w}", **GRE) for k, w in enumerate(words, 1)))
    assert [(h.record.sequence, h.record.phase_name, h.record.agent) for h in done] == [
        ("T1w", "unenhanced", "without"),
        ("T1w", "arterial", "with"),
        ("T1w", "portal", "with"),
    ]


@pytest.mark.parametrize("field", [1.5, 3.0])
def test_two_echoes_without_words_are_in_and_opposed_by_field_strength(field: float) -> None:
    first = 1000.0 / (147.0 * field) / 2
    flash = GRE | {
        "RepetitionTime": 120.0,
        "FlipAngle": 70.0,
        "MRAcquisitionType": "2D",
        "MagneticFieldStrength": field,
    }
    rows = [
        i
        for k in (1, 2)
        for i in series(5, 3, piece=k, SeriesDescription="t1_fl2d_opp-in", **flash | {"EchoTime": first * k})
    ]
    found = [(h.record.sequence, h.record.dixon, h.record.echo_index) for h in records_of(rows)]
    assert found == [("T1w", "opposed", None), ("T1w", "inphase", None)]


def test_six_echoes_are_a_megre() -> None:
    rows = [
        i for k in range(6) for i in series(5, 3, piece=k, **GRE | {"EchoTime": 1.5 + 2.1 * k, "RepetitionTime": 200.0})
    ]
    assert [(h.record.sequence, h.record.echo_index) for h in records_of(rows)] == [("MEGRE", k + 1) for k in range(6)]


def test_diffusion_of_three_vendors() -> None:
    x, y = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
    directed = repeat(
        series(1, 3, SeriesDescription="DTI", **GE | DWI), 3, b_value=[0.0, 900.0, 900.0], b_direction=[(), x, y]
    )
    trace = repeat(series(2, 3, SeriesDescription="DWIBS", **PHILIPS | DWI), 2, b_value=[0.0, 1000.0])
    computed = series(
        3, 3, SeriesDescription="diff_CALC_BVAL", b_value=1600.0, SequenceName="ep_b0_800", **SIEMENS | DWI
    )
    unnamed = series(4, 3, SeriesDescription="diff", b_value=1600.0, SequenceName="*ep_b0_800", **SIEMENS | DWI)
    derived = GE | DWI | {"ImageType": ("DERIVED", "SECONDARY", "PROCESSED")}
    adc = series(5, 3, SeriesDescription="Apparent Diffusion Coefficient (mm?/s)", b_value=800.0, **derived)
    found = [
        (h.record.sequence, h.record.bvalues, h.record.derived)
        for h in records_of(directed, trace, computed, unnamed, adc)
    ]
    assert found == [
        ("DWI", (0.0, 900.0, 900.0), ()),
        ("trace", (0.0, 1000.0), ()),
        ("trace", (1600.0,), ("calc",)),
        ("trace", (1600.0,), ("calc",)),
        ("ADC", (), ()),
    ]


def test_what_is_no_image_of_the_patient() -> None:
    secondary = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.7",
        "Modality": "CT",
        "ImageType": ("ORIGINAL", "PRIMARY", "AXIAL"),
    }
    coarse = GE | GRE | {"MRAcquisitionType": "2D", "SliceThickness": 8.0, "PixelSpacing": (2.0, 2.0)}
    done = records_of(
        series(1, 3, SeriesDescription="3-pl loc", **coarse),
        series(2, 1, **secondary),
        series(3, 4, SeriesDescription="ASSET calibration", **coarse),
        series(4, 1, Modality="SEG", SOPClassUID="1.2.840.10008.5.1.4.1.1.66.4"),
    )
    assert [h.record.sequence for h in done] == ["localizer", "secondary", "calibration", "unknown"]


def test_ct_and_pet() -> None:
    pet = {"Modality": "PT", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.128", "CorrectedImage": ("DECY", "ATTN")}
    done = records_of(
        series(1, 1, **CT_HEADER | {"ImageType": ("ORIGINAL", "PRIMARY", "LOCALIZER")}),
        series(
            2, 9, SeriesDescription="TAP portal", ConvolutionKernel="B30f", ContrastBolusAgent="Ultravist", **CT_HEADER
        ),
        series(3, 9, SeriesDescription="Lunge", ConvolutionKernel="B70f", **CT_HEADER),
        series(4, 9, SeriesDescription="WB", Radiopharmaceutical="Fluorodeoxyglucose", **pet),
    )
    found = [(h.record.sequence, h.record.kernel, h.record.agent_name, h.record.tracer, h.record.recon) for h in done]
    assert found == [
        ("localizer", "unknown", "unknown", "none", "none"),
        ("CT", "soft", "iodine", "none", "none"),
        ("CT", "lung", "unknown", "none", "none"),
        ("PET", "none", "unknown", "FDG", "ac"),
    ]


def test_physics_outranks_words_and_the_conflict_lowers_the_confidence() -> None:
    (wrong,) = records_of(series(3, 12, SeriesDescription="T1 TSE tra", **SIEMENS | TSE))
    (right,) = records_of(series(3, 12, SeriesDescription="T2 TSE tra", **SIEMENS | TSE))
    assert wrong.record.sequence == right.record.sequence == "T2w"
    assert wrong.record.confidence < right.record.confidence


def test_words_decide_where_the_header_is_silent_and_silence_is_unknown() -> None:
    (told,) = records_of(series(3, 12, SeriesDescription="T2 sag"))
    (silent,) = records_of(series(3, 12))
    assert told.record.sequence == "T2w"
    assert (silent.record.sequence, silent.record.technique, silent.record.confidence) == ("unknown", "unknown", 0.0)


@pytest.mark.parametrize(
    ("tag", "description", "expected"),
    [
        ("PELVIS", "t2_tse_sag_prostata", "prostate"),
        ("PELVIS", "t2 uterus", "uterus"),
        ("BRAIN", "QA phantom", "phantom"),
        ("ABDOMEN", "Leber", "liver"),
        ("", "T2 SAG BASSIN", "pelvis"),
        ("", "t2", "unknown"),
    ],
)
def test_body_part_prefers_the_part_to_the_region(tag: str, description: str, expected: str) -> None:
    (h,) = records_of(series(3, 4, BodyPartExamined=tag, SeriesDescription=description, **TSE))
    assert h.record.bodypart == expected


def test_evidence_says_what_was_read() -> None:
    (h,) = records_of(series(3, 12, SeriesDescription="T2 TSE sag", **SIEMENS | TSE))
    by_rule = {e.rule: e for e in h.evidence}
    assert dict(by_rule["se-t2"].read)["te"] == "100.0"
    assert by_rule["se-t2"].votes == (("sequence", "T2w"),)
    assert "se-t2" in h.record.evidence
    assert set(h.record.evidence) <= set(by_rule)
