"""Names: by the schema, closed, and legal for every record that may be kept."""

from __future__ import annotations

import re

import pytest
from bidsschematools.rules import regexify_filename_rules
from bidsschematools.schema import load_schema
from hypothesis import given
from strategies import RECORDS

from trialbids.mappings.names import allowed_entities, entities_of, name_rules, naming_of, stem
from trialbids.mappings.record import Record


@pytest.fixture(scope="module")
def legal_names() -> list[re.Pattern[str]]:
    """Every file name that the BIDS schema allows in a raw dataset, as patterns that bidsschematools makes."""
    schema = load_schema()
    groups = schema.rules.files.raw.values()
    return [re.compile(rule["regex"]) for group in groups for rule in regexify_filename_rules(group, schema, level=1)]


@given(record=RECORDS)
def test_every_record_that_may_be_kept_has_a_name_that_the_schema_or_our_ignore_list_takes(
    record: Record, legal_names: list[re.Pattern[str]]
) -> None:
    naming = naming_of(record)
    assert naming is not None
    name = stem({"sub": "A1", "ses": "01", **entities_of(record)}, naming.suffix)
    path = f"sub-A1/ses-01/{naming.datatype}/{name}.nii.gz"
    if naming.bids:
        assert any(pattern.fullmatch(path) for pattern in legal_names), path
    else:
        assert any(line in (f"*_{naming.suffix}.*", f"**/{naming.datatype}/**") for line in name_rules().bidsignore)


def named(**attributes: object) -> str:
    record = Record(**attributes)  # type: ignore[arg-type]
    naming = naming_of(record)
    assert naming is not None
    return stem({"sub": "A", "ses": "01", **entities_of(record)}, naming.suffix)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"sequence": "T2w", "technique": "tse", "plane": "sag"}, "acq-tseSag_T2w"),
        ({"sequence": "T2w", "technique": "tse", "plane": "cor", "fatsat": "stir"}, "acq-tseCorStir_T2w"),
        ({"sequence": "T2w", "technique": "space", "plane": "sag", "dim": "3d"}, "acq-spaceSag3D_T2w"),
        (
            {"sequence": "T1w", "technique": "vibe", "plane": "ax", "dim": "3d", "fatsat": "fs",
             "phase_name": "arterial", "agent": "with", "agent_name": "gadolinium"},
            "acq-vibeAx3DFsArterial_ce-GADOLINIUM_T1w",
        ),
        ({"sequence": "T1w", "dixon": "water", "plane": "ax", "dim": "3d"}, "acq-dixonAx3D_rec-water_T1w"),
        ({"sequence": "DCE", "technique": "twist", "plane": "ax", "agent": "without"}, "acq-dceAx_ce-GADOLINIUM_T1w"),
        ({"sequence": "ADC", "technique": "epi", "plane": "ax", "agent": "with"}, "acq-epiAx_ADC"),
        ({"sequence": "trace", "plane": "ax", "derived": ("calc",), "bvalues": (1400.0,)},
         "acq-ax_rec-calcb1400_trace"),
        ({"sequence": "VFA", "flip_index": 2}, "flip-2_VFA"),
        ({"sequence": "bold"}, "task-unknown_bold"),
        ({"sequence": "CT", "agent": "with", "agent_name": "iodine"}, "ce-IODINE_ct"),
        ({"sequence": "unknown", "plane": "ax"}, None),
    ],
)  # fmt: skip
def test_names_follow_the_grammar(attributes: dict[str, object], expected: str | None) -> None:
    if expected is None:
        assert naming_of(Record(**attributes)) is None  # type: ignore[arg-type]
    else:
        assert named(**attributes) == f"sub-A_ses-01_{expected}"


def test_a_label_with_other_signs_is_refused() -> None:
    with pytest.raises(ValueError, match="letters and digits"):
        stem({"sub": "A-1"}, "T1w")


def test_an_unknown_entity_is_refused() -> None:
    with pytest.raises(ValueError, match="no such entity"):
        stem({"sub": "A", "bp": "pelvis"}, "T1w")


def test_the_entities_come_from_the_schema() -> None:
    rule = load_schema().rules.files.raw.dwi.ScannerDerivatives
    assert "ce" not in allowed_entities("dwi", "ADC")
    assert len(allowed_entities("dwi", "ADC")) == len(rule.entities)


def test_no_folder_pattern_of_the_ignore_list_ends_in_a_slash() -> None:
    assert not [line for line in name_rules().bidsignore if line.endswith("/")]
