"""The Philips centre: English names, dynamics by TemporalPositionIdentifier, mDIXON by ImageType, rescaled values."""

from __future__ import annotations

from typing import Any

from . import protocol
from .geometry import Grid
from .series import Private, Product, Series
from .signal import Scanner

BVALUES = (0.0, 400.0, 1000.0)
INTERVAL_S = 14.2
IMAGE_WORDS = {"water": "W", "fat": "F", "inphase": "IP", "opposed": "OP"}
IMAGING = "Philips Imaging DD 001"
BLOCKS = tuple(f"Philips MR Imaging DD {number:03d}" for number in range(1, 6))

EQUIPMENT: dict[str, Any] = {
    "Manufacturer": "Philips Medical Systems",
    "ManufacturerModelName": "Ingenia",
    "SoftwareVersions": ["5.4.1", "5.4.1.1"],
    "MagneticFieldStrength": 3,
    "ImagingFrequency": 127.76,
    "ReceiveCoilName": "MULTI COIL",
}

TSE: dict[str, Any] = {
    "ImageType": ["ORIGINAL", "PRIMARY", "M_SE", "M", "SE"],
    "ScanningSequence": "SE",
    "SequenceVariant": "SK",
    "ScanOptions": "OTHER",
    "MRAcquisitionType": "2D",
    "FlipAngle": 90,
    "EchoTrainLength": 16,
    "PixelBandwidth": 217,
}

THRIVE: dict[str, Any] = {
    "ImageType": ["ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"],
    "ScanningSequence": "GR",
    "SequenceVariant": ["SS", "SP"],
    "ScanOptions": ["PFF", "FS"],
    "MRAcquisitionType": "3D",
    "RepetitionTime": 3.2,
    "EchoTime": 1.5,
    "FlipAngle": 10,
    "EchoTrainLength": 1,
    "PixelBandwidth": 724,
}

AGENT: dict[str, Any] = {"ContrastBolusAgent": "Gadovist 1.0", "ContrastBolusRoute": "IV"}


def study(scanner: Scanner, short: bool) -> list[Series]:
    """The series of one visit in order; a ``short`` visit ends after the diffusion."""
    start = [
        _survey(scanner),
        _tse(scanner, "t2sag", "T2 TSE SAG HR", protocol.T2_SAG, tr=3900, te=100),
        _tse(scanner, "t2ax", "T2W_TSE_ax", protocol.T2_AX, tr=4400, te=100),
        *_diffusion(scanner),
    ]
    return start if short else [*start, _mdixon(scanner), _dynamic(scanner), _late(scanner)]


def _scaled(technique: str, slope: float, scale: float) -> tuple[Private, ...]:
    """The scanning technique, and the scale slope of Chenevert et al. 2014 (doi:10.1593/tlo.13811)."""
    return (
        Private(0x2001, IMAGING, 0x20, "LO", technique),
        Private(0x2005, BLOCKS[0], 0x0E, "FL", round(scale / slope, 6)),
        *(Private(0x2005, creator) for creator in BLOCKS[1:]),
    )


def _survey(scanner: Scanner) -> Series:
    products = tuple(
        Product(
            image=scanner.gradient_echo(grid, 11, 15, fatsat=False),
            grid=grid,
            expected=protocol.localizer(grid.plane, "gre"),
        )
        for grid in protocol.LOCALIZER
    )
    header = EQUIPMENT | {
        "ImageType": ["ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"],
        "ScanningSequence": "GR",
        "SequenceVariant": ["SS", "SP"],
        "MRAcquisitionType": "2D",
        "RepetitionTime": 11,
        "EchoTime": 4.6,
        "FlipAngle": 15,
        "EchoTrainLength": 1,
    }
    private = _scaled("FFE", 2.1, 0.01)
    return Series(role="localizer", text="SURVEY", products=products, header=header, private=private, slope=2.1)


def _tse(scanner: Scanner, role: str, text: str, grid: Grid, tr: float, te: float) -> Series:
    product = Product(image=scanner.spin_echo(grid, tr, te), grid=grid, expected=protocol.t2w(grid.plane))
    header = EQUIPMENT | TSE | {"RepetitionTime": tr, "EchoTime": te}
    private = _scaled("TSE", 1.25, 0.02)
    return Series(role=role, text=text, products=(product,), header=header, private=private, slope=1.25, duration_s=210)


def _diffusion(scanner: Scanner) -> list[Series]:
    grid = protocol.DWI_AX
    traces, adc = scanner.diffusion(grid, BVALUES, te=70)
    header = EQUIPMENT | {
        "ImageType": ["ORIGINAL", "PRIMARY", "M_SE", "M", "SE"],
        "ScanningSequence": "SE",
        "SequenceVariant": "SK",
        "ScanOptions": ["PFP", "FS"],
        "MRAcquisitionType": "2D",
        "RepetitionTime": 5300,
        "EchoTime": 70,
        "FlipAngle": 90,
        "EchoTrainLength": 41,
        "EchoPlanarPulseSequence": "YES",
        "PixelBandwidth": 1620,
    }
    weighted = tuple(
        Product(
            image=traces[b],
            grid=grid,
            expected=protocol.trace(BVALUES) if b == BVALUES[0] else None,
            header={"DiffusionBValue": b, "DiffusionDirectionality": "ISOTROPIC" if b else "NONE"},
            private=(
                Private(0x2001, IMAGING, 0x03, "FL", b),
                Private(0x2001, IMAGING, 0x04, "CS", "I" if b else "N"),
                Private(0x2005, BLOCKS[4], 0x12, "IS", index),
                Private(0x2005, BLOCKS[4], 0x13, "IS", 1),
            ),
        )
        for index, b in enumerate(BVALUES, 1)
    )
    fitted = Product(image=adc, grid=grid, expected=protocol.adc())
    derived = {"ImageType": ["DERIVED", "PRIMARY", "ADC", "ADC", "DERIVED"]}
    return [
        Series(
            role="dwi",
            text="DWI 3b SPAIR ax",
            products=weighted,
            header=header,
            private=_scaled("DwiSE", 1.4, 0.01),
            slope=1.4,
            duration_s=250,
        ),
        Series(
            role="adc",
            text="dADC ax",
            protocol="DWI 3b SPAIR ax",
            products=(fitted,),
            header=header | derived,
            private=_scaled("DwiSE", 0.98, 1.0),
            slope=0.98,
            duration_s=5,
        ),
    ]


def _mdixon(scanner: Scanner) -> Series:
    images = scanner.dixon(protocol.T1_AX, 5.7, 10)
    products = tuple(
        Product(
            image=images[product],
            grid=protocol.T1_AX,
            expected=protocol.dixon(product, key=word, technique="vibe|gre"),
            header={"ImageType": ["DERIVED", "PRIMARY", word, word, "DERIVED"]},
        )
        for product, word in IMAGE_WORDS.items()
    )
    options = {"ScanOptions": "PFF", "RepetitionTime": 5.7, "EchoTime": 1.4}
    return Series(
        role="dixon",
        text="mDIXON-All ax",
        products=products,
        header=EQUIPMENT | THRIVE | options,
        private=_scaled("T1FFE", 1.6, 0.02),
        slope=1.6,
        duration_s=30,
    )


def _dynamic(scanner: Scanner) -> Series:
    products: list[Product] = []
    for index in range(protocol.PHASES):
        time_s = index * INTERVAL_S
        products.append(
            Product(
                image=scanner.gradient_echo(protocol.T1_AX, 3.2, 10, after_s=time_s),
                grid=protocol.T1_AX,
                expected=protocol.dce(index + 1, time_s, "TriggerTime", key=f"TemporalPositionIdentifier={index + 1}"),
                header={
                    "TemporalPositionIdentifier": index + 1,
                    "NumberOfTemporalPositions": protocol.PHASES,
                    "TriggerTime": round(time_s * 1000),
                },
            )
        )
    return Series(
        role="dce",
        text="THRIVE dyn ax",
        products=tuple(products),
        header=EQUIPMENT | THRIVE | AGENT,
        private=_scaled("T1FFE", 1.9, 0.02),
        slope=1.9,
        interleaved=True,
        duration_s=protocol.PHASES * INTERVAL_S,
    )


def _late(scanner: Scanner) -> Series:
    image = scanner.gradient_echo(protocol.T1_AX, 3.9, 12, after_s=300)
    product = Product(image=image, grid=protocol.T1_AX, expected=protocol.late())
    header = EQUIPMENT | THRIVE | AGENT | {"RepetitionTime": 3.9, "EchoTime": 1.8, "FlipAngle": 12}
    private = _scaled("T1FFE", 1.9, 0.02)
    return Series(role="late", text="eTHRIVE post gad", products=(product,), header=header, private=private, slope=1.9)
