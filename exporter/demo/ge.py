"""The GE centre: French names, all products of a scan in one series, b-values and sequence names in private tags."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import protocol
from .geometry import Grid
from .series import Expected, Private, Product, Series
from .signal import Scanner

BVALUES = (0.0, 800.0)
INTERVAL_S = 24.0
B_FLAG = 10**9  # GE adds this to b-values in (0043,1039)
IMAGE_WORDS = {"water": "WATER", "fat": "FAT", "inphase": "IN_PHASE", "opposed": "OUT_PHASE"}

EQUIPMENT: dict[str, Any] = {
    "Manufacturer": "GE MEDICAL SYSTEMS",
    "ManufacturerModelName": "DISCOVERY MR750w",
    "SoftwareVersions": ["27", "LX", "MR Software release:DV26.0_R03"],
    "MagneticFieldStrength": 3,
    "ImagingFrequency": 127.77,
    "ReceiveCoilName": "GEM Ant&Post",
    "ImageType": ["ORIGINAL", "PRIMARY", "OTHER"],
}

LAVA: dict[str, Any] = {
    "ScanningSequence": "GR",
    "SequenceVariant": ["SS", "SP", "SK"],
    "ScanOptions": ["FAST_GEMS", "EDR_GEMS", "FILTERED_GEMS", "FS"],
    "MRAcquisitionType": "3D",
    "RepetitionTime": 4.1,
    "EchoTime": 1.9,
    "FlipAngle": 12,
    "EchoTrainLength": 1,
    "PixelBandwidth": 650,
}

AGENT: dict[str, Any] = {"ContrastBolusAgent": "DOTAREM", "ContrastBolusRoute": "IV"}


def study(scanner: Scanner, short: bool) -> list[Series]:
    """The series of one visit in order; a ``short`` visit ends after the diffusion."""
    start = [
        _localizer(scanner),
        _fse(scanner, "t2sag", "SAG T2", protocol.T2_SAG, tr=4200, te=104),
        _fse(scanner, "t2ax", "AX T2 HR", protocol.T2_AX, tr=4800, te=108),
        *_diffusion(scanner),
    ]
    return start if short else [*start, _plain_t1(scanner), _flex(scanner), _dynamic(scanner), _late(scanner)]


def _sequence(name: str) -> tuple[Private, ...]:
    return (Private(0x0019, "GEMS_ACQU_01", 0x9C, "LO", name),)


def _localizer(scanner: Scanner) -> Series:
    products = tuple(
        Product(image=scanner.spin_echo(grid, 1200, 82), grid=grid, expected=protocol.localizer(grid.plane, "haste"))
        for grid in protocol.LOCALIZER
    )
    header = EQUIPMENT | {
        "ScanningSequence": "SE",
        "SequenceVariant": ["SK", "SS"],
        "ScanOptions": ["FAST_GEMS", "SSFSE_GEMS"],
        "MRAcquisitionType": "2D",
        "RepetitionTime": 1200,
        "EchoTime": 82,
        "FlipAngle": 90,
        "EchoTrainLength": 1,
    }
    return Series(role="localizer", text="3-PL LOC", products=products, header=header, private=_sequence("ssfse"))


def _fse(scanner: Scanner, role: str, text: str, grid: Grid, tr: float, te: float) -> Series:
    product = Product(image=scanner.spin_echo(grid, tr, te), grid=grid, expected=protocol.t2w(grid.plane))
    header = EQUIPMENT | {
        "ScanningSequence": "SE",
        "SequenceVariant": ["SK", "OSP"],
        "ScanOptions": ["FAST_GEMS", "FR_GEMS", "TRF_GEMS", "FILTERED_GEMS", "SP"],
        "MRAcquisitionType": "2D",
        "RepetitionTime": tr,
        "EchoTime": te,
        "FlipAngle": 142,
        "EchoTrainLength": 18,
        "PixelBandwidth": 244,
    }
    return Series(role=role, text=text, products=(product,), header=header, private=_sequence("frfse"), duration_s=230)


def _plain_t1(scanner: Scanner) -> Series:
    expected = Expected(sequence="T1w", plane="ax", dim="2d", technique="tse", fatsat="none")
    product = Product(image=scanner.spin_echo(protocol.T1_AX, 620, 9.5), grid=protocol.T1_AX, expected=expected)
    header = EQUIPMENT | {
        "ScanningSequence": "SE",
        "SequenceVariant": ["SK", "OSP"],
        "ScanOptions": ["FAST_GEMS", "FILTERED_GEMS", "SP"],
        "MRAcquisitionType": "2D",
        "RepetitionTime": 620,
        "EchoTime": 9.5,
        "FlipAngle": 111,
        "EchoTrainLength": 3,
        "PixelBandwidth": 244,
    }
    return Series(role="t1", text="AX T1 IV -", products=(product,), header=header, private=_sequence("fse-xl"))


def _diffusion(scanner: Scanner) -> list[Series]:
    traces, adc = scanner.diffusion(protocol.DWI_AX, BVALUES, te=66)
    header = EQUIPMENT | {
        "ScanningSequence": ["EP", "SE"],
        "SequenceVariant": "NONE",
        "ScanOptions": ["EPI_GEMS", "PFF", "FS"],
        "MRAcquisitionType": "2D",
        "RepetitionTime": 6000,
        "EchoTime": 66,
        "FlipAngle": 90,
        "EchoTrainLength": 1,
        "PixelBandwidth": 1953,
    }
    weighted = tuple(
        _diffusion_product(traces[b], b, protocol.trace(BVALUES) if b == BVALUES[0] else None) for b in BVALUES
    )
    fitted = _diffusion_product(adc, BVALUES[-1], protocol.adc())
    derived = {
        "ImageType": ["DERIVED", "SECONDARY", "PROCESSED"],
        "DerivationDescription": "Apparent Diffusion Coefficient (10^-6 mm2/s)",
    }
    private = _sequence("epi2")
    return [
        Series(role="dwi", text="DIFF b0 b800 AX", products=weighted, header=header, private=private, duration_s=220),
        Series(
            role="adc",
            text="Apparent Diffusion Coefficient (10^-6 mm2/s)",
            protocol="DIFF b0 b800 AX",
            products=(fitted,),
            header=header | derived,
            private=private,
            duration_s=5,
        ),
    ]


def _diffusion_product(image: NDArray[np.float64], b: float, expected: Expected | None) -> Product:
    stored = [int(b) + (B_FLAG if b else 0), 8, 0, 0]
    private = (Private(0x0043, "GEMS_PARM_01", 0x39, "IS", stored),)
    return Product(image=image, grid=protocol.DWI_AX, expected=expected, private=private)


def _flex(scanner: Scanner) -> Series:
    images = scanner.dixon(protocol.T1_AX, 6.2, 12)
    echo = {"inphase": 2.3, "opposed": 1.2, "water": 1.2, "fat": 1.2}
    products = tuple(
        Product(
            image=images[product],
            grid=protocol.T1_AX,
            expected=protocol.dixon(product, key=word),
            header={
                "ImageType": ["DERIVED" if product in ("water", "fat") else "ORIGINAL", "PRIMARY", "DIXON", word],
                "EchoTime": echo[product],
            },
        )
        for product, word in IMAGE_WORDS.items()
    )
    options = {"RepetitionTime": 6.2, "ScanOptions": ["FAST_GEMS", "EDR_GEMS", "FILTERED_GEMS"]}
    return Series(
        role="dixon",
        text="AX LAVA-Flex sans IV",
        products=products,
        header=EQUIPMENT | LAVA | options,
        private=_sequence("efgre3d"),
        duration_s=40,
    )


def _dynamic(scanner: Scanner) -> Series:
    products: list[Product] = []
    for index in range(protocol.PHASES):
        time_s = index * INTERVAL_S
        products.append(
            Product(
                image=scanner.gradient_echo(protocol.T1_AX, 4.1, 12, after_s=time_s),
                grid=protocol.T1_AX,
                expected=protocol.dce(index + 1, time_s, "TriggerTime", key=f"AcquisitionNumber={index + 1}"),
                header={"TriggerTime": round(time_s * 1000), "AcquisitionNumber": index + 1},
            )
        )
    return Series(
        role="dce",
        text="DYN AX LAVA injecté",
        products=tuple(products),
        header=EQUIPMENT | LAVA | AGENT,
        private=_sequence("efgre3d"),
        duration_s=protocol.PHASES * INTERVAL_S,
    )


def _late(scanner: Scanner) -> Series:
    image = scanner.gradient_echo(protocol.T1_AX, 4.6, 15, after_s=300)
    product = Product(image=image, grid=protocol.T1_AX, expected=protocol.late())
    header = EQUIPMENT | LAVA | AGENT | {"RepetitionTime": 4.6, "EchoTime": 2.1, "FlipAngle": 15}
    return Series(
        role="late", text="AX LAVA FS IV + tardif", products=(product,), header=header, private=_sequence("efgre3d")
    )
