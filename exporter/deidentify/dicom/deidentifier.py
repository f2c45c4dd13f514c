"""De-identified DICOM: an object made anew from what may pass, in the form that PS3.15 and ``fields.yaml`` say.

Nothing is removed from an object here: a new one is written, into which only listed attributes are taken over.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import BinaryIO

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence as Items

from trialbids.mappings.iods import Attribute, Iod, iods
from trialbids.mappings.record import Record

from ...errors import ConversionError
from ...inventory import decode
from ..facewords import face_reason
from .codes import meaning_of
from .context import Diffusion, ObjectContext
from .encode import data_set, element, sequence
from .frames import clean_frames
from .own import diffusion_elements, file_meta, own_elements
from .read import PIXEL_DATA, Opened, open_object
from .samples import Samples
from .values import Stored, Values

MAX_DEPTH = 8
"""Functional groups are four deep; what is nested deeper is not taken over."""
CACHED_BYTES = 256
MOST_CACHED = 20_000

SOP_CLASS, SOP_INSTANCE = 0x00080016, 0x00080018
SAMPLES_PER_PIXEL, PHOTOMETRIC, FRAMES, ROWS, COLUMNS = 0x00280002, 0x00280004, 0x00280008, 0x00280010, 0x00280011
BITS_ALLOCATED, BITS_STORED, HIGH_BIT, PIXEL_REPRESENTATION = 0x00280100, 0x00280101, 0x00280102, 0x00280103
PIXEL_PADDING = 0x00280120
CODE_VALUE, CODE_SCHEME, CODE_MEANING = 0x00080100, 0x00080102, 0x00080104
CLOCKS = {
    0x00080020: "StudyDate", 0x00080021: "SeriesDate", 0x00080022: "AcquisitionDate", 0x00080023: "ContentDate",
    0x00080030: "StudyTime", 0x00080031: "SeriesTime", 0x00080032: "AcquisitionTime", 0x00080033: "ContentTime",
}  # fmt: skip
BODY_PART, LATERALITY, IMAGE_LATERALITY = 0x00180015, 0x00200060, 0x00200062
SIDED = frozenset((BODY_PART, LATERALITY, IMAGE_LATERALITY))
"""One of these says of which side a body part is, or that it has none; without any, the first is required empty."""
Found = RawDataElement | DataElement
AMBIGUOUS_VRS = (b"US", b"SS", b"OW")
_AMBIGUOUS = {"US or SS": (b"US", b"SS"), "US or OW": (b"OW", b"OW"), "OB or OW": (b"OW", b"OW")}


class Deidentifier:
    """Writes the objects of one stack. Values that repeat from object to object are made once.

    Raises ``ValueError`` where they may show a face that the trial does not let leave: an object holds the pixels as
    they were before a command removed it.
    """

    def __init__(self, context: ObjectContext) -> None:
        face = face_reason(Record(bodypart=context.bodypart or "unknown"))
        if face and not context.options.keep_faces:
            raise ValueError(f"objects of an image with {face} are not written unless the trial allows faces")
        self._context = context
        self._values = Values(context)
        self._rules = iods()
        self._own: dict[tuple[str, bool], dict[int, bytes]] = {}
        self._made: dict[tuple[int, bytes, bytes, bool, bool], bytes | None] = {}

    def write(self, source: BinaryIO, target: BinaryIO, diffusion: Diffusion | None = None) -> None:
        """De-identify the object in ``source`` into ``target`` as a DICOM file (PS3.10).

        Raises ``ConversionError`` where it is damaged or of a kind that is not written.
        """
        opened = open_object(source)
        sop_class, sop_instance = _text(opened.data_set, SOP_CLASS), _text(opened.data_set, SOP_INSTANCE)
        iod = self._rules.iods.get(sop_class)
        if iod is None or not sop_instance:
            sentence = "Only MR, CT and PET images, classic and enhanced, are written as DICOM."
            raise ConversionError("no-dicom-output", sentence)
        elements = self._header(opened, iod, diffusion)
        target.write(file_meta(sop_class, self._context.pseudonyms.uid(sop_instance), opened.syntax))
        target.write(data_set(elements))
        self._write_pixels(opened, target)

    def _header(self, opened: Opened, iod: Iod, diffusion: Diffusion | None) -> dict[int, bytes]:
        source, little = opened.data_set, opened.little
        signed = (_integer(source, PIXEL_REPRESENTATION, little) or 0) == 1
        elements = self._level(source, little, signed, 0)
        for tag in iod.type1:
            attribute = self._rules.attributes[tag]
            dummy = self._values.stand_in(attribute)
            if dummy and tag in source and not _has_value(elements.get(tag), attribute):
                elements[tag] = element(tag, attribute.vr.encode(), dummy.encode(), little)
        for tag in iod.type2 - elements.keys():
            elements[tag] = element(tag, self._rules.attributes[tag].vr.encode(), b"", little)
        elements |= self._own_elements(iod, little)
        if diffusion is not None and iod.name == "MR":
            elements |= diffusion_elements(diffusion, little)
        if iod.classic and not elements.keys() & SIDED:
            elements[LATERALITY] = element(LATERALITY, b"CS", b"", little)
        return elements

    def _own_elements(self, iod: Iod, little: bool) -> dict[int, bytes]:
        if (iod.name, little) not in self._own:
            self._own[iod.name, little] = own_elements(self._context, iod, little)
        return self._own[iod.name, little]

    def _level(self, source: Dataset, little: bool, signed: bool, depth: int) -> dict[int, bytes]:
        """The elements of a data set or item that may pass, encoded."""
        attributes = self._rules.attributes
        clocks = {name: _text(source, tag) for tag, name in CLOCKS.items() if tag in source}
        palette = _text(source, PHOTOMETRIC) == "PALETTE COLOR"
        out: dict[int, bytes] = {}
        for tag, found in list(source.items()):
            attribute = attributes.get(int(tag))  # a tag of pydicom compares itself in Python
            if attribute is None or (attribute.form == "table" and not palette):
                continue
            if attribute.vr == "SQ":
                written = self._sequence(source, attribute, little, signed, depth)
            else:
                written = self._element(found, attribute, clocks, little, signed)
                dummy = self._values.stand_in(attribute) if written is None and depth else ""
                if dummy:
                    written = element(attribute.tag, attribute.vr.encode(), dummy.encode(), little)
            if written is not None:
                out[attribute.tag] = written
        return out

    def _element(
        self, found: Found, attribute: Attribute, clocks: Mapping[str, str], little: bool, signed: bool
    ) -> bytes | None:
        vr, raw = _raw(found)
        if len(raw) > CACHED_BYTES or self._values.depends_on_others(attribute):
            return self._made_anew(_stored(vr, raw, attribute, little, signed), clocks)
        key = (attribute.tag, vr, raw, little, signed)
        if key not in self._made:
            if len(self._made) >= MOST_CACHED:
                self._made.clear()
            self._made[key] = self._made_anew(_stored(vr, raw, attribute, little, signed), clocks)
        return self._made[key]

    def _made_anew(self, stored: Stored, clocks: Mapping[str, str]) -> bytes | None:
        value = self._values.release(stored, clocks)
        if value is None:
            return None
        attribute = stored.attribute
        vr = (
            attribute.vr.encode()
            if attribute.vr not in _AMBIGUOUS
            else stored.vr
            if stored.vr in AMBIGUOUS_VRS
            else b"US"
        )
        return element(attribute.tag, vr, value, stored.little)

    def _sequence(self, source: Dataset, attribute: Attribute, little: bool, signed: bool, depth: int) -> bytes | None:
        if attribute.form == "empty":
            return None  # it is added where the IOD requires it
        items = source[attribute.tag].value
        if depth >= MAX_DEPTH or not isinstance(items, Items):
            return None
        if attribute.form == "code":
            coded = [self._coded(item, little, depth) for item in items]
            if not any(coded) and attribute.tag in self._rules.codes:
                coded = [_code(*self._rules.codes[attribute.tag], little)]
            return sequence(attribute.tag, [code for code in coded if code], little) if any(coded) else None
        levels = [data_set(self._level(item, little, signed, depth + 1)) for item in items]
        return sequence(attribute.tag, levels, little)

    def _coded(self, item: Dataset, little: bool, depth: int) -> bytes:
        """A coded concept of the standard with its modifiers, which are coded too; b"" for any other."""
        code = _code(_text(item, CODE_SCHEME), _text(item, CODE_VALUE), little)
        known = (self._rules.attributes.get(tag) for tag in list(item.keys()))
        modifiers = [a for a in known if a is not None and a.form == "code"] if code else []
        written = {a.tag: self._sequence(item, a, little, False, depth + 1) or b"" for a in modifiers}
        return code + data_set(written)

    @staticmethod
    def _write_pixels(opened: Opened, target: BinaryIO) -> None:
        samples = _samples(opened)
        if opened.length < 0:
            offsets, *fragments = [*opened.items()] or [b""]
            target.write(bytes.fromhex("e07f1000") + b"OB\0\0\xff\xff\xff\xff")
            target.write(clean_frames(offsets, fragments, samples, opened.syntax))
            return
        pixels = samples.cleaned(opened.native_pixels(samples.size))
        target.write(element(PIXEL_DATA, b"OB" if samples.allocated <= 8 else b"OW", pixels, opened.little))


def deidentify_object(data: bytes, context: ObjectContext, diffusion: Diffusion | None = None) -> bytes:
    """One DICOM object de-identified, as the bytes of a DICOM file.

    Raises ``ConversionError`` where it is damaged or of a kind that is not written.
    """
    target = BytesIO()
    Deidentifier(context).write(BytesIO(data), target, diffusion)
    return target.getvalue()


def _raw(found: Found) -> tuple[bytes, bytes]:
    """VR (b"" where there is none) and value of an element as stored; what pydicom has decoded already, as text."""
    if isinstance(found, RawDataElement):
        return (found.VR or "").encode(), found.value if isinstance(found.value, bytes) else b""
    values = found.value if isinstance(found.value, list | tuple | MultiValue) else [found.value]
    written = "\\".join("" if value is None else str(value) for value in values)
    return b"DS", written.encode("latin-1", errors="replace")


def _stored(vr: bytes, raw: bytes, attribute: Attribute, little: bool, signed: bool) -> Stored:
    """A value with the VR by which it is to be read: the element's own where it has one, else the dictionary's."""
    known = _AMBIGUOUS[attribute.vr][signed] if attribute.vr in _AMBIGUOUS else attribute.vr.encode()
    return Stored(attribute, known if vr in (b"", b"UN", b"OB", b"OW") else vr, raw, little)


def _code(scheme: str, value: str, little: bool) -> bytes:
    """A code of the standard with the standard's meaning, b"" for any other."""
    meaning = meaning_of(scheme, value)
    if not meaning:
        return b""
    written = {CODE_VALUE: (b"SH", value), CODE_SCHEME: (b"SH", scheme), CODE_MEANING: (b"LO", meaning)}
    return b"".join(element(tag, vr, text.encode("ascii"), little) for tag, (vr, text) in written.items())


def _text(source: Dataset, tag: int) -> str:
    return decode.text(b"CS", _raw(source.get_item(tag))[1]) if tag in source else ""


def _integer(source: Dataset, tag: int, little: bool) -> int | None:
    if tag not in source:
        return None
    vr, raw = _raw(source.get_item(tag))
    known = vr if vr in (b"IS", b"DS", *decode.FORMATS) else dictionary_VR(tag)[:2].encode()  # of US or SS, the first
    number = next(iter(decode.numbers(known, raw, little)), None)
    return None if number is None else int(number)


def _samples(opened: Opened) -> Samples:
    """How the header says that the pixels are laid out. Raises ``ConversionError`` (corrupt) where it does not."""
    source, little = opened.data_set, opened.little

    def number(tag: int, otherwise: int = 0) -> int:
        found = _integer(source, tag, little)
        return otherwise if found is None else found

    allocated = number(BITS_ALLOCATED)
    stored = number(BITS_STORED, allocated)
    return Samples(
        rows=number(ROWS),
        columns=number(COLUMNS),
        frames=number(FRAMES) or 1,
        per_pixel=number(SAMPLES_PER_PIXEL) or 1,
        allocated=allocated,
        stored=stored,
        high_bit=number(HIGH_BIT, stored - 1),
        signed=number(PIXEL_REPRESENTATION) == 1,
        padding=_integer(source, PIXEL_PADDING, little),
        halved_colour=_text(source, PHOTOMETRIC) == "YBR_FULL_422",
        little=little,
    )


def _has_value(written: bytes | None, attribute: Attribute) -> bool:
    """Whether an encoded element of a short VR has a value."""
    return written is not None and len(written) > len(element(attribute.tag, attribute.vr.encode(), b""))
