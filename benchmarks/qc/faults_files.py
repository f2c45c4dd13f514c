"""Faults of files and single headers: F01 to F08."""

from __future__ import annotations

import numpy as np
from pydicom.encaps import encapsulate
from pydicom.uid import UID, JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless, RLELossless

from .fault import MR_VENDORS, PLAIN, Inject, Item, fault, grade, some
from .scans import Slice
from .writer import to_bytes

Slices = list[Slice]
Rng = np.random.Generator
ANY = (*PLAIN, "dce", "dwi", "ct")
EXPLICIT = tuple(v for v in MR_VENDORS if v != "philips")

PAGE = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>proxy error</body></html>\n"


def _replaced(series: Slices, chosen: Slices, content: list[bytes]) -> list[Item]:
    places = {id(ds): made for ds, made in zip(chosen, content, strict=True)}
    return [places.get(id(ds), ds) for ds in series]


@fault("F01", "error", "empty file", kinds=ANY)
def empty_file(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """One or several files of no length, as an interrupted copy leaves."""
    chosen = some(series, strength, rng)
    return _replaced(series, chosen, [b""] * len(chosen))


@fault("F01", "error", "zeros", kinds=ANY)
def zeroed_file(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """Files of the right length that hold zeros."""
    chosen = some(series, strength, rng)
    return _replaced(series, chosen, [bytes(len(to_bytes(ds))) for ds in chosen])


@fault("F01", "error", "error page", kinds=ANY)
def error_page(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """What a web server said instead of the file."""
    chosen = some(series, strength, rng)
    return _replaced(series, chosen, [PAGE * int(grade(strength, 1, 100))] * len(chosen))


@fault("F01", "error", "preamble only", kinds=ANY)
def preamble_only(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """A file that ends in its preamble."""
    chosen = some(series, strength, rng)
    return _replaced(series, chosen, [to_bytes(ds)[: int(grade(strength, 130, 60))] for ds in chosen])


@fault("F02", "error", "file cut", kinds=ANY, packed=True, after_packing=True)
def file_cut(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The end of the file is missing: two bytes of the pixels up to nearly all."""
    chosen = some(series, strength, rng)
    return _replaced(series, chosen, [to_bytes(ds)[: -_lost(ds, strength)] for ds in chosen])


@fault("F02", "error", "short element", kinds=ANY, packed=True, after_packing=True)
def short_element(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The pixel element is whole but shorter than the matrix says."""
    for ds in some(series, strength, rng):
        ds.PixelData = bytes(ds.PixelData)[: -_lost(ds, strength)]
    return list(series)


def _lost(ds: Slice, strength: float) -> int:
    return min(2 * int(grade(strength, 1, len(ds.PixelData) * 0.45)), len(ds.PixelData) - 2)


@fault("F03", "error", "garbage in a codec", kinds=ANY, trial="pixel", vendors=EXPLICIT)
def garbage_encoded(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The transfer syntax names a codec, the fragment holds noise behind a right beginning."""
    syntax = [JPEG2000Lossless, JPEGLSLossless, JPEGLosslessSV1][int(rng.integers(3))]
    starts = {
        JPEG2000Lossless: b"\xff\x4f\xff\x51",
        JPEGLSLossless: b"\xff\xd8\xff\xf7",
        JPEGLosslessSV1: b"\xff\xd8\xff\xc3",
    }
    for ds in some(series, strength, rng):
        noise = starts[syntax] + rng.integers(0, 255, 900, dtype=np.uint8).tobytes()
        ds.add_new(0x7FE00010, "OB", encapsulate([noise]))
        ds["PixelData"].is_undefined_length = True
        ds.file_meta.TransferSyntaxUID = syntax
    return list(series)


@fault("F03", "error", "native pixels under a codec's name", kinds=ANY, trial="pixel", vendors=EXPLICIT)
def wrong_syntax(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The meta information says JPEG-LS, the pixels are native."""
    for ds in some(series, strength, rng):
        ds.file_meta.TransferSyntaxUID = JPEGLSLossless
    return list(series)


@fault("F03", "error", "damaged run lengths", kinds=ANY, trial="pixel", vendors=EXPLICIT)
def damaged_rle(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """RLE with the end of its stream lost: a tenth up to nearly all of it."""
    for ds in some(series, strength, rng):
        pixels = np.frombuffer(ds.PixelData, "<u2")
        planes = [
            _literal_runs((pixels >> 8).astype(np.uint8).tobytes()),
            _literal_runs(pixels.astype(np.uint8).tobytes()),
        ]
        offsets = np.zeros(16, "<u4")
        offsets[:3] = 2, 64, 64 + len(planes[0])
        stream = offsets.tobytes() + planes[0] + planes[1]
        kept = int(len(stream) * (1 - grade(strength, 0.1, 0.9)))
        ds.add_new(0x7FE00010, "OB", encapsulate([stream[: kept - kept % 2]]))
        ds["PixelData"].is_undefined_length = True
        ds.file_meta.TransferSyntaxUID = RLELossless
    return list(series)


def _literal_runs(plane: bytes) -> bytes:
    """A byte plane as RLE literal runs (PS3.5 annex G)."""
    pieces = [plane[k : k + 128] for k in range(0, len(plane), 128)]
    coded = b"".join(bytes([len(piece) - 1]) + piece for piece in pieces)
    return coded + bytes(len(coded) % 2)


def _without(keyword: str) -> Inject:
    def inject(series: Slices, strength: float, rng: Rng) -> list[Item]:
        for ds in series if strength >= 1 else some(series, strength, rng):
            delattr(ds, keyword)
        return list(series)

    return inject


for _keyword in ("ImageType", "ScanningSequence", "SequenceVariant"):
    fault("F05", "warning", f"no {_keyword}", kinds=PLAIN)(_without(_keyword))
for _keyword in ("RescaleIntercept", "RescaleSlope", "ImageType"):
    fault("F05", "warning", f"CT, no {_keyword}", kinds=("ct",))(_without(_keyword))
for _keyword in (
    "Rows",
    "Columns",
    "BitsAllocated",
    "PixelRepresentation",
    "SamplesPerPixel",
    "PhotometricInterpretation",
):
    fault("F05", "error", f"no {_keyword}", kinds=ANY)(_without(_keyword))


@fault("F06", "warning", "TE not below TR", kinds=("t2ax", "t2sag", "t1"))
def echo_after_repetition(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """A spin echo whose echo comes with or after the next excitation."""
    return _set_all(series, "EchoTime", f"{float(series[0].RepetitionTime) * grade(strength, 1.0, 3.0):.1f}")


@fault("F06", "warning", "TR not positive")
def no_repetition_time(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """TR of nought, or negative."""
    return _set_all(series, "RepetitionTime", "0" if strength < 0.5 else f"{-grade(strength, 10, 4000):.0f}")


@fault("F06", "warning", "flip angle not positive")
def no_flip_angle(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """A flip angle of nought, or negative."""
    return _set_all(series, "FlipAngle", "0" if strength < 0.5 else f"{-grade(strength, 5, 90):.0f}")


@fault("F06", "warning", "TE negative")
def negative_echo(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """An echo before its excitation."""
    return _set_all(series, "EchoTime", f"{-grade(strength, 0.5, 100):.2f}")


@fault("F06", "warning", "field out of range")
def impossible_field(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """Field strength just outside 0.05 to 11.7 T, up to a field in gauss."""
    low = rng.random() < 0.3
    return _set_all(series, "MagneticFieldStrength", f"{0.04 if low else grade(strength, 12.0, 30000):.2f}")


@fault("F06", "warning", "thickness not positive", kinds=(*PLAIN, "ct"))
def no_thickness(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """A slice thickness of nought, or negative."""
    return _set_all(series, "SliceThickness", "0" if strength < 0.5 else f"{-grade(strength, 1, 5):.1f}")


@fault("F06", "warning", "age above 110", kinds=(*PLAIN, "ct"))
def impossible_age(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """A patient of more than 110 years."""
    return _set_all(series, "PatientAge", f"{int(grade(strength, 112, 999)):03d}Y")


def _set_all(series: Slices, keyword: str, value: object) -> list[Item]:
    for ds in series:
        setattr(ds, keyword, value)
    return list(series)


@fault("F07", "error", "another UID in the meta information", kinds=ANY, packed=True, after_packing=True)
def meta_uid(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The meta information names another object: the last digit differs, up to a whole other UID in half the files."""
    for ds in some(series, strength, rng):
        other = f"{ds.SOPInstanceUID}"[:-1] + ("1" if ds.SOPInstanceUID[-1] != "1" else "2")
        another = f"2.25.{int(rng.integers(1, 2**60))}"
        ds.file_meta.MediaStorageSOPInstanceUID = UID(other if strength < 0.5 else another)
    return list(series)


TEXTS = ("PatientName", "InstitutionName", "SeriesDescription", "StudyDescription", "ProtocolName")


@fault("F08", "warning", "Latin-1 under the name of UTF-8", kinds=(*PLAIN, "ct"))
def wrong_charset(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """Umlauts of one byte each in a data set that says UTF-8: one text, up to all."""
    return _mislabelled(series, strength, rng, b"ISO_IR 192")


@fault("F08", "warning", "umlauts in the default repertoire", kinds=(*PLAIN, "ct"))
def no_charset(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """Umlauts of one byte each in a data set that says ASCII."""
    return _mislabelled(series, strength, rng, b"ISO_IR 6  ")


def _mislabelled(series: Slices, strength: float, rng: Rng, said: bytes) -> list[Item]:
    count = int(grade(strength, 1, len(TEXTS)))
    for keyword in rng.permutation(TEXTS)[:count]:
        for ds in series:
            setattr(ds, keyword, f"{ds.get(keyword, '')} Bäder-Straße"[:60])
    chosen = series if strength >= 0.5 else some(series, 0.0, rng)
    return [to_bytes(ds).replace(b"ISO_IR 100", said, 1) if any(ds is c for c in chosen) else ds for ds in series]
