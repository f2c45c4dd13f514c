"""Faults of diffusion scans: B01 to B09 (B04 needs a protocol: see ``faults_protocol``)."""

from __future__ import annotations

import numpy as np

from .fault import Item, fault, grade
from .faults_geometry import kept, moved, normal, spacing, vector
from .scans import Slice, pixels_of, set_pixels, volumes
from .vendors import B_ELEMENTS, VENDORS, add_b_value

Slices = list[Slice]
Rng = np.random.Generator


def vendor_of(series: Slices) -> str:
    """The name of the maker of a clean scan."""
    made = {v.equipment["Manufacturer"]: v.name for v in VENDORS.values()}
    return made[str(series[0].Manufacturer)]


def weighted(series: Slices) -> dict[int, Slices]:
    """The slices of each acquired b-value."""
    return {int(part[1:]): slices for (kind, part), slices in volumes(series).items() if kind == "dwi"}


def adc_of(series: Slices) -> Slices:
    """The slices of the ADC map."""
    return [ds for ds in series if ds.drawn.kind == "adc"]


@fault("B01", "error", "no b-value", kinds=("dwi",))
def no_b_value(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """Nothing says a b-value any more: no element, standard or private, no sequence name, no word.

    Mild: the ADC is there. Gross: it is not.
    """
    name = vendor_of(series)
    diffusing = [ds for slices in weighted(series).values() for ds in slices]
    for ds in series:
        for tag in (tag for place in VENDORS[name].b for tag in B_ELEMENTS[place]):
            if tag in ds:
                del ds[tag]
        ds.SeriesDescription = ds.ProtocolName = "DWI tra" if ds.drawn.kind == "dwi" else "DWI tra ADC"
    return list(series) if strength < 1 else list(diffusing)


@fault("B01", "error", "private elements removed", kinds=("dwi",), vendors=("siemens", "ge"))
def private_removed(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """A de-identifier took all private elements, in which alone the b-values stood."""
    for ds in series:
        ds.remove_private_tags()
        if "SequenceName" in ds:
            del ds.SequenceName
        ds.SeriesDescription = ds.ProtocolName = "Diffusion" if ds.drawn.kind == "dwi" else "Diffusion ADC"
    return list(series)


@fault("B02", "warning", "two elements disagree", kinds=("dwi",), vendors=("philips", "uih", "siemens"))
def sources_disagree(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """One of two elements says another b-value than the other: by 60 up to 900."""
    b, slices = list(weighted(series).items())[-1]
    other = int(max(0, b - grade(strength, 60, 900)))
    place = {"philips": "standard", "uih": "standard", "siemens": "sequence"}[vendor_of(series)]
    for ds in slices:
        if place == "sequence":
            ds.SequenceName = f"*ep_b{other}t"
        else:
            ds.DiffusionBValue = float(other)
    return list(series)


@fault("B02", "warning", "the standard element added, and wrong", kinds=("dwi",), vendors=("siemens", "ge"))
def standard_wrong(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """An archive has written the standard element beside the private one, with another b-value."""
    for b, slices in weighted(series).items():
        for ds in slices:
            ds.DiffusionBValue = float(b + grade(strength, 60, 900)) if b == max(weighted(series)) else float(b)
    return list(series)


@fault("B03", "error", "the end of a b-value lost", kinds=("dwi",), packed=True)
def end_of_b_lost(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The last slices of one b-value never arrived: one, up to half."""
    slices = _one_b(series, rng)
    return kept(series, slices[-int(grade(strength, 1, len(slices) / 2)) :])


@fault("B03", "error", "inside of a b-value lost", kinds=("dwi",), packed=True)
def inside_of_b_lost(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """Slices inside of one b-value never arrived: one, up to half."""
    slices = _one_b(series, rng)
    count = int(grade(strength, 1, len(slices) / 2))
    start = int(rng.integers(1, len(slices) - count))
    return kept(series, slices[start : start + count])


def _one_b(series: Slices, rng: Rng) -> Slices:
    found = list(weighted(series).values())
    return found[int(rng.integers(len(found)))]


@fault("B05", "warning", "low b-values not sent", kinds=("dwi",))
def low_b_lost(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """No image of b <= 100 is there. Mild: one other b-value is left beside the highest; gross: the highest alone."""
    found = weighted(series)
    low = [b for b in found if b <= 100] if strength < 1 else sorted(found)[:-1]
    return kept(series, [ds for b in low for ds in found[b]])


@fault("B05", "warning", "lowest b-value too high", kinds=("dwi",))
def low_b_high(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The lowest acquired b-value is 120, up to 350."""
    name, lowest = vendor_of(series), min(weighted(series))
    for ds in weighted(series)[lowest]:
        add_b_value(ds, VENDORS[name], int(grade(strength, 120, 350)))
    return list(series)


@fault("B06", "warning", "no ADC", kinds=("dwi",), graded=False)
def no_adc(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The scanner's ADC was not sent."""
    return kept(series, adc_of(series))


@fault("B06", "warning", "ADC on a shifted grid", kinds=("dwi",))
def adc_shifted(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The ADC lies half a voxel to 30 mm beside its diffusion, in plane or along it."""
    adc = adc_of(series)
    along = rng.random() < 0.5
    direction = normal(adc[0]) if along else vector(adc[0], "ImageOrientationPatient")[:3]
    step = spacing(adc) if along else float(adc[0].PixelSpacing[0])
    for ds in adc:
        moved(ds, direction * grade(strength, 0.5 * step, 30.0))
    return list(series)


@fault("B06", "warning", "ADC of another pixel size", kinds=("dwi",))
def adc_resized(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The ADC's pixels are 3 to 100 % larger than those of its diffusion."""
    for ds in adc_of(series):
        ds.PixelSpacing = [f"{float(v) * (1 + grade(strength, 0.03, 1.0)):.5f}" for v in ds.PixelSpacing]
    return list(series)


@fault("B07", "warning", "ADC too large", kinds=("dwi",), trial="pixel")
def adc_too_large(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The rescale slope of the ADC is 4 to 1000 times what it must be."""
    return _rescaled(series, grade(strength, 4.5, 1000.0))


@fault("B07", "warning", "ADC too small", kinds=("dwi",), trial="pixel")
def adc_too_small(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The rescale slope of the ADC is a fourteenth to a two hundredth of what it must be."""
    return _rescaled(series, 1 / grade(strength, 14.0, 200.0))


def _rescaled(series: Slices, factor: float) -> list[Item]:
    for ds in adc_of(series):
        ds.RescaleSlope = f"{float(ds.RescaleSlope) * factor:.8f}"[:16]
    return list(series)


@fault("B08", "warning", "ADC blurred by noise", kinds=("dwi",), trial="pixel")
def adc_noisy(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """So much noise in the ADC that it correlates with the true one by 0.65, down to 0.05."""
    adc = adc_of(series)
    stack = np.stack([pixels_of(ds) for ds in adc]).astype(np.float64)
    inside = stack > 0
    wanted = grade(strength, 0.65, 0.05)
    noise = rng.standard_normal(stack.shape) * stack[inside].std() * np.sqrt(1 / wanted**2 - 1)
    for ds, pixels, own in zip(adc, stack + np.where(inside, noise, 0), inside, strict=True):
        set_pixels(ds, np.where(own, np.clip(np.rint(pixels), 1, 4095), 0))
    return list(series)


@fault("B08", "warning", "ADC mirrored or upside down", kinds=("dwi",), trial="pixel")
def adc_mirrored(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The ADC's pixels are turned by half a turn, its slices in reverse as well where it is gross."""
    adc = adc_of(series)
    stack = [pixels_of(ds)[::-1, ::-1] for ds in adc]
    for ds, pixels in zip(adc, stack[::-1] if strength >= 1 else stack, strict=True):
        set_pixels(ds, pixels)
    return list(series)


@fault("B08", "warning", "ADC inverted", kinds=("dwi",), trial="pixel")
def adc_inverted(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """High where it must be low: an ADC whose grey values were inverted within its body."""
    adc = adc_of(series)
    stack = np.stack([pixels_of(ds) for ds in adc]).astype(np.float64)
    top = np.percentile(stack[stack > 0], 99)
    for ds, pixels in zip(adc, stack, strict=True):
        set_pixels(ds, np.where(pixels > 0, np.clip(top - pixels, 1, 4095), 0))
    return list(series)


@fault("B09", "warning", "b-values exchanged", kinds=("dwi",), trial="pixel")
def b_exchanged(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The images of two b-values have changed places: neighbours where it is mild, lowest and highest where gross."""
    found = weighted(series)
    order = sorted(found)
    low, high = (
        (order[0], order[-1]) if strength >= 1 else (order[0], order[1]) if strength > 0 else (order[-2], order[-1])
    )
    for one, other in zip(found[low], found[high], strict=True):
        one.PixelData, other.PixelData = other.PixelData, one.PixelData
    return list(series)


@fault("B09", "warning", "highest b as bright as the lowest", kinds=("dwi",), trial="pixel")
def high_b_bright(series: Slices, strength: float, rng: Rng) -> list[Item]:
    """The images of the highest b-value are scaled to 1.1 to 2 times the brightness of the lowest."""
    found = weighted(series)
    low, high = found[min(found)], found[max(found)]
    inside = [pixels_of(ds) for ds in low]
    level = np.percentile(np.stack(inside), 60)
    ratio = _median(low, level, inside) / max(_median(high, level, inside), 1) * grade(strength, 1.1, 2.0)
    for ds in high:
        set_pixels(ds, np.clip(np.rint(pixels_of(ds) * ratio), 0, 4095))
    return list(series)


def _median(slices: Slices, level: float, where: list[np.ndarray]) -> float:
    return float(np.median(np.concatenate([pixels_of(ds)[w > level] for ds, w in zip(slices, where, strict=True)])))
