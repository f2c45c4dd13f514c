"""One clean scan of one patient at one scanner, as the list of its DICOM data sets, in the order of a scanner."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian, MRImageStorage

from . import anatomy
from .grids import Grid
from .vendors import B_VALUES, OTHER_B_VALUES, VENDORS, Vendor, add_b_value, add_count, add_private

PHASES, INTERVAL_S = 7, 11.0


@dataclass(frozen=True)
class Drawn:
    """What a data set was drawn as: the kind of scan, its part (``b400``, ``phase3``, ``water``) and the slice."""

    kind: str
    part: str
    index: int


class Slice(Dataset):
    """A data set that remembers what it was drawn as."""

    drawn: Drawn


@dataclass(frozen=True)
class Person:
    """Whom and when: everything in the headers that is not the scan's. ``key`` makes all identifiers."""

    key: str
    number: int
    vendor: Vendor
    site: str = ""

    def uid(self, *path: object) -> UID:
        """A UID made from words: the same words, the same UID."""
        words = "/".join(str(word) for word in (self.key, *path))
        return UID(f"2.25.{int.from_bytes(hashlib.sha256(words.encode()).digest()[:15], 'big')}")

    @property
    def start(self) -> datetime:
        """When the study began."""
        return datetime(2021, 3, 1, 8, 30) + timedelta(days=self.number % 300, minutes=self.number % 400)


@dataclass
class Part:
    """One volume of a scan: its voxels (slices, rows, columns) as stored, and what sets its header apart."""

    name: str
    pixels: NDArray[np.integer]
    header: Mapping[str, Any] = field(default_factory=dict)
    b: float | None = None
    after_s: float = 0.0
    text: str | None = None
    series: str = ""


@dataclass
class Scan:
    """Parts on one grid with a common header. ``counted`` says whether the maker counts its slices."""

    kind: str
    grid: Grid
    text: str
    header: Mapping[str, Any]
    parts: list[Part]
    modality: str = "MR"
    interleaved: bool = False


def make_scan(vendor: str, kind: str, key: str, number: int = 0, **options: Any) -> list[Slice]:
    """The data sets of one clean scan. ``key`` names the person: other keys, other identifiers and other noise.

    ``kind`` is one of :data:`KINDS`; ``options`` go to its builder (``first`` is the number of the first series).
    """
    first = options.pop("first", 2)
    person = options.pop("person", None) or Person(key, number, VENDORS[vendor])
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(f"{key}/{kind}".encode()).digest()[:8], "big"))
    scans = KINDS[kind](person.vendor, person, rng, **options)
    made: list[Slice] = []
    for scan in scans:
        made += written(scan, person, first + len({ds.SeriesInstanceUID for ds in made}))
    return made


def written(scan: Scan, person: Person, first: int) -> list[Slice]:
    """The data sets of a scan, its series numbered from ``first``."""
    base = _common(scan, person)
    series = list(dict.fromkeys(part.series for part in scan.parts))
    headers = [_part_header(base, scan, part, person, first, series.index(part.series)) for part in scan.parts]
    order = [(p, k) for p, part in enumerate(scan.parts) for k in range(len(part.pixels))]
    if scan.interleaved:
        order.sort(key=lambda pair: (pair[1], pair[0]))
    numbers: dict[str, int] = {}
    out: list[Slice] = []
    for p, k in order:
        part = scan.parts[p]
        numbers[part.series] = number = numbers.get(part.series, 0) + 1
        out.append(_slice(headers[p], scan, part, k, number, person))
    return out


def ds_text(value: float) -> str:
    """A DS of at most 16 characters."""
    return f"{value:.9f}"[:16].rstrip("0").rstrip(".") if "." in f"{value:.9f}"[:16] else f"{value:.9f}"[:16]


def _common(scan: Scan, person: Person) -> Dataset:
    """Patient, study, equipment and series modules."""
    vendor, start = person.vendor, person.start
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.SOPClassUID = CTImageStorage if scan.modality == "CT" else MRImageStorage
    ds.StudyDate, ds.StudyTime = f"{start:%Y%m%d}", f"{start:%H%M%S}"
    ds.AccessionNumber, ds.Modality, ds.ReferringPhysicianName = f"A{person.number:06d}", scan.modality, ""
    ds.InstitutionName = person.site or f"Hospital {vendor.name}"
    ds.StationName, ds.StudyDescription = f"{vendor.name.upper()[:8]}1", "Becken"
    ds.PatientName, ds.PatientID = f"Fault^{person.key}", person.key
    ds.PatientBirthDate, ds.PatientSex = f"{1940 + person.number % 50}0{1 + person.number % 9}15", "F"
    ds.PatientAge, ds.PatientWeight = f"{2021 - 1940 - person.number % 50:03d}Y", "70"
    ds.BodyPartExamined, ds.PatientPosition = "PELVIS", "HFS"
    ds.StudyInstanceUID, ds.StudyID = person.uid("study"), str(1 + person.number % 1000)
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = person.uid("frame", scan.modality), ""
    equipment = vendor.ct if scan.modality == "CT" else vendor.equipment
    for keyword, value in {**equipment, **scan.header}.items():
        setattr(ds, keyword, value)
    return ds


def _part_header(base: Dataset, scan: Scan, part: Part, person: Person, first: int, place: int) -> Dataset:
    """All that the slices of one part share; its series is the ``place``-th of the scan, which begins at ``first``."""
    ds, vendor, grid, number = _copied(base), person.vendor, scan.grid, first + place
    taken = person.start + timedelta(seconds=240.0 * first + part.after_s)
    for keyword, value in part.header.items():
        setattr(ds, keyword, value)
    ds.SeriesInstanceUID, ds.SeriesNumber = person.uid("series", scan.kind, part.series), number
    ds.SeriesDescription = ds.ProtocolName = scan.text if part.text is None else part.text
    began = taken if len({p.series for p in scan.parts}) > 1 else taken - timedelta(seconds=part.after_s)
    ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = f"{taken:%Y%m%d}"
    ds.SeriesTime = f"{began:%H%M%S.%f}"
    ds.AcquisitionTime, ds.ContentTime = f"{taken:%H%M%S.%f}", f"{taken:%H%M%S.%f}"
    ds.SliceThickness, ds.PixelSpacing = ds_text(grid.thickness), [ds_text(grid.pixel)] * 2
    if scan.modality == "MR":
        ds.SpacingBetweenSlices = ds_text(grid.gap)
        ds.AcquisitionMatrix, ds.InPlanePhaseEncodingDirection = [0, grid.columns, grid.rows, 0], "COL"
    ds.ImageOrientationPatient = [ds_text(v) for v in (*grid.row, *grid.column)]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    signed = part.pixels.dtype.kind == "i"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 16 if signed else 12, 15 if signed else 11
    ds.PixelRepresentation = int(signed)
    ds.Rows, ds.Columns = part.pixels.shape[1:]
    if part.b is not None:
        add_b_value(ds, vendor, part.b)
    same_series = [p for p in scan.parts if p.series == part.series]
    add_count(ds, vendor, grid.slices, sum(len(p.pixels) for p in same_series))
    if vendor.name == "ge" and scan.modality == "MR":
        add_private(ds, 0x0019, "GEMS_ACQU_01", 0x9C, "LO", GE_SEQUENCES[scan.kind])
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if vendor.name == "philips" else ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    return ds


GE_SEQUENCES = {
    "t2ax": "frfse", "t2sag": "frfse", "t2obl": "frfse", "t1": "fse-xl", "dwi": "epi2", "adc": "epi2", "dce": "efgre3d",
    "dixon": "efgre3d", "echoes": "fgre",
}  # fmt: skip


def _slice(header: Dataset, scan: Scan, part: Part, index: int, number: int, person: Person) -> Slice:
    ds = Slice({element.tag: same(element) for element in header})
    ds.drawn = Drawn(scan.kind, part.name, index)
    position = scan.grid.position(index)
    ds.SOPInstanceUID = person.uid("image", scan.kind, part.name, index)
    ds.InstanceNumber, ds.AcquisitionNumber = number, header.get("AcquisitionNumber", 1)
    ds.ImagePositionPatient = [ds_text(v) for v in position]
    ds.SliceLocation = ds_text(float(position @ scan.grid.normal))
    ds.add_new(0x7FE00010, "OW", part.pixels[index].astype(part.pixels.dtype.newbyteorder("<")).tobytes())
    ds.file_meta = copied_meta(header)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    return ds


def copied_meta(ds: Dataset) -> FileMetaDataset:
    """The file meta information of a data set, with elements of its own."""
    return FileMetaDataset({element.tag: same(element) for element in ds.file_meta})


def same(element: DataElement) -> DataElement:
    """A copy of an element that shares its value. Most of the time of a benchmark would go into ``copy.copy``."""
    new = object.__new__(DataElement)
    new.__dict__.update(element.__dict__)
    return new


def _copied(ds: Dataset) -> Dataset:
    """A data set with elements of its own. Values are shared until they are set anew."""
    return Dataset({element.tag: same(element) for element in ds})


# ---------------------------------------------------------------------------------------------------- the kinds of scan

TSE = {"ScanningSequence": "SE", "SequenceVariant": "SK", "ScanOptions": "", "MRAcquisitionType": "2D"}
GRE3D = {"ScanningSequence": "GR", "SequenceVariant": ["SP", "OSP"], "ScanOptions": "FS", "MRAcquisitionType": "3D"}
EPI = {"ScanningSequence": ["SE", "EP"], "SequenceVariant": "SK", "ScanOptions": "FS", "MRAcquisitionType": "2D"}
COMMON = {"ImagedNucleus": "1H", "NumberOfAverages": "1", "PercentSampling": "100", "EchoNumbers": 1}


def _grid(vendor: Vendor, rng: np.random.Generator, plane: str, slices: tuple[int, int], gap: float, thickness: float,
          oblique: bool = False, coarse: bool = False) -> Grid:  # fmt: skip
    """A grid of the maker's matrix, or a coarser one; where it lies and how many slices it has is chance."""
    rows, columns = MATRIX[vendor.name]
    share = 0.75 if coarse else 1.0
    x, y, z = (float(v) for v in np.round(rng.uniform(-6, 6, 3), 2))
    return Grid(
        plane=plane,
        rows=int(rows * share),
        columns=int(columns * share),
        pixel=round(FIELD_MM / (min(rows, columns) * share), 4),
        slices=int(rng.integers(slices[0], slices[1] + 1)),
        gap=gap,
        thickness=thickness,
        centre=(x, y, z),
        tilt=float(np.round(rng.uniform(-14, 14), 2)) if oblique else 0.0,
        turn=float(np.round(rng.uniform(-5, 5), 2)) if oblique else 0.0,
    )


FIELD_MM = 288.0
MATRIX = {
    "siemens": (96, 96), "ge": (96, 96), "philips": (112, 112), "canon": (112, 96), "hitachi": (96, 96),
    "uih": (104, 96), "fujifilm": (96, 96), "toshiba": (96, 128),
}  # fmt: skip


def _type(vendor: Vendor, name: str) -> dict[str, Any]:
    return {"ImageType": vendor.types.get(name, vendor.types["image"]).split()}


def _named(vendor: Vendor, name: str) -> dict[str, Any]:
    said = vendor.sequence_names.get(name)
    return {"SequenceName": said} if said else {}


def _rescale(vendor: Vendor) -> dict[str, Any]:
    if vendor.slope is None:
        return {}
    return {"RescaleIntercept": "0", "RescaleSlope": ds_text(vendor.slope), "RescaleType": "normalized"}


def stored(image: NDArray[np.floating], slope: float | None = None) -> NDArray[np.uint16]:
    """An image as 12-bit integers."""
    return np.clip(np.rint(image / (slope or 1.0)), 0, 4095).astype(np.uint16)


def tse(vendor: Vendor, person: Person, rng: np.random.Generator, *, kind: str = "t2ax", slices: int = 0) -> list[Scan]:
    """A 2D turbo spin echo, T2 or T1 weighted, axial, sagittal or oblique."""
    plane = "sag" if kind == "t2sag" else "ax"
    tr, te = (620.0, 10.0) if kind == "t1" else (4200.0, 102.0)
    wanted = (slices, slices) if slices else (14, 22)
    grid = _grid(vendor, rng, plane, wanted, 4.4, 4.0, oblique=kind in ("t2obl", "t2sag"))
    signal = anatomy.spin_echo(anatomy.draw(grid, person.number), tr, te)
    pixels = stored(anatomy.measured({"image": signal}, rng)["image"], vendor.slope)
    train = {"EchoTrainLength": 3 if kind == "t1" else 16, "FlipAngle": "150", "PixelBandwidth": "210"}
    header = COMMON | TSE | _type(vendor, "image") | _named(vendor, kind[:2]) | _rescale(vendor) | train
    header |= {"RepetitionTime": ds_text(tr), "EchoTime": ds_text(te)}
    return [Scan(kind, grid, vendor.words["t2ax" if kind == "t2obl" else kind], header, [Part("image", pixels)])]


def dwi(
    vendor: Vendor, person: Person, rng: np.random.Generator, *, bvalues: tuple[int, ...] = (), adc: bool = True
) -> list[Scan]:
    """Trace-weighted images of several b-values, and the ADC fitted to those up to 1000."""
    bvalues = bvalues or B_VALUES.get(vendor.name, OTHER_B_VALUES)
    grid = _grid(vendor, rng, "ax", (12, 18), 4.8, 4.0, coarse=True)
    a = anatomy.draw(grid, person.number)
    images = anatomy.measured({f"b{b}": anatomy.diffusion(a, b, 68) for b in bvalues}, rng, snr=60)
    physics = {"RepetitionTime": "6000", "EchoTime": "68", "FlipAngle": "90", "EchoTrainLength": 60}
    header = COMMON | EPI | _rescale(vendor) | physics | {"PixelBandwidth": "1600"}
    apart = "dwi" in vendor.apart
    parts = [
        Part(f"b{b}", stored(images[f"b{b}"], vendor.slope), b=b, series=f"b{b}" if apart else "",
             after_s=60.0 * k if apart else 0.0)
        for k, b in enumerate(bvalues)
    ]  # fmt: skip
    interleaved = "dwi" in vendor.interleaved
    scans = [Scan("dwi", grid, vendor.words["dwi"], header | _type(vendor, "dwi"), parts, interleaved=interleaved)]
    if adc:
        low = {float(b): images[f"b{b}"] for b in bvalues if b <= 1000}
        fitted = anatomy.fitted_adc(low, floor=0.12 * anatomy.FULL_SCALE)
        derived = header | _type(vendor, "adc") | {"RescaleIntercept": "0", "RescaleSlope": "1"}
        named = {"SequenceName": f"*ep_b{min(bvalues)}_{max(low):g}"} if "sequence" in vendor.b else {}
        unit = {"RescaleType": "US"}
        scans.append(Scan("adc", grid, vendor.words["adc"], derived | named | unit, [Part("adc", stored(fitted))]))
    return scans


def dce(
    vendor: Vendor,
    person: Person,
    rng: np.random.Generator,
    *,
    phases: int = PHASES,
    interval: float = INTERVAL_S,
    dose: float = 1.0,
) -> list[Scan]:
    """A dynamic scan: fat-suppressed 3D gradient echoes, contrast arriving after the second or third."""
    grid = _grid(vendor, rng, "ax", (12, 16), 3.0, 3.0)
    a = anatomy.draw(grid, person.number)
    times = [round(k * interval, 2) for k in range(phases)]
    signals = {
        f"phase{k + 1}": anatomy.gradient_echo(a, 4.1, 1.6, 12, fatsat=True, after_s=t, dose=dose)
        for k, t in enumerate(times)
    }
    images = anatomy.measured(signals, rng, snr=50)
    physics = {"RepetitionTime": "4.1", "EchoTime": "1.6", "FlipAngle": "12", "EchoTrainLength": 1}
    header = COMMON | GRE3D | _type(vendor, "gre") | _named(vendor, "dce") | _rescale(vendor) | physics
    agent = {"ContrastBolusAgent": "Gadobutrol", "ContrastBolusRoute": "IV", "ContrastBolusVolume": "7"}
    parts: list[Part] = []
    for k, (name, after) in enumerate(zip(images, times, strict=True)):
        told: dict[str, Any] = {"AcquisitionNumber": k + 1}
        if vendor.clock in ("trigger", "position"):
            told |= {"TemporalPositionIdentifier": k + 1, "NumberOfTemporalPositions": phases}
        if vendor.clock == "trigger" or vendor.name == "philips":
            told |= {"TriggerTime": ds_text(after * 1000)}
        own = vendor.clock == "series"
        parts.append(
            Part(name, stored(images[name], vendor.slope), told | (agent if k or not own else {}), after_s=after,
                 series=name if own else "")
        )  # fmt: skip
    return [Scan("dce", grid, vendor.words["dce"], header, parts, interleaved="dce" in vendor.interleaved)]


def dixon(vendor: Vendor, person: Person, rng: np.random.Generator) -> list[Scan]:
    """Water, fat, in-phase and opposed-phase images of one scan."""
    grid = _grid(vendor, rng, "ax", (14, 20), 3.6, 3.6)
    images = anatomy.measured(anatomy.dixon(anatomy.draw(grid, person.number), 5.5, 9), rng)
    physics = {"RepetitionTime": "5.5", "FlipAngle": "9", "EchoTrainLength": 2, "ScanOptions": ""}
    header = COMMON | GRE3D | _named(vendor, "dixon") | _rescale(vendor) | physics
    echoes = {"inphase": "2.46", "opposed": "1.23", "water": "1.23", "fat": "1.23"}
    endings = {"inphase": "_in", "opposed": "_opp", "water": "_W", "fat": "_F"}
    apart = "dixon" in vendor.apart
    parts = [
        Part(
            name,
            stored(image, vendor.slope),
            {"ImageType": vendor.dixon[name].split(), "EchoTime": echoes[name], "AcquisitionNumber": 1},
            text=vendor.words["dixon"] + endings[name] if apart else None,
            series=name if apart else "",
        )
        for name, image in images.items()
    ]
    return [Scan("dixon", grid, vendor.words["dixon"], header, parts)]


def echoes(vendor: Vendor, person: Person, rng: np.random.Generator) -> list[Scan]:
    """Three gradient echoes in one series."""
    grid = _grid(vendor, rng, "ax", (12, 16), 5.0, 4.5)
    a = anatomy.draw(grid, person.number)
    times = (4.6, 9.2, 18.4)
    images = anatomy.measured({f"echo{k + 1}": anatomy.gradient_echo(a, 500, t, 25) for k, t in enumerate(times)}, rng)
    header = COMMON | GRE3D | _type(vendor, "gre") | _named(vendor, "echoes") | _rescale(vendor)
    header |= {"RepetitionTime": "500", "FlipAngle": "25", "EchoTrainLength": 3, "MRAcquisitionType": "2D"}
    header |= {"ScanOptions": ""}
    parts = [
        Part(name, stored(images[name], vendor.slope), {"EchoTime": ds_text(times[k]), "EchoNumbers": k + 1})
        for k, name in enumerate(images)
    ]
    return [Scan("echoes", grid, vendor.words["echoes"], header, parts)]


def ct(vendor: Vendor, person: Person, rng: np.random.Generator) -> list[Scan]:
    """A helical CT of the pelvis, 12 bits unsigned or 16 bits signed."""
    grid = _grid(vendor, rng, "ax", (20, 36), 3.0, 3.0)
    hounsfield = anatomy.draw(grid, person.number).hounsfield
    noisy = np.clip(hounsfield + rng.standard_normal(hounsfield.shape, np.float32) * 12, -1024, 3000)
    intercept = 0 if vendor.ct_signed else -1024
    pixels = np.rint(noisy - intercept).astype(np.int16 if vendor.ct_signed else np.uint16)
    header = {**_type(vendor, "ct"), "RescaleIntercept": str(intercept), "RescaleSlope": "1", "RescaleType": "HU"}
    header |= {"ScanOptions": "HELICAL MODE"}
    return [Scan("ct", grid, vendor.words["ct"], header, [Part("image", pixels)], modality="CT")]


def _as(kind: str) -> Callable[..., list[Scan]]:
    def build(vendor: Vendor, person: Person, rng: np.random.Generator, **options: Any) -> list[Scan]:
        return tse(vendor, person, rng, kind=kind, **options)

    return build


KINDS: dict[str, Callable[..., list[Scan]]] = {
    "t2ax": _as("t2ax"), "t2sag": _as("t2sag"), "t2obl": _as("t2obl"), "t1": _as("t1"), "dwi": dwi, "dce": dce,
    "dixon": dixon, "echoes": echoes, "ct": ct,
}  # fmt: skip


def volumes(series: list[Slice]) -> dict[tuple[str, str], list[Slice]]:
    """The slices of each part of a scan, in order of place, by kind and part."""
    found: dict[tuple[str, str], list[Slice]] = {}
    for ds in series:
        found.setdefault((ds.drawn.kind, ds.drawn.part), []).append(ds)
    for slices in found.values():
        slices.sort(key=lambda ds: ds.drawn.index)
    return found


def pixels_of(ds: Slice) -> NDArray[np.integer]:
    """The stored pixels (rows, columns), a copy."""
    kind = "<i2" if ds.PixelRepresentation else "<u2"
    return np.frombuffer(ds.PixelData, kind).reshape(ds.Rows, ds.Columns).copy()


def set_pixels(ds: Slice, pixels: NDArray[Any]) -> None:
    """Store pixels of the same size."""
    kind = "<i2" if ds.PixelRepresentation else "<u2"
    ds.PixelData = np.ascontiguousarray(pixels).astype(kind).tobytes()


def all_parts() -> Iterator[str]:
    """The kinds of scan."""
    yield from KINDS
