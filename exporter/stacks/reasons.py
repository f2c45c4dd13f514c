"""Why an instance belongs to no stack, or its series cannot be trusted: the short codes, each with its sentence."""

from __future__ import annotations

DUPLICATE = "duplicate"
SOP_UID_REUSED = "sop-uid-reused"
SERIES_IN_TWO_STUDIES = "series-in-two-studies"
SERIES_IN_TWO_PATIENTS = "series-in-two-patients"

SERIES_INCOMPLETE = "series-incomplete"
NO_VOLUME_INDEX = "no-volume-index"
RESENT = "series-resent"

SENTENCES = {
    DUPLICATE: "the same object with the same content lies in another place, which is kept",
    SOP_UID_REUSED: "another object of different content bears the same SOPInstanceUID",
    SERIES_IN_TWO_STUDIES: "one SeriesInstanceUID lies under several StudyInstanceUIDs",
    SERIES_IN_TWO_PATIENTS: "one SeriesInstanceUID lies under several PatientIDs",
    NO_VOLUME_INDEX: "several images stand at one place and nothing in the header tells them apart",
    RESENT: "the same images were sent again under other identifiers; the series that is more complete is kept",
    SERIES_INCOMPLETE: "a file of this series is cut or damaged: ask for the series again",
}
"""Reason code to the sentence a person reads. Sentences hold no identifier, so they can be shown anywhere."""
