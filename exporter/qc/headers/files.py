"""Checks of files and headers as such: what could not be read, what is cut, missing, misspelled (F01 to F08)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from pathlib import Path, PurePosixPath

from ...inventory.instance import Instance
from ...inventory.unreadable import BROKEN_LINK, REASONS, Unreadable
from ...stacks.build import is_image
from ..check import ERROR, INFO, WARNING, Check, Evidence, Finding
from ..views import Series
from .physics import implausible
from .required import missing_beside, missing_pixel_attributes

NATIVE = frozenset(
    ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"),
)
"""Transfer syntaxes whose pixel data are as long as the image's shape says (PS3.5 section 8)."""

MADE_BY_SOFTWARE = "1.2.826.0.1.3680043.8.498."
"""The root of the UIDs that pydicom generates: no scanner has given them."""

CUT = "truncated"
SEVERITY = {"dicomdir": INFO, "not-a-file": INFO, BROKEN_LINK: WARNING}
"""Of what could not be read, by its reason; all else is an error."""

DICOM_SUFFIXES = frozenset(("", ".dcm", ".dicom", ".dic", ".ima", ".img", ".acr", ".mag", ".mr", ".ct", ".pt"))
OTHER_NAMES = frozenset(
    ("authors", "changelog", "changes", "contributing", "copying", "dicomdir", "license", "lockfile", "makefile",
     "notice", "readme", "thumbs")
)  # fmt: skip
"""Names without a suffix that no image bears."""


def file_checks(layouts: Mapping[str, frozenset[int]]) -> tuple[Check[Series], ...]:
    """The table of checks. ``layouts`` are the inventory's: the attributes of an object, by the name of their set."""

    def required(series: Series, _tolerance: float) -> Iterator[Evidence]:
        """An attribute of type 1 of the object's IOD is absent or empty."""
        return missing_beside(series.instances, layouts)

    return (
        Check("F02", "instance", ERROR, "pixel data truncated", too_short),
        Check("F04", "instance", INFO, "invalid VR, VM or UID syntax", misspelled),
        Check("F05", "instance", ERROR, "an attribute that places or decodes pixels is missing", undecodable),
        Check("F05", "series", WARNING, "type-1 attribute missing", required, source="PS3.3 A"),
        Check("F06", "series", WARNING, "implausible physics", out_of_nature),
        Check("F07", "instance", ERROR, "file-meta SOP UID differs", other_meta, source="PS3.10 7.1"),
        Check("F07", "series", WARNING, "file-meta SOP UIDs were not rewritten", rewritten, source="PS3.10 7.1"),
        Check("F08", "instance", WARNING, "character set cannot decode", illegible, source="PS3.3 C.12.1.1.2"),
    )


def unreadable_findings(
    unreadable: Iterable[Unreadable], read: Iterable[Instance] = (), sources: Sequence[Path] = ()
) -> Iterator[Finding]:
    """F01 and F02 of the files that gave no instance; ``read`` are the instances of those that did.

    A file that is no DICOM and is called like something else is a matter of information; suffixes that DICOM bears
    here too are not counted as something else. Files are named from their source on, so that a source may move.
    """
    suffixes = DICOM_SUFFIXES | {_suffix(i.member or i.path) for i in read}
    for item in unreadable:
        code = "F02" if item.reason == CUT else "F01"
        severity = SEVERITY.get(item.reason, ERROR)
        if item.reason in ("not-dicom", "empty") and is_called_otherwise(item.member or item.path, suffixes):
            severity = INFO
        message = REASONS.get(item.reason, "the file could not be read")
        evidence = Evidence(message, item.reason, (), ((item.path, item.member, 0),))
        yield Finding(code, severity, message, evidence, "instance", f"{_below(item.path, sources)}\x1f{item.member}")


def _below(path: str, sources: Sequence[Path]) -> str:
    """The path from its source on."""
    for source in sources:
        if PurePosixPath(path).is_relative_to(source.as_posix()):
            return PurePosixPath(path).relative_to(source.as_posix()).as_posix()
    return path


def is_called_otherwise(path: str, suffixes: Collection[str] = DICOM_SUFFIXES) -> bool:
    """Whether the name of a file says that it is something else than DICOM.

    >>> [is_called_otherwise(p) for p in ("a/notes.txt", "README", ".DS_Store", "a/IM0001", "1.2.840.1", "x.dcm")]
    [True, True, True, False, False, False]
    """
    name = PurePosixPath(path).name.casefold()
    if name.startswith(".") or name.split("-")[0].split("_")[0] in OTHER_NAMES or "__macosx/" in path.casefold():
        return True
    suffix = _suffix(path)
    return suffix not in suffixes and not suffix[1:].isdecimal()


def too_short(series: Series, _tolerance: float) -> Iterator[Evidence]:
    """Native pixel data are shorter than rows x columns x frames x bits / 8 x samples (PS3.5 section 8), or absent."""
    if empty := without_pixels(series.instances):
        message = f"{len(empty)} of {len(series.instances)} images have no pixel data"
        yield Evidence(message, "absent", (), places(empty), bereft(series, empty))
    short = {shape for shape in set(map(_shape, series.instances)) if 0 <= shape[0] < promised(*shape[2:])}
    if short:
        concerned = [i for i in series.instances if _shape(i) in short]
        worst = min(shape[0] / promised(*shape[2:]) for shape in short)
        message = f"the pixel data of {len(concerned)} of {len(series.instances)} images are shorter than their shape"
        yield Evidence(message, "", (("share", worst),), places(concerned), bereft(series, concerned))


def without_pixels(instances: Sequence[Instance]) -> list[Instance]:
    """Objects that state a matrix and hold no pixel data, where others of their class do."""
    classes = {i.SOPClassUID for i in instances if i.pixel_length}
    return [i for i in instances if i.pixel_length is None and i.Rows and i.Columns and i.SOPClassUID in classes]


def bereft(series: Series, lost: Iterable[Instance]) -> tuple[str, ...]:
    """All stacks of the series, where some object that lies among its images is not taken for one: nobody can tell
    which volume lacks it. Else (), and a finding concerns the stacks that hold its objects."""
    if all(map(is_image, lost)):
        return ()
    return tuple(h.stack.stack_id for h in series.stacks)


def promised(
    rows: int | None, columns: int | None, frames: int | None, samples: int | None, bits: int | None, kind: str
) -> int:
    """Bytes that native pixel data of this shape need, 0 where the header tells no shape."""
    if not rows or not columns or not bits:
        return 0
    values = rows * columns * max(frames or 1, 1) * max(samples or 1, 1)
    if kind == "YBR_FULL_422":
        values = values * 2 // 3
    return values // 8 if bits == 1 else values * bits // 8


_read_shape = attrgetter(
    "pixel_length", "transfer_syntax", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsAllocated",
    "PhotometricInterpretation",
)  # fmt: skip


def _shape(instance: Instance) -> tuple:
    found = _read_shape(instance)
    return found if found[0] is not None and found[1] in NATIVE else (-1, *found[1:])


def undecodable(series: Series, _tolerance: float) -> Iterator[Evidence]:
    """An attribute without which pixels cannot be placed or decoded is absent or empty (PS3.3 C.7.6.3)."""
    for evidence in missing_pixel_attributes(series.instances):
        concerned = set(evidence.instances)
        yield replace(evidence, stacks=bereft(series, (i for i in series.instances if i.key in concerned)))


def out_of_nature(series: Series, _tolerance: float) -> Iterator[Evidence]:
    """A figure of the acquisition that no scanner or patient has, on original images."""
    yield from implausible(series.instances)


def misspelled(series: Series, _tolerance: float) -> Iterator[Evidence]:
    """A value has another VR, another number of values or another form than the standard gives its attribute."""
    for remark, instances in _remarked(series):
        rule, _, keyword = remark.partition(":")
        if rule in _RULES and keyword.isalpha():
            message = f"{keyword} {_RULES[rule]} in {len(instances)} of {len(series.instances)} images"
            yield Evidence(message, remark, (("images", len(instances)),), places(instances))


def other_meta(series: Series, _tolerance: float) -> Iterator[Evidence]:
    """The file meta information names another SOP class or instance than the data set (PS3.10 section 7.1)."""
    yield from (evidence for evidence, is_whole in _other_meta(series) if not is_whole)


def rewritten(series: Series, _tolerance: float) -> Iterator[Evidence]:
    """The same in every image of the series: whoever gave it new identifiers left the file meta as it was."""
    yield from (evidence for evidence, is_whole in _other_meta(series) if is_whole)


def _other_meta(series: Series) -> Iterator[tuple[Evidence, bool]]:
    for remark, instances in _remarked(series):
        if what := _META.get(remark):
            message = f"the file meta of {len(instances)} of {len(series.instances)} images names another {what}"
            evidence = Evidence(message, remark, (("images", len(instances)),), places(instances))
            yield evidence, len(instances) == len(series.instances) and are_rewritten(instances)


def are_rewritten(instances: Sequence[Instance]) -> bool:
    """Whether all objects of a series were given new identifiers: there are several, or the one says who made it."""
    several = len({(i.path, i.member) for i in instances}) > 1
    return several or instances[0].SOPInstanceUID.startswith(MADE_BY_SOFTWARE)


def illegible(series: Series, _tolerance: float) -> Iterator[Evidence]:
    """The declared character set cannot have written some text."""
    for remark, instances in _remarked(series):
        if remark == "charset":
            message = f"the character set cannot decode text of {len(instances)} of {len(series.instances)} images"
            yield Evidence(message, "", (("images", len(instances)),), places(instances))


def places(instances: Iterable[Instance]) -> tuple[tuple[str, str, int], ...]:
    """Where the objects lie."""
    return tuple(i.key for i in instances)


def _remarked(series: Series) -> Iterator[tuple[str, list[Instance]]]:
    """Every remark of the inventory on these objects, with the objects."""
    counts = Counter(i.remarks for i in series.instances)
    for remark in sorted({remark for remarks in counts for remark in remarks}):
        yield remark, [i for i in series.instances if remark in i.remarks]


def _suffix(path: str) -> str:
    """The suffix of a file's name in lower case, "" where there is none.

    >>> _suffix("/a.b/IM1"), _suffix("x.DCM"), _suffix("/a/1.2.840.10008")
    ('', '.dcm', '.10008')
    """
    return PurePosixPath(path).suffix.casefold()


_META = {"meta-uid": "SOP instance", "meta-class": "SOP class"}
_RULES = {
    "vr": "has another VR than the standard's",
    "vm": "has another number of values than the standard allows",
    "syntax": "is not spelled as its VR demands",
}
