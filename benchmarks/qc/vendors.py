"""How the scanners of eight makers write down the same scan: words, private elements, clocks, counts, storage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import Dataset

Header = Mapping[str, Any]

GE_B_FLAG = 10**9
"""GE adds this to the b-value in (0043,1039)."""


@dataclass(frozen=True)
class Vendor:
    """One maker's conventions.

    ``clock`` says how the phases of a dynamic scan are told: ``series`` (one series a phase), ``trigger``,
    ``position`` (TemporalPositionIdentifier) or ``time`` (AcquisitionTime within one series). ``apart`` names the kinds
    whose parts are series of their own. ``b`` says where b-values stand. ``counts`` names the elements that say how
    many images belong together. ``slope`` is the RescaleSlope of MR images (None: no rescale). ``enhanced`` says
    whether the maker also stores multi-frame objects.
    """

    name: str
    equipment: Header
    ct: Header
    words: Mapping[str, str]
    types: Mapping[str, str]
    dixon: Mapping[str, str]
    clock: str
    b: tuple[str, ...]
    apart: tuple[str, ...] = ()
    counts: tuple[str, ...] = ()
    slope: float | None = None
    ct_signed: bool = False
    enhanced: bool = False
    interleaved: tuple[str, ...] = ()
    sequence_names: Mapping[str, str] = field(default_factory=dict)


def add_private(ds: Dataset, group: int, creator: str, offset: int, vr: str, value: Any) -> None:
    """One private element, its block reserved."""
    ds.private_block(group, creator, create=True).add_new(offset, vr, value)


def add_b_value(ds: Dataset, vendor: Vendor, b: float) -> None:
    """The b-value of an acquired image in all the places where the maker writes it."""
    for place in vendor.b:
        B_PLACES[place](ds, b)


def _standard(ds: Dataset, b: float) -> None:
    ds.DiffusionBValue = float(b)
    ds.DiffusionDirectionality = "ISOTROPIC" if b else "NONE"


def _siemens(ds: Dataset, b: float) -> None:
    add_private(ds, 0x0019, "SIEMENS MR HEADER", 0x0C, "IS", str(int(b)))
    add_private(ds, 0x0019, "SIEMENS MR HEADER", 0x0D, "CS", "ISOTROPIC" if b else "NONE")


def _sequence_name(ds: Dataset, b: float) -> None:
    ds.SequenceName = f"*ep_b{b:g}t" if b else "*ep_b0"


def _ge(ds: Dataset, b: float) -> None:
    add_private(ds, 0x0043, "GEMS_PARM_01", 0x39, "IS", [str(int(b) + (GE_B_FLAG if b else 0)), "8", "0", "0"])


def _philips(ds: Dataset, b: float) -> None:
    add_private(ds, 0x2001, "Philips Imaging DD 001", 0x03, "FL", float(b))
    add_private(ds, 0x2001, "Philips Imaging DD 001", 0x04, "CS", "I" if b else "N")


def _uih(ds: Dataset, b: float) -> None:
    add_private(ds, 0x0065, "Image Private Header", 0x09, "FD", float(b))


B_PLACES = {
    "standard": _standard,
    "siemens": _siemens,
    "sequence": _sequence_name,
    "ge": _ge,
    "philips": _philips,
    "uih": _uih,
}
B_ELEMENTS = {
    "standard": (0x00189087, 0x00189075),
    "siemens": (0x0019100C, 0x0019100D),
    "sequence": (0x00180024,),
    "ge": (0x00431039,),
    "philips": (0x20011003, 0x20011004),
    "uih": (0x00651009,),
}


def add_count(ds: Dataset, vendor: Vendor, slices: int, images: int) -> None:
    """What the maker says of the number of slices of a volume and of images in the acquisition."""
    if "images" in vendor.counts:
        ds.ImagesInAcquisition = images
    if "ge" in vendor.counts:
        add_private(ds, 0x0021, "GEMS_RELA_01", 0x4F, "SS", slices)
    if "philips" in vendor.counts:
        add_private(ds, 0x2001, "Philips Imaging DD 001", 0x18, "SL", slices)


def _equipment(maker: str, model: str, version: str, tesla: float, serial: str, **more: Any) -> Header:
    return {
        "Manufacturer": maker,
        "ManufacturerModelName": model,
        "SoftwareVersions": version,
        "MagneticFieldStrength": tesla,
        "DeviceSerialNumber": serial,
        "ImagingFrequency": round(42.577 * tesla, 2),
        **more,
    }


def _ct(maker: str, model: str, version: str, serial: str, kernel: str) -> Header:
    return {
        "Manufacturer": maker,
        "ManufacturerModelName": model,
        "SoftwareVersions": version,
        "DeviceSerialNumber": serial,
        "ConvolutionKernel": kernel,
        "KVP": "120",
        "XRayTubeCurrent": "180",
        "ExposureTime": "500",
        "GantryDetectorTilt": "0",
        "FilterType": "BODY",
        "RotationDirection": "CW",
        "DataCollectionDiameter": "500",
    }


SIEMENS_DIXON = {
    "inphase": "ORIGINAL PRIMARY M DIXON IN_PHASE", "opposed": "ORIGINAL PRIMARY M DIXON OPP_PHASE",
    "water": "DERIVED PRIMARY M DIXON WATER", "fat": "DERIVED PRIMARY M DIXON FAT",
}  # fmt: skip
GE_DIXON = {
    "inphase": "ORIGINAL PRIMARY DIXON IN_PHASE", "opposed": "ORIGINAL PRIMARY DIXON OUT_PHASE",
    "water": "DERIVED PRIMARY DIXON WATER", "fat": "DERIVED PRIMARY DIXON FAT",
}  # fmt: skip
PHILIPS_DIXON = {
    "inphase": "DERIVED PRIMARY IP IP DERIVED", "opposed": "DERIVED PRIMARY OP OP DERIVED",
    "water": "DERIVED PRIMARY W W DERIVED", "fat": "DERIVED PRIMARY F F DERIVED",
}  # fmt: skip

VENDORS: dict[str, Vendor] = {
    v.name: v
    for v in (
        Vendor(
            name="siemens",
            equipment=_equipment("SIEMENS", "Skyra", "syngo MR E11", 3, "45001"),
            ct=_ct("SIEMENS", "SOMATOM Force", "syngo CT VB10A", "76001", "Br40d"),
            words={
                "t2ax": "t2_tse_tra_p2", "t2sag": "t2_tse_sag", "t1": "t1_tse_tra",
                "dwi": "ep2d_diff_b50_400_1000_TRACEW",
                "adc": "ep2d_diff_b50_400_1000_ADC", "dce": "t1_vibe_fs_tra_dyn_KM", "dixon": "t1_vibe_dixon_tra",
                "echoes": "t2star_gre_multiecho_tra", "ct": "Abdomen 3.0 Br40d",
            },
            types={
                "image": "ORIGINAL PRIMARY M ND NORM", "dwi": "ORIGINAL PRIMARY DIFFUSION TRACEW ND",
                "adc": "DERIVED PRIMARY DIFFUSION ADC ND", "ct": "ORIGINAL PRIMARY AXIAL CT_SOM5 SPI",
            },
            dixon=SIEMENS_DIXON,
            clock="series", b=("siemens", "sequence"), apart=("dixon",), enhanced=True,
            sequence_names={
                "t2": "*tse2d1_15", "t1": "*tse2d1_3", "dce": "*fl3d1", "dixon": "*fl3d2", "echoes": "*fl2d3",
            },
        ),
        Vendor(
            name="ge",
            equipment=_equipment("GE MEDICAL SYSTEMS", "SIGNA Premier", "29\\LX\\MR29.1_EA_2039.g", 3, "3112233"),
            ct=_ct("GE MEDICAL SYSTEMS", "Revolution CT", "revo_ct_22bc.50", "88112", "STANDARD"),
            words={
                "t2ax": "AX T2 FRFSE", "t2sag": "SAG T2 FRFSE", "t1": "AX T1 FSE", "dwi": "AX DWI b0 b400 b1000",
                "adc": "Apparent Diffusion Coefficient (mm2/s)", "dce": "AX LAVA DYN +C", "dixon": "AX LAVA-Flex",
                "echoes": "AX T2* MERGE multi echo", "ct": "ABD PEL 2.5MM STD",
            },
            types={
                "image": "ORIGINAL PRIMARY OTHER", "dwi": "ORIGINAL PRIMARY OTHER", "adc": "DERIVED SECONDARY COMBINED",
                "ct": "ORIGINAL PRIMARY AXIAL",
            },
            dixon=GE_DIXON,
            clock="trigger", b=("ge",), counts=("images", "ge"), ct_signed=True,
        ),
        Vendor(
            name="philips",
            equipment=_equipment("Philips Medical Systems", "Ingenia", "5.7.1\\5.7.1.2", 3, "71001"),
            ct=_ct("Philips", "Brilliance 64", "3.6.6", "6201", "B"),
            words={
                "t2ax": "T2W_TSE_ax", "t2sag": "T2W_TSE_sag", "t1": "T1W_TSE_ax", "dwi": "DWI_3b_ax", "adc": "dADC_ax",
                "dce": "dyn_THRIVE_ax", "dixon": "mDIXON_ax", "echoes": "T2_FFE_multi_echo_ax", "ct": "ABD/PELVIS 3MM",
            },
            types={
                "image": "ORIGINAL PRIMARY M_SE M SE", "gre": "ORIGINAL PRIMARY M_FFE M FFE",
                "dwi": "ORIGINAL PRIMARY M_SE M SE",
                "adc": "DERIVED PRIMARY ADC ADC DERIVED", "ct": "ORIGINAL PRIMARY AXIAL HELIX",
            },
            dixon=PHILIPS_DIXON,
            clock="position", b=("philips", "standard"), counts=("philips",), slope=1.5, enhanced=True,
            interleaved=("dce", "dwi"),
        ),
        Vendor(
            name="canon",
            equipment=_equipment("CANON_MEC", "Vantage Galan 3T", "V8.0*R001", 3, "CA3001"),
            ct=_ct("TOSHIBA", "Aquilion PRIME", "V7.0ER009", "AQ771", "FC18"),
            words={
                "t2ax": "FSE2D T2 AX", "t2sag": "FSE2D T2 SAG", "t1": "FSE2D T1 AX", "dwi": "DWI AX b0/500/1000",
                "adc": "ADC AX", "dce": "Quick3D DYNAMIC AX", "dixon": "Quick3D WFS AX", "echoes": "FE2D T2* multi AX",
                "ct": "Body 3.0 CE",
            },
            types={
                "image": "ORIGINAL PRIMARY", "dwi": "ORIGINAL PRIMARY", "adc": "DERIVED SECONDARY ADC",
                "ct": "ORIGINAL PRIMARY AXIAL",
            },
            dixon={
                "inphase": "ORIGINAL PRIMARY IN_PHASE", "opposed": "ORIGINAL PRIMARY OUT_PHASE",
                "water": "DERIVED PRIMARY WATER", "fat": "DERIVED PRIMARY FAT",
            },
            clock="position", b=("standard",), apart=("dixon",), counts=("images",),
        ),
        Vendor(
            name="hitachi",
            equipment=_equipment("Hitachi Medical Corporation", "ECHELON Oval", "V4.1D", 1.5, "H0441"),
            ct=_ct("Hitachi Medical Corporation", "Supria", "V3.2", "SU55", "32"),
            words={
                "t2ax": "AX T2 FSE", "t2sag": "SAG T2 FSE", "t1": "AX T1 FSE", "dwi": "AX DWI EPI", "adc": "AX ADC MAP",
                "dce": "AX TIGRE DYNAMIC", "dixon": "AX T1 3D FatSep", "echoes": "AX GE MULTI ECHO T2*",
                "ct": "Pelvis 2.5mm",
            },
            types={
                "image": "ORIGINAL PRIMARY OTHER", "dwi": "ORIGINAL PRIMARY OTHER", "adc": "DERIVED SECONDARY ADC",
                "ct": "ORIGINAL PRIMARY AXIAL",
            },
            dixon={
                "inphase": "ORIGINAL PRIMARY IN_PHASE", "opposed": "ORIGINAL PRIMARY OUT_PHASE",
                "water": "DERIVED PRIMARY WATER", "fat": "DERIVED PRIMARY FAT",
            },
            clock="time", b=("standard",), apart=("dixon",),
        ),
        Vendor(
            name="uih",
            equipment=_equipment("UIH", "uMR 790", "V10", 3, "200123"),
            ct=_ct("UIH", "uCT 780", "R001", "310022", "B_SOFT_B"),
            words={
                "t2ax": "t2_fse_tra", "t2sag": "t2_fse_sag", "t1": "t1_fse_tra", "dwi": "epi_dwi_tra_b50_800_1500",
                "adc": "epi_dwi_tra_ADC", "dce": "t1_quick3d_tra_fs_dyn", "dixon": "t1_quick3d_wfi_tra",
                "echoes": "gre_t2star_multiecho_tra", "ct": "Pelvis 3.0 B_SOFT_B",
            },
            types={
                "image": "ORIGINAL PRIMARY M NORM", "dwi": "ORIGINAL PRIMARY DIFFUSION TRACEW",
                "adc": "DERIVED PRIMARY DIFFUSION ADC", "ct": "ORIGINAL PRIMARY AXIAL",
            },
            dixon={
                "inphase": "ORIGINAL PRIMARY M IN_PHASE", "opposed": "ORIGINAL PRIMARY M OPP_PHASE",
                "water": "DERIVED PRIMARY M WATER", "fat": "DERIVED PRIMARY M FAT",
            },
            clock="series", b=("uih", "standard"), apart=("dixon", "dwi"),
        ),
        Vendor(
            name="fujifilm",
            equipment=_equipment("FUJIFILM Healthcare Corporation", "ECHELON Synergy", "V10.0", 1.5, "FJ0102"),
            ct=_ct("FUJIFILM Healthcare Corporation", "SCENARIA View", "V2.0", "SV204", "36"),
            words={
                "t2ax": "T2 FSE AX", "t2sag": "T2 FSE SAG", "t1": "T1 FSE AX", "dwi": "DWI AX b0 b500 b1000",
                "adc": "ADC map AX", "dce": "TIGRE dyn AX +C", "dixon": "T1 3D FatSep AX", "echoes": "T2* ME AX",
                "ct": "ABD 3mm",
            },
            types={
                "image": "ORIGINAL PRIMARY OTHER", "dwi": "ORIGINAL PRIMARY OTHER", "adc": "DERIVED PRIMARY ADC",
                "ct": "ORIGINAL PRIMARY AXIAL",
            },
            dixon={
                "inphase": "ORIGINAL PRIMARY IN_PHASE", "opposed": "ORIGINAL PRIMARY OUT_PHASE",
                "water": "DERIVED PRIMARY WATER", "fat": "DERIVED PRIMARY FAT",
            },
            clock="position", b=("standard",), apart=("dixon",), counts=("images",),
        ),
        Vendor(
            name="toshiba",
            equipment=_equipment("TOSHIBA", "Titan 3T", "V3.10*R002", 3, "TO2201"),
            ct=_ct("TOSHIBA", "Aquilion ONE", "V6.2ER003", "AQ100", "FC08"),
            words={
                "t2ax": "T2W FASE AX", "t2sag": "T2W FSE SAG", "t1": "T1W FSE AX", "dwi": "DWI AX b0-1000",
                "adc": "ADC", "dce": "QUICK3Ds dynamic AX", "dixon": "FE3D T1 WFS AX", "echoes": "FE2D T2* multi echo",
                "ct": "Abdomen CE 2.0",
            },
            types={
                "image": "ORIGINAL PRIMARY", "dwi": "ORIGINAL PRIMARY", "adc": "DERIVED SECONDARY",
                "ct": "ORIGINAL PRIMARY AXIAL",
            },
            dixon={
                "inphase": "ORIGINAL PRIMARY IN_PHASE", "opposed": "ORIGINAL PRIMARY OUT_PHASE",
                "water": "DERIVED PRIMARY WATER", "fat": "DERIVED PRIMARY FAT",
            },
            clock="time", b=("standard",), apart=("dixon",),
        ),
    )
}  # fmt: skip

B_VALUES = {"siemens": (50, 400, 1000), "uih": (50, 800, 1500), "canon": (0, 500, 1000), "fujifilm": (0, 500, 1000)}
OTHER_B_VALUES = (0, 400, 1000)
