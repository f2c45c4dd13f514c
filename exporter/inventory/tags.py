"""Which elements are read from a header, and as what: derived from :class:`Instance` and from the tables here."""

from __future__ import annotations

from dataclasses import dataclass

from pydicom._dicom_dict import DicomDictionary
from pydicom.datadict import dictionary_VM, dictionary_VR, tag_for_keyword

from trialbids.mappings.identifiers import identifier_rules

from .hints import hints
from .instance import Floats, Instance, Words

KINDS = {
    str: "text",
    Words: "words",
    float | None: "number",
    Floats: "numbers",
    int | None: "integer",
    tuple[int, ...]: "integers",
}


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """An element that is read into a field of :class:`Instance`. There is one object a tag, which is its own equal.

    ``vr`` is the dictionary's, for elements that come without one, and ``vrs`` are all that it allows; ``vm`` is how
    many values there may be; ``kind`` is a value of :data:`KINDS`; ``keyword`` is the element's own.
    """

    name: str
    kind: str
    vr: bytes
    vrs: frozenset[bytes]
    vm: str
    keyword: str


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return tag


def _field(name: str, keyword: str) -> Field:
    tag = _tag(keyword)
    vrs = [vr.encode() for vr in dictionary_VR(tag).split(" or ")]
    return Field(name, KINDS[_HINTS[name]], vrs[0], frozenset(vrs), dictionary_VM(tag), keyword)


_HINTS = hints(Instance)

KEYWORDS = {"SpoilingState": "Spoiling"}
"""Fields of :class:`Instance` that the dictionary calls otherwise."""

FIELDS = {
    _tag(keyword): _field(name, keyword)
    for name, keyword in ((name, KEYWORDS.get(name, name)) for name in _HINTS if name[0].isupper())
}
"""By tag, the fields of :class:`Instance` that are DICOM keywords."""

TAG_OF = {field.name: tag for tag, field in FIELDS.items()}

SYNONYMS = {
    "EffectiveEchoTime": "EchoTime",
    "InversionTimes": "InversionTime",
    "FrameType": "ImageType",
    "TemporalPositionIndex": "TemporalPositionIdentifier",
    "FrameAcquisitionDateTime": "AcquisitionDateTime",
    "FrameAcquisitionNumber": "AcquisitionNumber",
    "PulseSequenceName": "SequenceName",
    "RFEchoTrainLength": "EchoTrainLength",
    "FrameLaterality": "ImageLaterality",
    "NominalCardiacTriggerDelayTime": "TriggerTime",
}
"""What enhanced objects call an attribute of the classic ones (PS3.3 C.8.13, C.7.6.16)."""

ALIASES = {_tag(keyword): _field(name, keyword) for keyword, name in SYNONYMS.items()}

SHARED_GROUPS = _tag("SharedFunctionalGroupsSequence")
FRAME_GROUPS = _tag("PerFrameFunctionalGroupsSequence")
CONVERTED = (_tag("UnassignedSharedConvertedAttributesSequence"), _tag("UnassignedPerFrameConvertedAttributesSequence"))
FUNCTIONAL_GROUPS = (
    *CONVERTED,
    *map(
        _tag,
        (
            "PixelMeasuresSequence",
            "PlanePositionSequence",
            "PlaneOrientationSequence",
            "FrameContentSequence",
            "FrameAnatomySequence",
            "PixelValueTransformationSequence",
            "TemporalPositionSequence",
            "CardiacSynchronizationSequence",
            "MRImageFrameTypeSequence",
            "MRTimingAndRelatedParametersSequence",
            "MREchoSequence",
            "MRFOVGeometrySequence",
            "MRModifierSequence",
            "MRImagingModifierSequence",
            "MRAveragesSequence",
            "MRReceiveCoilSequence",
            "MRDiffusionSequence",
            "CTImageFrameTypeSequence",
            "CTReconstructionSequence",
            "CTXRayDetailsSequence",
            "PETFrameTypeSequence",
        ),
    ),
)
"""The functional groups with fields of ours. The unassigned attributes come first: the proper groups outrank them."""

CHARACTER_SET = _tag("SpecificCharacterSet")
MR_DIFFUSION = _tag("MRDiffusionSequence")
GRADIENT_DIRECTION = _tag("DiffusionGradientDirectionSequence")
B_VALUE = _tag("DiffusionBValue")
B_DIRECTION = _tag("DiffusionGradientOrientation")
CODE_MEANING = _tag("CodeMeaning")
NUMBER_OF_SLICES = _tag("NumberOfSlices")

CODED = {
    "ContrastBolusAgent": (_tag("ContrastBolusAgentSequence"),),
    "BodyPartExamined": (_tag("AnatomicRegionSequence"),),
    "Radiopharmaceutical": (
        _tag("RadiopharmaceuticalInformationSequence"),
        _tag("RadiopharmaceuticalCodeSequence"),
    ),
}
"""Fields that may be given as a code instead: the path of sequences to its CodeMeaning."""

PRIVATE_ELEMENTS = frozenset(
    (
        0x0019000A,  # Siemens: tiles of a mosaic
        0x0019000C,  # Siemens: b-value
        0x0019000E,  # Siemens: direction
        0x001900BB,  # GE: direction, x
        0x001900BC,
        0x001900BD,
        0x0021004F,  # GE: slices of a volume
        0x00290010,  # Siemens: CSA image header
        0x0043002F,  # GE: complex part
        0x00430030,  # GE: kind of diffusion image
        0x00430039,  # GE: b-value
        0x00650009,  # UIH: b-value
        0x00650037,  # UIH: direction
        0x20010003,  # Philips: b-value
        0x20010004,  # Philips: direction letter
        0x20010018,  # Philips: slices of a volume
        0x20050011,  # Philips: complex part
        0x200500B0,  # Philips: direction, x
        0x200500B1,
        0x200500B2,
    )
)
"""Group and offset within the block of the private elements that :mod:`.private` reads."""

PRIVATE_GROUPS = frozenset(element >> 16 for element in PRIVATE_ELEMENTS)
_BLOCKS = range(0x10, 0x100)
PIXEL_TAGS = frozenset((0x7FE00008, 0x7FE00009, 0x7FE00010))

IDENTIFYING = {
    tag: identifier_rules().other_names for tag, entry in DicomDictionary.items() if entry[0] == "PN"
} | dict(identifier_rules().tags)
"""By tag, the kind of identifier in an element (``mappings/identifiers.yaml``); every name of a person is one."""

SEQUENCES = frozenset(tag for tag, entry in DicomDictionary.items() if entry[0] == "SQ")
"""Every sequence of the standard: an identifier may stand in any of them."""

WANTED_TAGS = frozenset(
    (
        *FIELDS,
        *IDENTIFYING,
        *SEQUENCES,
        *ALIASES,
        *FUNCTIONAL_GROUPS,
        *(tag for path in CODED.values() for tag in path),
        SHARED_GROUPS,
        FRAME_GROUPS,
        CHARACTER_SET,
        MR_DIFFUSION,
        GRADIENT_DIRECTION,
        B_VALUE,
        B_DIRECTION,
        CODE_MEANING,
        NUMBER_OF_SLICES,
        *(group << 16 | block for group in PRIVATE_GROUPS for block in _BLOCKS),
        *(element & ~0xFF | block << 8 | element & 0xFF for element in PRIVATE_ELEMENTS for block in _BLOCKS),
    )
)
"""All that is kept, with the private elements in every block where they can stand, and the blocks' creators."""
