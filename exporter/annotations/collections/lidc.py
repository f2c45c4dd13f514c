"""LIDC-IDRI: what up to four radiologists marked on a chest CT, one XML file a scan.

::

    <LidcReadMessage xmlns="http://www.nih.gov">
      <ResponseHeader> <SeriesInstanceUid/> <StudyInstanceUID/> … </ResponseHeader>
      <readingSession>                                one radiologist, who stays anonymous
        <unblindedReadNodule>
          <noduleID/>                                 of this reader only: no id joins the readers
          <characteristics> <subtlety/> … <malignancy/> </characteristics>     nodules of 3 mm or more
          <roi> <imageZposition/> <imageSOP_UID/> <inclusion>TRUE|FALSE</inclusion>
            <edgeMap> <xCoord/> <yCoord/> </edgeMap> …                         one point where smaller than 3 mm
          </roi> …
        </unblindedReadNodule>
        <nonNodule> <nonNoduleID/> <imageZposition/> <imageSOP_UID/> <locus> <xCoord/> <yCoord/> </locus> </nonNodule>

``xCoord`` is the column and ``yCoord`` the row of a pixel, both from 0. An outline was drawn as an outer border, on
the first pixels *outside* the nodule: inside is what lies strictly within. With ``inclusion`` FALSE what lies strictly
within is taken away. The order of the readers says nothing across files: the first of one scan may be the second of
another.

Sources: "LIDC XML file documentation" (wiki.cancerimagingarchive.net, LIDC_XML_Documentation_1_Jan_2009); Armato et
al., Med Phys 38:915 (2011), doi:10.1118/1.3528204; McNitt-Gray et al., Acad Radiol 14:1464 (2007),
doi:10.1016/j.acra.2007.07.021; the scales as in QIICR/lidc2dicom (Fedorov et al., doi:10.1002/mp.14445).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from trialbids.mappings.scores import LIDC

from ...errors import UsageError

CHARACTERISTICS: Mapping[str, int] = {
    "subtlety": 5, "internalStructure": 4, "calcification": 6, "sphericity": 5, "margin": 5, "lobulation": 5,
    "spiculation": 5, "texture": 5, "malignancy": 5,
}  # fmt: skip
"""What a reader says about a nodule of 3 mm or more, each a whole number from 1 to this one."""

NODULE, NON_NODULE = "nodule", "nonnodule"
CT_READ = "LidcReadMessage"
LARGEST = 65_536
"""Rows and columns of a DICOM image are 16-bit numbers."""

LONGEST = 64 * 2**20
"""Bytes of a file; the longest of LIDC-IDRI has less than 2 MB."""


@dataclass(frozen=True, slots=True)
class Outline:
    """A closed line on one slice: ``points`` (column, row), whole pixels from 0, one pixel outside of what it encloses.

    ``z`` is the slice's third coordinate in mm where the file says it; ``added`` is False where it takes away.
    """

    sop_uid: str
    z: float | None
    added: bool
    points: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Nodule:
    """A nodule that one reader outlined; ``number`` counts this reader's nodules from 1."""

    number: int
    outlines: tuple[Outline, ...]
    characteristics: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Spot:
    """One point, (column, row) from 0: a nodule under 3 mm (numbered as the nodules are), or what is no nodule."""

    label: str
    number: int | None
    sop_uid: str
    z: float | None
    point: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reader marked; ``reader`` is the place of the reading in its file, from 1."""

    reader: int
    nodules: tuple[Nodule, ...]
    spots: tuple[Spot, ...]


@dataclass(frozen=True, slots=True)
class Scan:
    """One file: the readings of one CT series, and a sentence for every mark that could not be used (private)."""

    file: Path
    series_uid: str
    study_uid: str
    readings: tuple[Reading, ...]
    refused: tuple[str, ...]


class _Unusable(Exception):
    """A mark that does not say where it lies."""


def read_lidc(file: Path) -> Scan:
    """The readings of one CT scan.

    Raises ``UsageError`` where the file is no CT reading of LIDC-IDRI; a mark that cannot be used is listed instead.
    """
    root = _root(file)
    series = _text(root, ".//{*}ResponseHeader/{*}SeriesInstanceUid")
    if not series:
        raise UsageError(f"{file}: names no CT series (SeriesInstanceUid); this reading belongs to no image")
    refused: list[str] = []
    sessions = enumerate(root.iterfind("{*}readingSession"), start=1)
    readings = tuple(_reading(session, number, refused) for number, session in sessions)
    return Scan(file, series, _text(root, ".//{*}ResponseHeader/{*}StudyInstanceUID"), readings, tuple(refused))


class _Builder(ElementTree.TreeBuilder):
    """Builds the tree of a file without a document type: with one come entities, that grow or lead to other files."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError("it has a document type (DOCTYPE), which readings do not have")


def _root(file: Path) -> ElementTree.Element:
    try:
        if file.exists() and not file.is_file():  # a pipe would wait for ever
            raise UsageError(f"{file}: is no file")
        if file.stat().st_size > LONGEST:
            raise UsageError(f"{file}: is larger than {LONGEST // 2**20} MB, which no reading of a scan is")
        root = ElementTree.parse(file, ElementTree.XMLParser(target=_Builder())).getroot()
    except OSError as error:
        raise UsageError(f"{file}: cannot be read ({error.strerror})") from error
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # LookupError: an unknown encoding
        raise UsageError(f"{file}: this is no XML ({error})") from error
    kind = root.tag.rpartition("}")[2]
    if kind != CT_READ:
        what = "a reading of a chest radiograph" if kind == "IdriReadMessage" else f"a {kind}"
        raise UsageError(f"{file}: is {what}; readings of CT begin with {CT_READ}")
    return root


def _reading(session: ElementTree.Element, reader: int, refused: list[str]) -> Reading:
    nodules: list[Nodule] = []
    spots: list[Spot] = []
    for number, element in enumerate(session.iterfind("{*}unblindedReadNodule"), start=1):
        where = f"reading {reader}, nodule {number}"
        try:
            outlines = tuple(_outlines(element))
        except _Unusable as error:
            refused.append(f"{where}: {error}")
            continue
        if sum(len(outline.points) for outline in outlines) > 1:
            nodules.append(Nodule(number, outlines, _characteristics(element, where, refused)))
        else:
            (only,) = outlines
            spots.append(Spot(NODULE, number, only.sop_uid, only.z, only.points[0]))
    for number, element in enumerate(session.iterfind("{*}nonNodule"), start=1):
        try:
            spots.append(_non_nodule(element))
        except _Unusable as error:
            refused.append(f"reading {reader}, non-nodule {number}: {error}")
    return Reading(reader, tuple(nodules), tuple(spots))


def _outlines(nodule: ElementTree.Element) -> Iterator[Outline]:
    rois = nodule.findall("{*}roi")
    if not rois:
        raise _Unusable("has no outline")
    for roi in rois:
        added = _text(roi, "{*}inclusion").upper()
        if added not in ("TRUE", "FALSE"):
            raise _Unusable("does not say whether an outline adds or takes away (inclusion TRUE or FALSE)")
        points = tuple(_point(edge) for edge in roi.iterfind("{*}edgeMap"))
        if not points:
            raise _Unusable("has an outline without a point")
        yield Outline(*_slice(roi), added == "TRUE", points)


def _non_nodule(element: ElementTree.Element) -> Spot:
    loci = element.findall("{*}locus")
    if len(loci) != 1:
        raise _Unusable(f"has {len(loci)} points, not one")
    return Spot(NON_NODULE, None, *_slice(element), _point(loci[0]))


def _slice(element: ElementTree.Element) -> tuple[str, float | None]:
    uid, z = _text(element, "{*}imageSOP_UID"), _text(element, "{*}imageZposition")
    if not uid:
        raise _Unusable("does not say on which image it lies (imageSOP_UID)")
    try:
        return uid, float(z) if z else None
    except ValueError as error:
        raise _Unusable("has an imageZposition that is no number") from error


def _point(element: ElementTree.Element) -> tuple[int, int]:
    try:
        column, row = (int(_text(element, f"{{*}}{name}")) for name in ("xCoord", "yCoord"))
    except ValueError as error:
        raise _Unusable("has a point whose xCoord or yCoord is no whole number") from error
    if not (0 <= column < LARGEST and 0 <= row < LARGEST):
        raise _Unusable("has a point that can lie on no image")
    return column, row


def _characteristics(nodule: ElementTree.Element, where: str, refused: list[str]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for name, highest in LIDC.items():
        said = _text(nodule, f"{{*}}characteristics/{{*}}{name}")
        if said.isdecimal() and 1 <= int(said) <= highest:
            found[name] = int(said)
        elif said:
            refused.append(f"{where}: {name} is no whole number from 1 to {highest}")
    return found


def _text(element: ElementTree.Element, path: str) -> str:
    return (element.findtext(path) or "").strip()
