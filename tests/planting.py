"""Plants canaries in DICOM objects: in every kind of place where identifying text has been seen, and some more."""

from __future__ import annotations

import gzip
import io
import logging
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pydicom
from canaries import ALPHABETS, Canary, Flock
from pydicom._dicom_dict import DicomDictionary
from pydicom.charset import convert_encodings
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element, write_file_meta_info
from pydicom.tag import Tag
from pydicom.uid import UID

from trialbids.exporter.inventory.instance import Instance

TEXT_VRS = {"AE": 12, "LO": 20, "LT": 30, "PN": 20, "SH": 12, "ST": 30, "UC": 20, "UR": 20, "UT": 30, "CS": 12}
"""Text VRs with the length of a canary that each takes."""

READ = frozenset(Instance.__dataclass_fields__) | {"SpecificCharacterSet"}
"""What decides how an object is read: canaries go there one by one, see :func:`allow_listed`."""


@cache
def sweep() -> tuple[tuple[str, str], ...]:
    """Every text, date and UID element of the standard's dictionary that does not decide how an object is read."""
    chosen = []
    for tag, (vr, _, _, _, keyword) in sorted(DicomDictionary.items()):
        group = tag >> 16
        first = vr.split(" or ", maxsplit=1)[0]
        decides = keyword in READ or keyword.endswith(("ClassUID", "SyntaxUID"))
        reserved = group in (0x0000, 0x0002, 0x0004, 0x0006, 0x0028, 0x7FE0) or not keyword or decides
        if not reserved and first in (*TEXT_VRS, "DA", "UI"):
            chosen.append((keyword, first))
    return tuple(chosen)


def value_of(vr: str, flock: Flock, place: str) -> object:
    """A legal value of a VR that is or holds a canary."""
    match vr:
        case "DA" | "DT":
            return flock.day(place)
        case "TM":
            return flock.clock(place)
        case "UI":
            return UID(flock.uid(place))
        case "IS":
            return int(flock.digits(place))
        case "DS":
            return flock.digits(place, 12)
        case "UV" | "SV":
            return flock.eight(place)
        case "OB" | "OD" | "OF" | "OL" | "OV" | "OW" | "UN":
            return flock.blob(place) + flock.word(place, 16).encode()
        case _:
            return flock.word(place, TEXT_VRS[vr])


EVERY_VR = {
    "AE": "ScheduledStationAETitle", "CS": "ScheduledProcedureStepStatus",
    "DA": "ScheduledProcedureStepStartDate", "DS": "PatientSize", "DT": "DateTime", "IS": "ReferencedFrameNumber",
    "LO": "ScheduledProcedureStepDescription", "LT": "PatientComments", "OB": "EncapsulatedDocument",
    "OD": "SelectorODValue", "OF": "FloatingPointValues", "OL": "TrackPointIndexList", "OV": "SelectorOVValue",
    "OW": "RedPaletteColorLookupTableData", "PN": "ScheduledPerformingPhysicianName", "SH": "ScheduledProcedureStepID",
    "ST": "InstitutionAddress", "SV": "SelectorSVValue", "UC": "StrainDescription", "UI": "ReferencedSOPInstanceUID",
    "UR": "RetrieveURL", "UT": "TextValue", "UV": "SelectorUVValue", "UN": "SelectorUNValue", "TM": "Time",
}  # fmt: skip
"""One element of every VR that can hold text or a long number."""

SEQUENCES = ("RequestAttributesSequence", "ReferencedStudySequence", "OriginalAttributesSequence",
             "ProcedureCodeSequence", "ContentSequence", "ModifiedAttributesSequence")  # fmt: skip


def item_of_every_vr(flock: Flock, place: str) -> Dataset:
    """A sequence item with one canary of each VR, and a private block."""
    item = Dataset()
    for vr, keyword in EVERY_VR.items():
        item.add_new(Tag(keyword), vr, value_of(vr, flock, f"{place} {vr}"))
    private_block(item, 0x0029, "SIEMENS MEDCOM HEADER", flock, f"{place} private")
    return item


def nest(dataset: Dataset, depth: int, flock: Flock) -> None:
    """An item of every VR so many sequences deep, with a word on every level."""
    inner = dataset
    for level in range(depth):
        item = Dataset()
        item.CodeMeaning = flock.word(f"level {level + 1} of {depth}")
        setattr(inner, SEQUENCES[level % len(SEQUENCES)], [item])
        inner = item
    inner.update(item_of_every_vr(flock, f"depth {depth}"))


def private_block(dataset: Dataset, group: int, creator: str, flock: Flock, place: str) -> None:
    """A vendor's private block: text, bytes, numbers and a sequence."""
    block = dataset.private_block(group, creator, create=True)
    for offset, vr in (
        (0xE0, "LO"),
        (0xE1, "PN"),
        (0xE2, "UT"),
        (0xE3, "OB"),
        (0xE4, "DA"),
        (0xE5, "UI"),
        (0xE6, "IS"),
    ):
        block.add_new(offset, vr, value_of(vr, flock, f"{place} {creator}"))
    inner = Dataset()
    inner.PatientName = flock.word(f"{place} {creator} sequence")
    deeper = inner.private_block(0x0011, "SOMEBODY", create=True)
    deeper.add_new(0x01, "LT", flock.word(f"{place} {creator} sequence, private"))
    block.add_new(0xE7, "SQ", [inner])


CREATORS = (
    (0x0029, "SIEMENS MEDCOM OOG"), (0x0051, "SIEMENS MR HEADER"), (0x0021, "SIEMENS MR SDS 01"),
    (0x0009, "GEMS_IDEN_01"), (0x0043, "GEMS_PARM_01"), (0x0025, "GEMS_SERS_01"), (0x2001, "Philips Imaging DD 001"),
    (0x2005, "Philips MR Imaging DD 001"), (0x700D, "TOSHIBA_MEC_MR3"), (0x0065, "Image Private Header"),
    (0x0177, "BRUKER"), (0x0099, "NQHeader"), (0x7053, "Philips PET Private Group"), (0x0013, "CTP"),
)  # fmt: skip


def privates(dataset: Dataset, flock: Flock) -> None:
    """Blocks of many vendors, one creator twice, one block of nobody, a creator that is a name itself."""
    for group, creator in CREATORS:
        private_block(dataset, group, creator, flock, "private")
    dataset.add_new((0x0033, 0x0010), "LO", "TWICE")
    dataset.add_new((0x0033, 0x0011), "LO", "TWICE")
    dataset.add_new((0x0033, 0x1001), "LO", flock.word("private, the first of two creators"))
    dataset.add_new((0x0033, 0x1101), "LO", flock.word("private, the second of two creators"))
    dataset.add_new((0x0035, 0x1001), "LO", flock.word("private without a creator"))
    dataset.add_new((0x0037, 0x0010), "LO", flock.word("private creator"))
    dataset.private_block(0x0039, "PACKED", create=True).add_new(1, "OB", _packed(flock))


def _packed(flock: Flock) -> bytes:
    """A gzip stream, as one vendor keeps its protocol: the text and the stream itself are canaries."""
    text = f'set PATNAME "{flock.word("gzip in a private tag: text")}"'
    flock.canaries.pop()  # nobody sees it in the input: the stream is what can be looked for
    stream = gzip.compress(text.encode(), mtime=0)
    return stream + flock.blob("gzip in a private tag: its tail")


def overlays_and_curves(dataset: Dataset, flock: Flock) -> None:
    """Overlays (60xx), curves (50xx), an icon, graphics, a digital signature and original attributes."""
    for group in (0x6000, 0x6002, 0x601E):
        place = f"overlay {group:04x}"
        dataset.add_new((group, 0x3000), "OW", flock.blob(place, 512))
        dataset.add_new((group, 0x0022), "LO", flock.word(place))
        dataset.add_new((group, 0x1500), "LO", flock.word(place))
        dataset.add_new((group, 0x4000), "LT", flock.word(place))
    for group in (0x5000, 0x501E):
        place = f"curve {group:04x}"
        dataset.add_new((group, 0x0022), "LO", flock.word(place))
        dataset.add_new((group, 0x0030), "SH", flock.word(place))
        dataset.add_new((group, 0x3000), "OW", flock.blob(place, 64))
    icon = Dataset()
    icon.Rows = icon.Columns = 8
    icon.PixelData = flock.blob("icon", 64)
    icon["PixelData"].VR = "OB"
    dataset.IconImageSequence = [icon]
    signature = Dataset()
    signature.Signature = flock.blob("digital signature", 64)
    signature.DigitalSignatureUID = flock.uid("digital signature")
    dataset.DigitalSignaturesSequence = [signature]
    original = Dataset()
    original.ModifyingSystem = flock.word("original attributes")
    original.PatientName = flock.word("original attributes")
    changed = Dataset()
    changed.PatientID = flock.word("original attributes")
    original.ModifiedAttributesSequence = [changed]
    dataset.OriginalAttributesSequence = [original]
    dataset.DataSetTrailingPadding = flock.blob("trailing padding", 64)


def identities(dataset: Dataset, flock: Flock) -> None:
    """Names, numbers and dates of people where every hospital writes them, in letters that the object can say."""
    charset = str(dataset.get("SpecificCharacterSet") or "ISO_IR 6")
    name = flock.name(f"name in {charset}", charset) if charset in ALPHABETS else flock.word("name")
    dataset.PatientName = f"{name}^{flock.word('given name')}"
    for keyword in ("OtherPatientNames", "PatientMotherBirthName", "ReferringPhysicianName", "OperatorsName",
                    "RequestingPhysician", "PhysiciansOfRecord", "PatientBirthName"):  # fmt: skip
        setattr(dataset, keyword, f"{flock.word(keyword)}^{flock.word(keyword)}")
    dataset.PatientBirthDate = flock.day("birth date")
    dataset.AccessionNumber, dataset.StudyID = flock.digits("accession number"), flock.digits("study id")
    dataset.OtherPatientIDs = [flock.digits("other id"), flock.word("other id")]
    dataset.PatientTelephoneNumbers = flock.digits("telephone", 12, "0176")
    dataset.PatientAddress = f"{flock.word('street')} 7, {flock.word('town')}"
    dataset.PatientComments = f"Tel. {flock.digits('comment')}, Fr. {flock.word('comment')}"
    dataset.DeviceSerialNumber, dataset.StationName = flock.digits("serial"), flock.word("station")
    dataset.ImageComments = f"{flock.word('image comments')} {flock.digits('image comments')}"


def descriptions(dataset: Dataset, flock: Flock) -> None:
    """Words put before the descriptions: what the image is can still be read from them."""
    for keyword in ("StudyDescription", "SeriesDescription", "ProtocolName"):
        setattr(dataset, keyword, f"{flock.word(keyword)} {dataset.get(keyword) or ''}".strip())
    for keyword in ("DerivationDescription", "RequestedProcedureDescription", "PerformedProcedureStepDescription",
                    "AdmittingDiagnosesDescription", "ContrastBolusRoute", "AcquisitionComments"):  # fmt: skip
        setattr(dataset, keyword, flock.word(keyword))


def allow_listed(dataset: Dataset, flock: Flock, index: int) -> None:
    """Values of allow-listed fields that nearly match a vendor's pattern, and numbers that are none."""

    def after(keyword: str, sign: str, fallback: str) -> None:
        old = str(dataset.get(keyword) or fallback)
        setattr(dataset, keyword, f"{old}{sign}{flock.word(f'near match of {keyword}')}")

    if index % 13 != 9:
        after("SoftwareVersions", "-", "syngo MR E11")
    after("ReceiveCoilName", "_", "Body_18")
    after("ManufacturerModelName", " ", "Skyra")
    for keyword in ("ScanOptions", "ImageType", "SequenceVariant"):
        words = dataset.get(keyword) or []
        words = [words] if isinstance(words, str) else list(words)
        if keyword != "ImageType" or index % 3 == 0:
            setattr(dataset, keyword, [*words, flock.word(f"one more {keyword}")])
    fields: tuple[Callable[[], None], ...] = (
        lambda: after("Manufacturer", " ", "SIEMENS"),
        lambda: after("SequenceName", "_", "*tse2d1_15"),
        lambda: setattr(dataset, "SequenceName", flock.digits("digits in SequenceName", 12, written=_parted)),
        lambda: setattr(dataset, "SeriesNumber", int(flock.digits("telephone as SeriesNumber"))),
        lambda: setattr(dataset, "AcquisitionNumber", int(flock.day("date as AcquisitionNumber"))),
        lambda: setattr(dataset, "PixelBandwidth", flock.digits("telephone as PixelBandwidth")),
        lambda: setattr(dataset, "NumberOfAverages", f"1.{flock.digits('telephone behind a point')}"),
        lambda: setattr(dataset, "PatientPosition", flock.word("PatientPosition")),
        lambda: setattr(dataset, "InPlanePhaseEncodingDirection", flock.word("InPlanePhaseEncodingDirection")),
        lambda: setattr(dataset, "SoftwareVersions", flock.digits("in versions", 12, written=_dotted)),
        lambda: setattr(dataset, "ContrastBolusAgent", f"Gadobutrol {flock.word('agent')}"),
        lambda: setattr(dataset, "BodyPartExamined", flock.word("BodyPartExamined")),
        lambda: setattr(dataset, "PatientSex", flock.word("PatientSex")),
    )
    fields[index % len(fields)]()


def _parted(digits: str) -> str:
    """A number in the form of a vendor's name of a sequence."""
    return "*se_" + "_".join(digits[n : n + 4] for n in range(0, len(digits), 4))


def _dotted(digits: str) -> str:
    """A number in the form of three versions of a program."""
    return "\\".join(".".join(digits[n : n + 4]) for n in range(0, len(digits), 4))


def csa(flock: Flock) -> bytes:
    """A Siemens CSA header with names in text, and the protocol as its console writes it."""
    protocol = "\n".join((
        "### ASCCONV BEGIN ###",
        f'tProtocolName = "{flock.word("protocol text")}"',
        f'tSequenceFileName = "%SiemensSeq%\\\\{flock.word("protocol text")}"',
        f'sPatient.tName = "{flock.word("protocol text")}"',
        f'sCoilSelectMeas.aRxCoilSelectData[0].asList[0].sCoilElementID.tCoilID = "{flock.word("protocol text")}"',
        f'tReferenceImage0 = "{flock.uid("protocol text")}"',
        "### ASCCONV END ###",
    ))  # fmt: skip
    tags = {name: flock.word("CSA") for name in ("PatientName", "SequenceFileOwner", "CoilString", "Remark")}
    tags |= {"UsedPatientWeight": flock.digits("CSA"), "MrPhoenixProtocol": protocol}
    parts = [b"SV10\4\3\2\1", struct.pack("<II", len(tags), 77)]
    for name, text in tags.items():
        value = text.encode() + b"\0"
        parts.append(name.encode().ljust(64, b"\0") + struct.pack("<I4sIII", 1, b"LO", 0, 1, 77))
        parts.append(
            struct.pack("<4I", len(value), len(value), 77, len(value)) + value.ljust(-(-len(value) // 4) * 4, b"\0")
        )
    return b"".join(parts)


def file_meta(dataset: Dataset, flock: Flock) -> None:
    """The preamble and the elements of group 2 that nobody needs."""
    meta = dataset.file_meta
    for keyword in ("SourceApplicationEntityTitle", "SendingApplicationEntityTitle", "ReceivingApplicationEntityTitle"):
        setattr(meta, keyword, flock.word(keyword))
    meta.PrivateInformationCreatorUID = UID(flock.uid("file meta"))
    meta.PrivateInformation = flock.blob("file meta", 64)
    meta.ImplementationVersionName = flock.word("file meta")
    dataset.preamble = (flock.blob("preamble", 32) + flock.word("preamble").encode()).ljust(128, b"\0")


def plant(dataset: Dataset, flock: Flock, person: Flock, index: int, share: Sequence[tuple[str, str]]) -> None:
    """Put canaries into all places of an object that say nothing of how it was acquired.

    ``person`` makes those of the patient, ``flock`` those of the series; ``share`` is its part of the dictionary.
    """
    identities(dataset, person)
    overlays_and_curves(dataset, flock)
    privates(dataset, flock)
    nest(dataset, (1, 2, 3, 4, 40)[index % 5], flock)
    file_meta(dataset, flock)
    for keyword, vr in share:
        if keyword not in dataset:
            dataset.add_new(Tag(keyword), vr, value_of(vr, flock, f"{vr} {keyword}"))


def plant_in_acquisition(dataset: Dataset, flock: Flock, index: int) -> None:
    """Put canaries where a vendor says how the image was acquired, so that it may be taken for another."""
    descriptions(dataset, flock)
    allow_listed(dataset, flock, index)
    if "SIEMENS" in str(dataset.get("Manufacturer")) and (0x0029, 0x1020) not in dataset:
        block = dataset.private_block(0x0029, "SIEMENS CSA HEADER", create=True)
        block.add_new(0x20, "OB", csa(flock))


def encoded(dataset: Dataset) -> bytes:
    """The object as a file."""
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=False)
    return buffer.getvalue()


@dataclass(frozen=True)
class Kind:
    """What tells a series from others: its UID, its person, and what kind of object it is."""

    uid: str
    person: str
    sort: str


def series_below(folder: Path) -> dict[Kind, list[Path]]:
    """The DICOM files below a folder by their series; what is no DICOM is left out."""
    series: dict[Kind, list[Path]] = {}
    wanted = ["SeriesInstanceUID", "SOPClassUID", "PatientID", "Manufacturer", "ImageType"]
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        try:
            head = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=wanted)
        except InvalidDicomError:
            continue
        sort = f"{head.get('SOPClassUID')} {head.get('Manufacturer')} {head.file_meta.get('TransferSyntaxUID')}"
        kind = Kind(str(head.get("SeriesInstanceUID", "")), str(head.get("PatientID", "")), sort)
        series.setdefault(kind, []).append(path)
    return series


@dataclass
class Planted:
    """What was planted, and what was ``known`` before; ``ids`` are the new patient ids by the old ones."""

    canaries: set[Canary] = field(default_factory=set)
    known: set[Canary] = field(default_factory=set)
    ids: dict[str, str] = field(default_factory=dict)


def plant_below(folder: Path, *, only_text: bool = False) -> Planted:
    """Plant canaries in all DICOM below a folder, in place: the same in all files of a series.

    A series has its share of the dictionary, so that all series together hold all of it. With ``only_text`` the ids of
    the patients and the allow-listed fields stay as they are.
    """
    logger = logging.getLogger("pydicom")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # values that a careful program would not write are meant
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _plant_all(series_below(folder), only_text)
    finally:
        logger.setLevel(level)


def _plant_all(series: dict[Kind, list[Path]], only_text: bool) -> Planted:
    elements, found = sweep(), Planted()
    for index, (kind, paths) in enumerate(series.items()):
        flock, person = Flock(index), Flock(zlib.crc32(kind.person.encode()) + 1000)
        first = pydicom.dcmread(paths[0])
        before = pydicom.dcmread(paths[0])
        if only_text:
            descriptions(first, person)  # the same in a whole study: what belongs together is told by them too
        else:
            plant_in_acquisition(first, flock, index)
        plant(first, flock, person, index, elements[index :: max(len(series) // 2, 1)])
        if kind.person and not only_text:
            found.ids[kind.person] = first.PatientID = person.digits("patient id", 12)
        found.canaries |= {*flock.canaries, *person.canaries}
        added = Dataset({e.tag: e for e in first if e.tag not in before or before[e.tag] != e})
        added.SpecificCharacterSet = first.get("SpecificCharacterSet")
        shared = _elements(added, first)
        for path in paths:
            dataset = pydicom.dcmread(path)
            found.known |= set(_known(dataset))
            dataset.file_meta.update(first.file_meta)
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "1.2.3")
            path.write_bytes(_file(dataset, first.preamble or bytes(128), shared))
    return found


def _file(dataset: Dataset, preamble: bytes, shared: dict[int, bytes]) -> bytes:
    """The object with the shared elements, which were encoded once for all its series."""
    meta = DicomBytesIO()
    meta.is_little_endian, meta.is_implicit_VR = True, False
    write_file_meta_info(meta, dataset.file_meta, enforce_standard=False)
    own = Dataset({e.tag: e for e in _raw(dataset) if int(e.tag) not in shared})
    parts = _elements(own, dataset) | shared
    return b"".join((preamble, b"DICM", meta.getvalue(), *(parts[tag] for tag in sorted(parts))))


def _raw(dataset: Dataset) -> Iterator[DataElement | RawDataElement]:
    """The elements as they were read: to iterate over the data set itself would parse them all."""
    for tag in dataset.keys():  # noqa: SIM118 - its iterator yields elements, not tags
        yield dataset.get_item(tag)


def _elements(part: Dataset, whole: Dataset) -> dict[int, bytes]:
    """Elements as bytes, in the transfer syntax of the object that they belong to."""
    charset = convert_encodings(whole.get("SpecificCharacterSet"))
    encoded_as = UID(whole.file_meta.TransferSyntaxUID)
    out = {}
    for element in _raw(part):
        buffer = DicomBytesIO()
        buffer.is_little_endian, buffer.is_implicit_VR = encoded_as.is_little_endian, encoded_as.is_implicit_VR
        write_data_element(buffer, element, charset)
        out[int(element.tag)] = buffer.getvalue()
    return out


def _known(dataset: Dataset) -> Iterator[Canary]:
    """What the object held before and what must not leave either."""
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
        if len(str(dataset.get(keyword, ""))) >= 20:
            yield Canary(str(dataset[keyword].value), keyword, "uid")
    for keyword in ("StudyDate", "AcquisitionDate"):
        if len(str(dataset.get(keyword, ""))) == 8 and str(dataset[keyword].value) < "2026":
            yield Canary(str(dataset[keyword].value), keyword, "date")
    if len(str(dataset.get("InstitutionName", ""))) >= 8:
        yield Canary(str(dataset.InstitutionName), "InstitutionName")
