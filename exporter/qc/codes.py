"""Every code there is, with what it means and the step of a run at which it is known.

The tables of checks give level, severity and tolerance; here is what can be said of a code where no table is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping

STEPS = ("header", "plan", "pixel", "session", "release", "inspection")
"""In their order: before the plan, when the plan is made, in the pass that converts, when a session's last image is
done, when all sessions are, when a person has looked."""

MEANINGS: Mapping[str, Mapping[str, str]] = {
    "header": {
        "F01": "not DICOM, or empty",
        "F02": "pixel data truncated",
        "F04": "a value of invalid form",
        "F05": "a required attribute is missing",
        "F06": "implausible physics",
        "F07": "two SOP instance UIDs in one file",
        "F08": "text that its character set cannot decode",
        "C01": "a series under two patients or studies",
        "C02": "a SOP instance UID used twice",
        "C04": "sex, birth date or site conflict",
        "C05": "several modalities in a series",
        "C06": "dates in an impossible order",
        "C07": "an attribute varies that has one value in a series",
        "C08": "BodyPartExamined disagrees",
        "C09": "subject or visit not in the trial's list",
        "C10": "an expected visit is absent",
        "D01": "identical copies",
        "D02": "the same image under another UID",
        "D03": "a series sent again",
        "D04": "a derived copy",
        "D05": "one position twice in one volume",
        "G01": "position, orientation or spacing missing",
        "G02": "orientation not unit or not orthogonal",
        "G03": "several orientations were split",
        "G04": "slices missing",
        "G05": "slice spacing uneven",
        "G06": "gap or overlap against the header",
        "G07": "rows, columns or spacing vary",
        "G08": "in-plane shift or tilt",
        "G09": "too few slices or too little coverage",
        "G10": "another frame of reference",
        "G11": "laterality against the position",
        "G12": "a first or last slice is probably lost",
        "B01": "no b-value anywhere",
        "B02": "sources of the b-value disagree",
        "B03": "slices per b-value unequal",
        "B05": "no low b-value was acquired",
        "B06": "ADC absent or on another grid",
        "T01": "phases of unequal slice count",
        "T02": "duplicate or falling times",
        "T03": "uneven interval between phases",
        "T05": "no phase before contrast",
        "T08": "order of time points and times disagree",
        "T09": "a split dynamic series was joined",
        "N01": "a line of trial.yaml that may not mean what it says",
        "Q99": "a check failed to run",
    },
    "plan": {
        "B04": "b-value outside the protocol",
        "T04": "timing outside the protocol",
        "R01": "a required sequence is missing",
        "R02": "a parameter outside its range",
        "R03": "a rare variant of the protocol",
        "R04": "text and physics disagree",
        "R05": "several candidates for one slot",
        "R06": "scanner software changed",
    },
    "pixel": {
        "F03": "pixels cannot be decoded",
        "P01": "a constant or empty slice",
        "P02": "values that cannot be",
        "P03": "saturation",
        "P04": "rescale varies and was not applied",
        "P05": "intensity jumps between slices",
        "P06": "neighbouring slices do not correlate",
        "P07": "unexpected photometric interpretation",
        "P08": "text burned into the pixels",
        "P09": "converted voxels differ from the source's",
        "P10": "8-bit export of a deeper image",
    },
    "session": {
        "A01": "a drawing on another grid than its image",
        "A02": "an empty drawing",
        "A03": "a label that is not in the dictionary",
        "A04": "a drawing that touches the border",
        "A05": "islands in a drawing",
        "A06": "the reader is not known",
        "B07": "implausible units of the ADC",
        "B08": "ADC does not follow from its diffusion images",
        "B09": "signal does not fall with b",
        "T06": "no enhancement",
        "T07": "contrast agent and enhancement disagree",
    },
    "release": {
        "C03": "the same pixels under two patients",
        "S01": "a patient in two splits",
        "S02": "the same pixels in two splits",
        "S03": "site and label are confounded",
        "S04": "a metric drifts by site",
    },
    "inspection": {
        "M01": "the label is wrong",
        "M02": "the orientation is wrong",
        "M03": "the image is not complete",
        "M04": "an artefact spoils the image",
    },
}

MEANING: Mapping[str, str] = {code: meaning for step in MEANINGS.values() for code, meaning in step.items()}
STEP_OF: Mapping[str, str] = {code: step for step, codes in MEANINGS.items() for code in codes}


def known_at(step: str) -> frozenset[str]:
    """The codes of all checks that have run when this step has, but what a person sees."""
    steps = STEPS[: STEPS.index(step) + 1]
    return frozenset(code for name in steps for code in MEANINGS[name])
