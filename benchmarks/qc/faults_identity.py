"""Faults of identity, consistency and duplicates: C01 to C07, D02, D03, D05."""

from __future__ import annotations

import numpy as np
from pydicom.uid import UID

from .fault import PLAIN, Inject, Item, fault, grade, some
from .scans import Drawn, Slice, copied_meta, pixels_of, same, set_pixels, volumes

Slices = list[Slice]
Rng = np.random.Generator
ANY = (*PLAIN, "dixon", "dwi", "ct")


def other_uid(rng: Rng) -> str:
    """A UID that nobody has."""
    return f"2.25.{int(rng.integers(1, 2**62))}{int(rng.integers(1, 2**62))}"


def copied(ds: Slice) -> Slice:
    """The same data set again, to be changed on its own."""
    new = Slice({e.tag: same(e) for e in ds})
    new.drawn, new.file_meta = Drawn(ds.drawn.kind, ds.drawn.part, ds.drawn.index), copied_meta(ds)
    return new


def renamed(ds: Slice, uid: str) -> Slice:
    """The data set under another SOPInstanceUID, in its meta information too."""
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = UID(uid)
    return ds


def _mixed(series: Slices, strength: float, rng: Rng) -> Slices:
    """One slice of the first series, up to half of it."""
    first = [ds for ds in series if ds.SeriesInstanceUID == series[0].SeriesInstanceUID]
    return some(first, strength, rng)


@fault("C01", "error", "one series, two patients", kinds=ANY)
def two_patients(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """Some slices of a series carry another patient's number and name."""
    for ds in _mixed(series, strength, rng):
        ds.PatientID, ds.PatientName = f"{ds.PatientID}-2", "Other^Person"
    return list(series)


@fault("C01", "error", "one series, two studies", kinds=ANY)
def two_studies(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """Some slices of a series lie under another study."""
    study = other_uid(rng)
    for ds in _mixed(series, strength, rng):
        ds.StudyInstanceUID = study
    return list(series)


@fault("C02", "error", "a UID used twice in a series", kinds=ANY)
def uid_reused(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """Slices at other places with other pixels carry the UID of their neighbour."""
    for ds in _mixed(series, strength, rng):
        before = series[next(k for k, one in enumerate(series) if one is ds) - 1]
        renamed(ds, str(before.SOPInstanceUID))
    return list(series)


@fault("C02", "error", "sent again with other pixels", kinds=ANY)
def altered_copy(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """A second copy of a slice under its UID, in which some pixels differ: 20, up to all."""
    out: list[Item] = list(series)
    for ds in _mixed(series, strength, rng):
        new, pixels = copied(ds), pixels_of(ds)
        flat = pixels.reshape(-1)
        chosen = rng.choice(flat.size, int(grade(strength, 20, flat.size)), replace=False)
        flat[chosen] = (flat[chosen] + 7) % 2000
        set_pixels(new, pixels)
        out.append(new)
    return out


@fault("C03", "warning", "the same pixels under another patient", kinds=ANY, trial="pixel")
def other_patient(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The whole scan again under another patient; where it is mild, some slices are not."""
    study, uids = other_uid(rng), {}
    again: list[Item] = []
    for ds in series:
        new = renamed(copied(ds), other_uid(rng))
        new.PatientID, new.PatientName = f"{ds.PatientID}-2", "Other^Person"
        new.StudyInstanceUID = study
        new.SeriesInstanceUID = uids.setdefault(str(ds.SeriesInstanceUID), other_uid(rng))
        new.FrameOfReferenceUID = uids.setdefault(str(ds.FrameOfReferenceUID), other_uid(rng))
        if strength < 1:
            new.StudyDate, new.AccessionNumber = "20220517", "B000001"
            new.SeriesDate = new.AcquisitionDate = new.ContentDate = "20220517"
        again.append(new)
    return [*series, *again]


@fault("C04", "warning", "sex", kinds=("t2ax+t1", "t2sag+t2ax", "t1+t2obl"))
def other_sex(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The second scan says another sex."""
    for ds in _second(series):
        ds.PatientSex = "M"
    return list(series)


@fault("C04", "warning", "birth date", kinds=("t2ax+t1", "t2sag+t2ax", "t1+t2obl"))
def other_birth(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The second scan says another birth date: one day, up to years apart."""
    day = series[0].PatientBirthDate
    other = f"{day[:6]}16" if strength < 0.5 else f"{int(day[:4]) - int(grade(strength, 2, 40))}{day[4:]}"
    for ds in _second(series):
        ds.PatientBirthDate = other
    return list(series)


@fault("C04", "warning", "site", kinds=("t2ax+t1", "t2sag+t2ax", "t1+t2obl"))
def other_site(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The second scan is of another institution."""
    for ds in _second(series):
        ds.InstitutionName, ds.StationName, ds.DeviceSerialNumber = "Hospital elsewhere", "ELSE1", "99999"
    return list(series)


def _second(series: Slices) -> Slices:
    kinds = list(dict.fromkeys(ds.drawn.kind for ds in series))
    return [ds for ds in series if ds.drawn.kind == kinds[-1]]


@fault("C05", "error", "another modality in the series", kinds=ANY)
def other_modality(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """Some slices say another modality."""
    word = ("PT", "MR" if series[0].Modality == "CT" else "CT", "NM")[int(rng.integers(3))]
    for ds in _mixed(series, strength, rng):
        ds.Modality = word
    return list(series)


@fault("C06", "warning", "born after the study", kinds=(*PLAIN, "ct"))
def born_later(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The birth date lies days to years after the study."""
    date = "20220601" if strength < 1 else "20590101"
    for ds in series:
        ds.PatientBirthDate = date
    return list(series)


@fault("C06", "warning", "acquired before the study", kinds=(*PLAIN, "ct"))
def acquired_earlier(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """Acquisition and content lie days to years before the study began."""
    days = np.timedelta64(int(grade(strength, 2, 4000)), "D")
    study = np.datetime64(f"{series[0].StudyDate[:4]}-{series[0].StudyDate[4:6]}-{series[0].StudyDate[6:]}")
    date = str(study - days).replace("-", "")
    for ds in series:
        ds.AcquisitionDate = ds.ContentDate = ds.SeriesDate = date
    return list(series)


@fault("C06", "warning", "made before it was acquired", kinds=(*PLAIN, "ct"))
def content_earlier(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The content date lies days to years before the acquisition's."""
    days = np.timedelta64(int(grade(strength, 2, 4000)), "D")
    study = np.datetime64(f"{series[0].StudyDate[:4]}-{series[0].StudyDate[4:6]}-{series[0].StudyDate[6:]}")
    for ds in series:
        ds.ContentDate = str(study - days).replace("-", "")
    return list(series)


SINGLE = {
    "PatientPosition": "FFP", "FrameOfReferenceUID": "", "Manufacturer": "ACME", "BodyPartExamined": "BRAIN",
    "SeriesDescription": "something else", "ProtocolName": "something else", "Laterality": "L",
}  # fmt: skip


def _varied(keyword: str, value: str) -> Inject:
    def inject(series: Slices, strength: float, rng: Rng) -> list[Item]:
        other = value or other_uid(rng)
        chosen = _mixed(series, strength, rng)
        if keyword == "Laterality":
            for ds in series:
                ds.Laterality = "R"
        for ds in chosen:
            setattr(ds, keyword, other)
        return list(series)

    return inject


for _keyword, _value in SINGLE.items():
    fault("C07", "warning", f"two values of {_keyword}", kinds=(*PLAIN, "ct"))(_varied(_keyword, _value))


@fault("D02", "warning", "copied under another UID", kinds=(*PLAIN, "ct"), trial="pixel")
def copy_of_series(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The series again under other UIDs, another number and, where it is mild, other words and another time."""
    return [*series, *_again(series, rng, later=True, words="copy" if strength < 1 else "")]


@fault("D03", "warning", "sent again", kinds=(*PLAIN, "ct"), trial="pixel")
def resent(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The series again under other UIDs, as an archive does after an import."""
    return [*series, *_again(series, rng, later=False, words="")]


@fault("D03", "warning", "sent again, less complete", kinds=("ct",), trial="pixel")
def resent_in_part(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The series again under other UIDs, its last slice not yet there."""
    return [*series, *_again(series, rng, later=False, words="")[:-1]]


def _again(series: Slices, rng: Rng, *, later: bool, words: str) -> Slices:
    uids: dict[str, str] = {}
    out: Slices = []
    for ds in series:
        new = renamed(copied(ds), other_uid(rng))
        new.SeriesInstanceUID = uids.setdefault(str(ds.SeriesInstanceUID), other_uid(rng))
        if later:
            new.SeriesNumber = int(ds.SeriesNumber) + 100
            new.SeriesTime = new.AcquisitionTime = new.ContentTime = "183011.250000"
        if words:
            new.SeriesDescription = f"{ds.SeriesDescription} {words}"
        out.append(new)
    return out


@fault("D05", "error", "a slice twice", kinds=ANY, packed=True)
def slice_twice(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """Slices are there twice under UIDs of their own, with other noise: one, up to a third of a volume."""
    volume = next(iter(volumes(series).values()))
    out: Slices = list(series)
    for ds in some(volume, strength, rng, most=0.33):
        new = renamed(copied(ds), other_uid(rng))
        pixels = pixels_of(ds)
        set_pixels(
            new, np.clip(pixels + rng.integers(-9, 10, pixels.shape), 0 if ds.PixelRepresentation == 0 else -1024, 4095)
        )
        new.InstanceNumber = len(series) + 1 + len(out)
        out.append(new)
    return list(out)
