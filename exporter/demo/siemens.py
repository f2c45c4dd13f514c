"""The Siemens centre: German names, a series for every Dixon product and every dynamic phase, private b-values."""

from __future__ import annotations

from typing import Any

from . import protocol
from .geometry import Grid
from .series import Expected, Private, Product, Series
from .signal import Scanner

BVALUES = (50.0, 400.0, 1000.0)
INTERVAL_S = 19.5
PRODUCTS = {"inphase": "in", "opposed": "opp", "water": "W", "fat": "F"}
IMAGE_WORDS = {"inphase": "IN_PHASE", "opposed": "OPP_PHASE", "water": "WATER", "fat": "FAT"}

EQUIPMENT: dict[str, Any] = {
    "Manufacturer": "SIEMENS",
    "ManufacturerModelName": "Skyra",
    "SoftwareVersions": "syngo MR E11",
    "MagneticFieldStrength": 3,
    "ImagingFrequency": 123.24,
    "SequenceVariant": ["SK", "SP", "OSP"],
    "ReceiveCoilName": "Body_18",
}

TSE: dict[str, Any] = {
    "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "NORM"],
    "ScanningSequence": "SE",
    "ScanOptions": "SAT1",
    "MRAcquisitionType": "2D",
    "SequenceName": "*tse2d1_15",
    "EchoTrainLength": 15,
    "FlipAngle": 150,
    "PixelBandwidth": 200,
}

VIBE: dict[str, Any] = {
    "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "NORM"],
    "ScanningSequence": "GR",
    "ScanOptions": ["PFP", "FS"],
    "MRAcquisitionType": "3D",
    "SequenceName": "*fl3d1",
    "EchoTrainLength": 1,
    "RepetitionTime": 3.97,
    "EchoTime": 1.26,
    "FlipAngle": 12,
    "PixelBandwidth": 590,
}

AGENT: dict[str, Any] = {"ContrastBolusAgent": "Gadobutrol", "ContrastBolusVolume": 7, "ContrastBolusRoute": "IV"}


def study(scanner: Scanner, short: bool) -> list[Series]:
    """The series of one visit in order; a ``short`` visit ends after the diffusion."""
    start = [
        _localizer(scanner),
        _tse(scanner, "t2sag", "T2 TSE sag", protocol.T2_SAG, tr=4500, te=101),
        _tse(scanner, "t2ax", "T2 TSE tra HR", protocol.T2_AX, tr=5100, te=98),
        *_diffusion(scanner),
    ]
    return start if short else [*start, *_dixon(scanner), *_dynamic(scanner), _late(scanner)]


def _localizer(scanner: Scanner) -> Series:
    products = tuple(
        Product(
            image=scanner.gradient_echo(grid, 8, 20, fatsat=False),
            grid=grid,
            expected=protocol.localizer(grid.plane, "gre"),
        )
        for grid in protocol.LOCALIZER
    )
    header = EQUIPMENT | {
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "NORM"],
        "ScanningSequence": "GR",
        "SequenceVariant": ["SP", "OSP"],
        "MRAcquisitionType": "2D",
        "SequenceName": "*fl2d1",
        "RepetitionTime": 8,
        "EchoTime": 3.69,
        "FlipAngle": 20,
        "EchoTrainLength": 1,
    }
    return Series(role="localizer", text="Localizer 3 Ebenen", products=products, header=header, duration_s=60)


def _tse(scanner: Scanner, role: str, text: str, grid: Grid, tr: float, te: float) -> Series:
    product = Product(image=scanner.spin_echo(grid, tr, te), grid=grid, expected=protocol.t2w(grid.plane))
    header = EQUIPMENT | TSE | {"RepetitionTime": tr, "EchoTime": te}
    return Series(role=role, text=text, products=(product,), header=header, duration_s=240)


def _diffusion(scanner: Scanner) -> list[Series]:
    grid = protocol.DWI_AX
    traces, adc = scanner.diffusion(grid, BVALUES, te=63)
    header = EQUIPMENT | {
        "ScanningSequence": "EP",
        "ScanOptions": ["PFP", "FS"],
        "MRAcquisitionType": "2D",
        "RepetitionTime": 5600,
        "EchoTime": 63,
        "FlipAngle": 90,
        "EchoTrainLength": 48,
        "PixelBandwidth": 1500,
    }
    weighted = tuple(
        _diffusion_product(traces[b], f"*ep_b{b:g}t", "TRACEW", b, protocol.trace(BVALUES) if b == BVALUES[0] else None)
        for b in BVALUES
    )
    lowest, highest = BVALUES[0], BVALUES[-1]
    fitted = _diffusion_product(adc, f"*ep_b{lowest:g}_{highest:g}", "ADC", highest, protocol.adc())
    text = "Diffusionsgewichtung tra"
    return [
        Series(role="dwi", text=text, products=weighted, header=header, duration_s=280),
        Series(role="adc", text=f"{text}_ADC", protocol=text, products=(fitted,), header=header, duration_s=5),
    ]


def _diffusion_product(image: Any, name: str, kind: str, b: float, expected: Expected | None) -> Product:
    return Product(
        image=image,
        grid=protocol.DWI_AX,
        expected=expected,
        header={"SequenceName": name, "ImageType": ["DERIVED", "PRIMARY", "DIFFUSION", kind, "ND", "NORM"]},
        private=(
            Private(0x0019, "SIEMENS MR HEADER", 0x0C, "IS", int(b)),
            Private(0x0019, "SIEMENS MR HEADER", 0x0D, "CS", "ISOTROPIC"),
        ),
    )


def _dixon(scanner: Scanner) -> list[Series]:
    images = scanner.dixon(protocol.T1_AX, 5.47, 9)
    echo = {"inphase": 2.46, "opposed": 1.23, "water": 1.23, "fat": 1.23}
    varying = {
        product: {
            "ImageType": [
                "DERIVED" if product in ("water", "fat") else "ORIGINAL",
                *["PRIMARY", "M", "DIXON", IMAGE_WORDS[product], "NORM"],
            ],
            "EchoTime": echo[product],
        }
        for product in images
    }
    common = EQUIPMENT | VIBE | {"RepetitionTime": 5.47, "FlipAngle": 9, "SequenceName": "*fl3d2", "ScanOptions": "PFP"}
    return [
        Series(
            role=f"dixon-{product}",
            text=f"T1 vibe dixon tra nativ_{word}",
            protocol="T1 vibe dixon tra nativ",
            products=(Product(image=images[product], grid=protocol.T1_AX, expected=protocol.dixon(product)),),
            header=common | varying[product],
            duration_s=18 if product == "fat" else 0,
        )
        for product, word in PRODUCTS.items()
    ]


def _dynamic(scanner: Scanner) -> list[Series]:
    series: list[Series] = []
    for index in range(protocol.PHASES):
        time_s = index * INTERVAL_S
        image = scanner.gradient_echo(protocol.T1_AX, 3.97, 12, after_s=time_s)
        expected = protocol.dce(index + 1, time_s, "AcquisitionTime")
        header = EQUIPMENT | VIBE | {"AcquisitionNumber": index + 1} | (AGENT if index else {})
        series.append(
            Series(
                role=f"dce-{index + 1}",
                text="T1 vibe fs tra dyn KM",
                products=(Product(image=image, grid=protocol.T1_AX, expected=expected),),
                header=header,
                duration_s=INTERVAL_S,
            )
        )
    return series


def _late(scanner: Scanner) -> Series:
    image = scanner.gradient_echo(protocol.T1_AX, 4.3, 10, after_s=300)
    product = Product(image=image, grid=protocol.T1_AX, expected=protocol.late())
    header = EQUIPMENT | VIBE | AGENT | {"RepetitionTime": 4.3, "EchoTime": 1.9, "FlipAngle": 10}
    return Series(role="late", text="T1 vibe fs tra +KM spät", products=(product,), header=header, duration_s=60)
