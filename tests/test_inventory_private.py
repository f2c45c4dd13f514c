"""b-values, directions, tiles and complex parts from private elements."""

from __future__ import annotations

import struct

import pytest
from inventorymaker import image, item, row
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from trialbids.exporter.inventory.csa import csa_values
from trialbids.exporter.inventory.instance import Instance

FL, FD = struct.Struct("<f").pack, struct.Struct("<3d").pack


def private(
    manufacturer: str, *elements: tuple[int, str, int, str, object], block: int = 0x10, **keywords: object
) -> Dataset:
    """An image with private elements: group, creator, offset, VR, value."""
    data = image(Manufacturer=manufacturer, **keywords)
    for group, creator, offset, vr, value in elements:
        if creator:
            data.add_new(group << 16 | block, "LO", creator)
        data.add_new(group << 16 | block << 8 | offset, vr, value)
    return data


def diffusion(found: Instance) -> tuple[float | None, str, tuple[float, ...]]:
    return found.b_value, found.b_value_source, found.b_direction


S, G, P, D, U = (
    "SIEMENS MR HEADER",
    "GEMS_PARM_01",
    "Philips Imaging DD 001",
    "Philips MR Imaging DD 001",
    "Image Private Header",
)


@pytest.mark.parametrize("block", [0x10, 0x11, 0xE1])
def test_siemens_wherever_the_block_is(block: int) -> None:
    elements = [(0x0019, S, 0x0C, "IS", 800), (0x0019, S, 0x0E, "FD", [0.0, 0.6, 0.8])]
    found = row(private("SIEMENS", *elements, block=block))
    assert diffusion(found) == (800, f"Siemens (0019,{block:02X}0C)", (0, 0.6, 0.8))


def test_siemens_as_bytes_without_vr() -> None:
    elements = [(0x0019, S, 0x0C, "UN", b"800 "), (0x0019, S, 0x0E, "UN", FD(0, 1, 0))]
    assert diffusion(row(private("SIEMENS", *elements))) == (800, "Siemens (0019,100C)", (0, 1, 0))
    assert diffusion(row(private("SIEMENS", *elements), ImplicitVRLittleEndian))[0] == 800


def test_another_creator_in_the_usual_block_is_not_believed() -> None:
    assert row(private("SIEMENS", (0x0019, "SOMEBODY ELSE", 0x0C, "IS", 800))).b_value is None


def test_creators_that_a_pacs_removed_are_replaced_by_the_manufacturer() -> None:
    assert row(private("SIEMENS", (0x0019, "", 0x0C, "IS", 800))).b_value == 800
    assert row(private("ACME", (0x0019, "", 0x0C, "IS", 800))).b_value is None


@pytest.mark.parametrize(
    ("vr", "stored", "b_value"),
    [
        ("IS", [500, 8, 0, 0], 500),
        ("UN", b"500\\8\\0\\0 ", 500),
        ("IS", [1000000050, 8, 0, 0], 50),
        ("IS", [1000000000, 8, 0, 0], 0),
        ("IS", [0, 8, 0, 0], 0),
        ("IS", [0, 0, 0, 0], None),
        ("IS", [0, 268435456, 0, 0], None),
        ("UN", b"x\\8", None),
    ],
)
def test_ge_b_values(vr: str, stored: object, b_value: float | None) -> None:
    assert row(private("GE MEDICAL SYSTEMS", (0x0043, G, 0x39, vr, stored))).b_value == b_value


def test_ge_direction_and_part() -> None:
    axes = [
        (0x0019, "GEMS_ACQU_01", offset, "DS", value) for offset, value in ((0xBB, "0.6"), (0xBC, "0"), (0xBD, "-0.8"))
    ]
    found = row(private("GE", *axes, (0x0043, G, 0x39, "IS", [700, 8, 0, 0]), (0x0043, G, 0x2F, "SS", 1)))
    assert (found.b_direction, found.complex_part) == ((0.6, 0, -0.8), "phase")


def test_philips() -> None:
    axes = [(0x2005, D, offset, "FL", value) for offset, value in ((0xB0, 0.0), (0xB1, 0.0), (0xB2, 2.0))]
    directed = [(0x2001, P, 0x03, "FL", 600.0), (0x2001, P, 0x04, "CS", "S"), *axes]
    found = row(private("Philips Medical Systems", *directed))
    assert diffusion(found) == (600, "Philips (2001,1003)", (0, 0, 1))
    isotropic = [(0x2001, P, 0x03, "UN", FL(600)), (0x2001, P, 0x04, "CS", "I"), *axes]
    assert diffusion(row(private("Philips", *isotropic))) == (600, "Philips (2001,1003)", ())
    assert row(private("Philips", (0x2001, P, 0x03, "FL", 0.0))).b_value is None
    assert row(private("Philips", (0x2005, D, 0x11, "CS", "P"))).complex_part == "phase"


def test_uih() -> None:
    elements = [(0x0065, U, 0x09, "FD", 1000.0), (0x0065, U, 0x37, "FD", [1.0, 0.0, 0.0])]
    assert diffusion(row(private("UIH", *elements))) == (1000, "UIH (0065,1009)", (1, 0, 0))


def test_the_standard_outranks_private_elements() -> None:
    data = private("SIEMENS", (0x0019, S, 0x0C, "IS", 800), DiffusionBValue=750.0)
    data.DiffusionGradientOrientation = [0.0, 0.0, 0.0]
    assert diffusion(row(data)) == (750, "DiffusionBValue", ())
    nested = image(MRDiffusionSequence=[item(DiffusionBValue=400.0)])
    assert diffusion(row(nested)) == (400, "DiffusionBValue", ())


def csa(**values: list[str]) -> bytes:
    """A CSA header of the newer form."""
    block = b"SV10\4\3\2\1" + struct.pack("<II", len(values), 77)
    for name, items in values.items():
        block += name.encode().ljust(64, b"\0") + struct.pack("<i4siii", len(items), b"FD\0\0", 4, len(items), 77)
        for text in items:
            stored = text.encode() + b"\0"
            block += struct.pack("<4i", len(stored), len(stored), 77, len(stored)) + stored.ljust(
                -len(stored) % 4 + len(stored), b"\0"
            )
    return block


def test_siemens_csa_header_is_read_where_there_is_nothing_else() -> None:
    block = csa(B_value=["1000"], DiffusionGradientDirection=["0.0", "0.6", "-0.8"], NumberOfImagesInMosaic=["31 "])
    assert csa_values(block, "B_value") == (1000,)
    data = private(
        "SIEMENS", (0x0029, "SIEMENS CSA HEADER", 0x10, "OB", block), ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"]
    )
    found = row(data)
    assert (found.b_value, found.b_direction, found.mosaic_tiles) == (1000, (0, 0.6, -0.8), 31)
    for end in range(len(block)):
        assert csa_values(block[:end], "DiffusionGradientDirection") in ((), (0, 0.6, -0.8))


def test_mosaic_tiles() -> None:
    mosaic = {"ImageType": ["ORIGINAL", "PRIMARY", "M", "MOSAIC"], "Rows": 24, "Columns": 24, "PixelData": bytes(1152)}
    assert row(private("SIEMENS", (0x0019, S, 0x0A, "US", 35), **mosaic)).mosaic_tiles == 35
    assert row(image(AcquisitionMatrix=[0, 8, 6, 0], **mosaic)).mosaic_tiles == 9
    assert row(private("SIEMENS", (0x0019, S, 0x0A, "US", 35))).mosaic_tiles == 0
