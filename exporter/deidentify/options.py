"""What a trial lets leave, and the PS3.15 options that may be claimed for it: only those that ran."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from trialbids.mappings.fields import AllowList, Field, allow_list

from ..trial import Trial
from .marks import Marks


@dataclass(frozen=True, slots=True)
class Code:
    """An entry of PS3.16 CID 7050, De-identification Method."""

    value: str
    meaning: str

    def to_json(self) -> dict[str, str]:
        """The item as BIDS takes it in ``DeidentificationMethodCodeSequence``."""
        return {"CodeValue": self.value, "CodingSchemeDesignator": "DCM", "CodeMeaning": self.meaning}


BASIC = Code("113100", "Basic Application Confidentiality Profile")
VISUAL_FEATURES = Code("113102", "Clean Recognizable Visual Features Option")
FULL_DATES = Code("113106", "Retain Longitudinal Temporal Information Full Dates Option")
MODIFIED_DATES = Code("113107", "Retain Longitudinal Temporal Information Modified Dates Option")
CHARACTERISTICS = Code("113108", "Retain Patient Characteristics Option")
DEVICE = Code("113109", "Retain Device Identity Option")

NOT_CLAIMED = {
    Code("113101", "Clean Pixel Data Option"): "images in which text is detected are set aside, not cleaned",
    Code("113103", "Clean Graphics Option"): "no graphics are kept",
    Code("113104", "Clean Structured Content Option"): "no structured content is kept",
    Code("113105", "Clean Descriptors Option"): "no descriptor is kept: the harmonised record stands in their place",
    Code("113110", "Retain UIDs Option"): "every UID of an instance is replaced",
    Code("113111", "Retain Safe Private Option"): "no private attribute is kept",
    Code("113112", "Retain Institution Identity Option"): "no institution is named",
}
"""The other options of CID 7050, and why none of them is ever claimed."""


@dataclass(frozen=True, slots=True)
class Options:
    """How one trial is de-identified. ``allowed`` is the allow-list with what the trial adds and leaves out,
    ``marks`` what a person said of single values.
    """

    keep_dates: bool = False
    keep_times: bool = False
    device: bool = False
    weight: bool = False
    keep_faces: bool = False
    deface: tuple[str, ...] = ()
    suppress: frozenset[str] = frozenset()
    age_band: int | None = None
    sourcedata: bool = False
    allowed: AllowList = field(default_factory=allow_list)
    marks: Marks = field(default_factory=Marks)

    @property
    def fingerprint(self) -> str:
        """Names all of it but the marks, which concern single sessions: files made under others are made again."""
        parts = [self.keep_dates, self.keep_times, self.device, self.weight, self.keep_faces, self.deface]
        parts += [self.age_band, self.sourcedata]
        words = [(f.keyword, f.action, sorted(f.words)) for f in self.allowed.fields]
        return hashlib.sha256(repr([parts, sorted(self.suppress), self.allowed.version, words]).encode()).hexdigest()

    def claims(self, *, defaced: bool = False) -> tuple[Code, ...]:
        """The codes that hold for an image; ``defaced`` where the trial's own command removed a face from it."""
        ran = [BASIC]
        if defaced:
            ran.append(VISUAL_FEATURES)
        ran += [FULL_DATES if self.keep_dates else MODIFIED_DATES, CHARACTERISTICS]
        return (*ran, DEVICE) if self.device else tuple(ran)

    def methods(self, *, defaced: bool = False) -> list[str]:
        """What was done, in sentences for ``DeidentificationMethod``."""
        days = "Dates kept" if self.keep_dates else "Dates moved by a secret number of days for each subject"
        times = (
            "times of day kept" if self.keep_times else "times counted from the session's first acquisition at 00:00:00"
        )
        sentences = [
            "Only allow-listed header fields, as numbers, closed words or listed patterns",
            "Subject, session and UIDs replaced by a keyed hash",
            f"{days}; {times}",
        ]
        return [*sentences, "Face removed by the trial's own command"] if defaced else sentences


def options_of(trial: Trial, marks: Marks | None = None) -> Options:
    """The options that a trial's configuration asks for."""
    rules = allow_list()
    extra = [
        Field(f.keyword, "added by the trial", f.action, f.keyword, 1.0, frozenset(f.words)) for f in trial.fields.add
    ]
    return Options(
        keep_dates=trial.keep_dates,
        keep_times=trial.keep_times,
        device=trial.device,
        weight=trial.weight,
        keep_faces=trial.faces == "allow",
        deface=trial.deface,
        suppress=frozenset(trial.suppress),
        age_band=trial.generalise_age,
        sourcedata=trial.sourcedata == "dicom",
        allowed=rules.changed(add=[*extra, *(rules.device if trial.device else ())], drop=trial.fields.drop),
        marks=marks or Marks(),
    )
