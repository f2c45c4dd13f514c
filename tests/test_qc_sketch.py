"""Images of one session beside each other: diffusion and its ADC map, the phases of a dynamic acquisition."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from pixelmaker import body, codes, stack_of, volume_of

from trialbids.exporter.qc.pixels.picture import Picture
from trialbids.exporter.qc.pixels.reduce import area_means
from trialbids.exporter.qc.pixels.sessions import check_siblings
from trialbids.exporter.qc.pixels.siblings import Siblings
from trialbids.exporter.qc.pixels.sketch import sketch_of
from trialbids.exporter.qc.pixels.view import Pixels
from trialbids.mappings.record import Record

B = (0.0, 400.0, 800.0)
TRACE, ADC = Record(sequence="trace", bvalues=B), Record(sequence="ADC")


def diffusivity(seed: int = 0) -> np.ndarray:
    """(x, y, slices) in mm²/s, smooth, 0.8 to 2.4e-3."""
    x, y, z = np.meshgrid(np.linspace(-1, 1, 96), np.linspace(-1, 1, 96), np.linspace(-1, 1, 14), indexing="ij")
    a, b, c = np.random.default_rng(seed).uniform(2, 5, 3)
    return (1.6 + 0.8 * np.sin(a * x + 1) * np.cos(b * y + c * z)) * 1e-3


def trace(adc: np.ndarray | None = None, bvalues=B) -> np.ndarray:
    """(x, y, slices, volumes) what is measured at each b-value."""
    adc = diffusivity() if adc is None else adc
    rest = body(noise=0)
    rng = np.random.default_rng(1)
    signal = np.stack([2 * rest * np.exp(-b * adc) for b in bvalues], axis=3)
    return np.hypot(signal + rng.normal(0, 8, signal.shape), rng.normal(0, 8, signal.shape))


def adc_map(adc: np.ndarray | None = None, factor: float = 1e6) -> np.ndarray:
    """(x, y, slices) the map that a scanner stores."""
    return (diffusivity() if adc is None else adc) * factor * (body(noise=0) > 0)


def sketch(voxels, record, number, bvalues=(), unit="", dtype=np.int16, **header):
    stack = stack_of(voxels, bvalues, number, RescaleType=unit, **header)
    return sketch_of(Pixels(Picture(volume_of(voxels, dtype=dtype)), stack, record))


def said(*parts) -> list[str]:
    """What the checks say of (sketch, record) pairs."""
    siblings = Siblings({s.stack_id: s for s, _ in parts}, {s.stack_id: r for s, r in parts})
    return codes(check_siblings(siblings, "session"))


def with_adc(measured=None, theirs=None, bvalues=B, **changes) -> list[str]:
    one = sketch(trace() if measured is None else measured, TRACE, 1, bvalues)
    other = sketch(adc_map() if theirs is None else theirs, ADC, 2, **changes)
    return said((one, TRACE), (other, ADC))


def test_a_sketch_keeps_means_and_is_small():
    voxels = np.random.default_rng(0).integers(0, 4000, (200, 130, 5))
    made = sketch(voxels, ADC, 1)
    assert made.values.shape == (1, 96, 65, 5)
    assert made.values.dtype == np.float32
    assert made.values[0].mean(axis=(0, 1)) == pytest.approx(voxels.mean(axis=(0, 1)), rel=1e-4)
    assert made.shape == (200, 130, 5)
    assert pickle.loads(pickle.dumps(made)).stack_id == "s1"


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_images_are_reduced_alike_whichever_axis_the_slices_have(axis):
    images = np.random.default_rng(0).normal(0, 1, (192, 7, 192)).astype(np.float32).transpose(1, 0, 2)
    lying = np.ascontiguousarray(np.moveaxis(images, 0, axis))
    small = np.moveaxis(area_means(lying, axis), axis, 0)
    expected = images.reshape(7, 96, 2, 96, 2).mean(axis=(2, 4))
    assert small == pytest.approx(expected, abs=1e-5)


def test_volumes_of_one_b_value_are_one():
    voxels = trace(bvalues=(0, 800, 0, 800, 800))
    made = sketch(voxels, TRACE, 1, (0.0, 800.0, 0.0, 800.0, 800.0))
    assert made.bvalues == (0.0, 800.0)
    assert made.values[1] == pytest.approx(voxels[..., [1, 3, 4]].astype(np.int16).mean(axis=3), abs=0.1)


def test_only_images_with_siblings_have_a_sketch():
    assert sketch(body(), Record(sequence="T2w"), 1) is None
    assert sketch(body(), Record(sequence="T1w", phase_index=2), 1) is not None


@pytest.mark.parametrize(("factor", "unit"), [(1e6, ""), (1e3, ""), (1e6, "10^-6 mm2/s"), (1e6, "um2/s")])
def test_nothing_is_said_of_diffusion_and_its_map(factor, unit):
    voxels = adc_map(factor=factor)
    assert with_adc(theirs=voxels, unit=unit, dtype=np.float32) == []


def test_a_map_on_another_grid_is_found():
    assert with_adc(theirs=adc_map()[:, :, :12]) == ["B06w"]


def test_an_image_that_cannot_be_placed_has_no_sketch():
    assert sketch(adc_map(), ADC, 2, PixelSpacing=(2.5, 2.5)) is None


@pytest.mark.parametrize(("factor", "unit"), [(1e4, ""), (1e7, ""), (1e3, "10^-6 mm2/s"), (1e6, "10^-3 mm2/s")])
def test_units_that_make_no_diffusivity_are_found(factor, unit):
    assert with_adc(theirs=adc_map(factor=factor), unit=unit, dtype=np.float32) == ["B07w"]


def test_a_map_of_something_else_is_found():
    assert with_adc(theirs=adc_map(diffusivity(5))) == ["B08w"]
    assert with_adc(theirs=adc_map()[::-1]) == ["B08w"]


def test_b_values_that_were_exchanged_are_found():
    assert "B09w" in with_adc(measured=trace()[..., [0, 2, 1]])
    assert "B09w" in with_adc(measured=trace()[..., [2, 1, 0]])


def test_a_computed_b_value_is_not_asked():
    calc = Record(sequence="trace", bvalues=(1600.0,), derived=("calc",))
    computed = sketch(body(3) * 5, calc, 3, (1600.0,))
    measured = sketch(trace(), TRACE, 1, B)
    adc = sketch(adc_map(), ADC, 2)
    assert said((measured, TRACE), (adc, ADC), (computed, calc)) == []


def phases(gain: float, agent: str, n: int = 9) -> list:
    """A dynamic acquisition in which two organs become ``gain`` times as bright."""
    x, y = np.meshgrid(np.linspace(-1, 1, 96), np.linspace(-1, 1, 96), indexing="ij")
    organs = ((x - 0.3) ** 2 + y**2 < 0.04) | ((x + 0.3) ** 2 + y**2 < 0.02)
    parts = []
    for k in range(n):
        brighter = 1 + (gain - 1) * organs[..., np.newaxis] * min(1, max(0, k - 2) / 3)
        record = Record(sequence="DCE", phase_index=k + 1, phase_time_s=10.0 * k, agent="with" if k > 2 else "without")
        voxels = body(noise=0) * brighter + np.random.default_rng(k).normal(0, 12, (96, 96, 14))
        parts.append((sketch(np.abs(voxels), record, k + 1, ContrastBolusAgent=agent), record))
    return parts


@pytest.mark.parametrize(
    ("gain", "agent", "expected"),
    [
        (1.6, "Gadovist", []),
        (1.6, "", ["T07i"]),
        (1.0, "", ["T06w"]),
        (1.0, "Gadovist", ["T06w", "T07w"]),
        (1.08, "Gadovist", ["T06w", "T07w"]),
    ],
)
def test_enhancement_and_what_the_header_says(gain, agent, expected):
    assert said(*phases(gain, agent)) == expected


def dixon(product: str, gain: float, agent: str, n: int = 9) -> list:
    """The phases of one Dixon product of the same acquisition."""
    number = {"water": 100, "fat": 200}[product]
    return [
        (replace(s, stack_id=f"s{number + k}"), replace(r, dixon=product))
        for k, (s, r) in enumerate(phases(gain, agent, n))
    ]


@pytest.mark.parametrize("order", [("water", "fat"), ("fat", "water")])
@pytest.mark.parametrize(("gain", "expected"), [(1.6, []), (1.0, ["T06w", "T07w"])])
def test_water_enhances_and_fat_need_not(order, gain, expected):
    products = {"water": dixon("water", gain, "Gadovist"), "fat": [(s, r) for s, r in dixon("fat", 1.0, "Gadovist")]}
    parts = [part for product in order for part in products[product]]
    assert said(*parts) == expected
    siblings = Siblings({s.stack_id: s for s, _ in parts}, {s.stack_id: r for s, r in parts})
    assert sorted(len(d.phases) for d in siblings.dynamic) == [9, 9]
    assert all(len({r.dixon for r in d.records}) == 1 for d in siblings.dynamic)


def test_the_order_of_the_images_does_not_matter():
    parts = phases(1.6, "")
    assert said(*parts[::-1]) == said(*parts) == ["T07i"]


def test_phases_on_other_grids_are_left_out():
    parts = phases(1.0, "")
    odd = replace(parts[4][0], affine=parts[4][0].affine + np.diag([0.5, 0, 0, 0]))
    assert said(*parts[:4], (odd, parts[4][1]), *parts[5:]) == ["T06w"]


def test_findings_name_their_stacks():
    one, other = sketch(trace(), TRACE, 1, B), sketch(adc_map(factor=1e4), ADC, 2, dtype=np.float32)
    (finding,) = check_siblings(Siblings({"s1": one, "s2": other}, {"s1": TRACE, "s2": ADC}), "session")
    assert (finding.check, finding.stacks, finding.subject) == ("B07", ("s2",), "session")
