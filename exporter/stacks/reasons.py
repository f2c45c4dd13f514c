"""Why an instance belongs to no stack, or its series cannot be trusted: the short codes, each with its sentence."""

from __future__ import annotations

DUPLICATE = "duplicate"
SOP_UID_REUSED = "sop-uid-reused"
SERIES_IN_TWO_STUDIES = "series-in-two-studies"
SERIES_IN_TWO_PATIENTS = "series-in-two-patients"

SERIES_INCOMPLETE = "series-incomplete"

SENTENCES = {
    DUPLICATE: "the same object with the same content lies in another place, which is kept",
    SOP_UID_REUSED: "another object of different content bears the same SOPInstanceUID",
    SERIES_IN_TWO_STUDIES: "one SeriesInstanceUID lies under several StudyInstanceUIDs",
    SERIES_IN_TWO_PATIENTS: "one SeriesInstanceUID lies under several PatientIDs",
    SERIES_INCOMPLETE: "a file of this series is cut or damaged: ask for the series again",
}
"""Reason code to the sentence a person reads. Sentences hold no identifier, so they can be shown anywhere."""
