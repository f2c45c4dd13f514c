"""Checks of voxels: what was done to a sound image is found, and nothing is found in the sound one."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pixelmaker import body, codes, found_in, pixels_of
from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import RLELossless
from stackmaker import axial, only_stack, unchanging_stacks_below, write_series

from trialbids.exporter.convert import convert
from trialbids.exporter.errors import ConversionError
from trialbids.exporter.harmonise import harmonise
from trialbids.exporter.inventory.objects import materialise
from trialbids.exporter.qc.pixels.checks import check_pixels
from trialbids.exporter.qc.pixels.codestreams import damaged
from trialbids.exporter.qc.pixels.failures import code_of
from trialbids.exporter.qc.pixels.picture import Picture
from trialbids.exporter.qc.pixels.same import other_voxels
from trialbids.exporter.qc.pixels.stored import files_at_hand
from trialbids.exporter.qc.pixels.view import Pixels
from trialbids.mappings.record import Record
from trialbids.mappings.rules import load_rules


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("noise", [0.0, 12.0, 80.0])
def test_nothing_is_found_in_a_sound_image(seed, noise):
    assert found_in(body(seed, noise=noise)) == ()


def test_a_constant_slice_is_an_error_inside_an_original_and_a_warning_elsewhere():
    inside, end = body(), body()
    inside[:, :, 6] = 0
    end[:, :, :2] = 300
    assert codes(found_in(inside))[0] == "P01e"
    assert "slice 7" in found_in(inside)[0].message
    assert codes(found_in(end)) == ["P01w"]
    assert "P01e" not in codes(found_in(inside, Record(sequence="ADC"), ImageType=("DERIVED", "PRIMARY", "ADC")))
    assert codes(found_in(inside, Record(sequence="ADC")))[0] == "P01w"


def test_a_constant_slice_names_its_instance():
    voxels = np.stack([body(0), body(0) * 0.5], axis=3)
    voxels[:, :, 4, 1] = 7
    (finding,) = (f for f in found_in(voxels) if f.check == "P01")
    assert finding.message.endswith("slice 5 of volume 2")
    assert [place[0] for place in finding.evidence.instances] == ["/data/0001/1-0004.dcm"]


def test_what_is_no_number_is_found():
    voxels = body()
    voxels[3, 4, 5] = np.nan
    assert codes(found_in(voxels, dtype=np.float32)) == ["P02w"]


def test_values_beyond_bits_stored_are_found_in_the_image_too():
    voxels = body()
    voxels[30, 30, 4] = 5000
    (finding,) = found_in(voxels)
    assert (finding.check, finding.message) == ("P02", "values in 1 slices are outside of what 12 bits can hold")
    assert found_in(voxels, BitsStored=16) == ()


@pytest.mark.parametrize("share", [0.01, 0.05, 0.3])
@pytest.mark.parametrize("ceiling", [None, 4095])
def test_clipped_values_are_found_wherever_the_ceiling_lies(share, ceiling):
    voxels = body()
    top = np.quantile(voxels[voxels > 200], 1 - share)
    if ceiling:
        voxels, top = voxels * (ceiling / top), ceiling
    assert codes(found_in(np.minimum(voxels, top))) == ["P03w"]


def test_a_drawing_of_few_values_is_not_clipped():
    drawn = np.round(body(noise=0) / 150) * 150
    assert "P03w" not in codes(found_in(drawn))


def test_a_rescale_that_varies_is_found_only_where_it_was_not_applied():
    slopes = [1.0 + 0.1 * k for k in range(14)]
    pixels = pixels_of(body())
    rows = tuple(replace(i, RescaleSlope=s) for i, s in zip(pixels.stack.instances, slopes, strict=True))
    stack = replace(pixels.stack, instances=rows)
    assert codes(check_pixels(Pixels(pixels.picture, stack, pixels.record))) == ["P04w"]
    applied = pixels_of(body(), dtype=np.float32).picture
    assert check_pixels(Pixels(applied, stack, pixels.record)) == ()


@pytest.mark.parametrize("share", [0.05, 0.5])
@pytest.mark.parametrize("many", [1, 6])
def test_a_rescale_that_the_stored_values_do_not_follow_is_found_unless_it_is_that_of_positrons(share, many):
    slopes = np.ones(14)
    slopes[np.random.default_rng(many).choice(np.arange(1, 13), many, replace=False)] += share
    pixels = pixels_of(body() * slopes, dtype=np.float32)  # as a converter applies it
    for modality, said in (("MR", ["P04w"]), ("PT", [])):
        rows = tuple(
            replace(i, RescaleSlope=float(s), Modality=modality)
            for i, s in zip(pixels.stack.instances, slopes, strict=True)
        )
        found = codes(check_pixels(Pixels(pixels.picture, replace(pixels.stack, instances=rows), pixels.record)))
        assert [code for code in found if code == "P04w"] == said


def test_a_rescale_is_found_by_the_air_of_a_ct_whose_tissue_lies_around_nought():
    voxels, slopes = np.clip(body() * 0.2 - 100, -1000, None), np.ones(14)
    voxels[body(noise=0) == 0] = -1000
    slopes[6] = 1.05
    pixels = pixels_of(voxels * slopes, dtype=np.float32)
    rows = tuple(
        replace(i, RescaleSlope=float(s), Modality="CT", PixelRepresentation=1, BitsStored=16)
        for i, s in zip(pixels.stack.instances, slopes, strict=True)
    )
    ct = Pixels(pixels.picture, replace(pixels.stack, instances=rows), Record(sequence="CT"))
    assert "P04w" in codes(check_pixels(ct))


@pytest.mark.parametrize("factor", [0.4, 0.8, 1.25, 3.0])
@pytest.mark.parametrize("where", [slice(6, 7), slice(7, None), slice(1, 2)], ids=["one", "from", "second"])
def test_a_jump_of_intensity_is_found(factor, where):
    voxels = body()
    voxels[:, :, where] *= factor
    assert "P05w" in codes(found_in(voxels))


def test_fading_towards_the_ends_is_no_jump():
    profile = np.clip(np.sin(np.linspace(0.15, np.pi - 0.15, 14)) * 1.5, 0, 1)
    assert found_in(body() * profile) == ()


@pytest.mark.parametrize("a,b", [(6, 7), (3, 9), (0, 8), (2, 13)])
def test_exchanged_slices_are_found(a, b):
    voxels = body()
    voxels[:, :, [a, b]] = voxels[:, :, [b, a]]
    assert "P06w" in codes(found_in(voxels))


def test_a_foreign_slice_noise_and_a_shuffled_stack_are_found():
    foreign, noise, order = body(), body(), np.random.default_rng(3).permutation(14)
    foreign[:, :, 5] = body(seed=9)[:, :, 7].T
    noise[:, :, 5] = np.random.default_rng(1).permutation(noise[:, :, 5].ravel()).reshape(96, 96)
    for voxels in (foreign, noise, body()[:, :, order]):
        assert "P06w" in codes(found_in(voxels))


def test_noise_alone_is_not_judged():
    noise = np.random.default_rng(0).integers(0, 4000, (64, 64, 12))
    assert "P06w" not in codes(found_in(noise))


def test_colours_that_a_scanner_does_not_measure_are_an_error():
    assert codes(found_in(body(), PhotometricInterpretation="MONOCHROME1")) == ["P07e"]
    assert found_in(body(), PhotometricInterpretation="MONOCHROME1", Modality="DX") == ()
    assert found_in(body(), Record(sequence="ADC"), PhotometricInterpretation="RGB") == ()


def test_text_that_a_person_allowed_is_said():
    pixels = pixels_of(body())
    assert codes(check_pixels(Pixels(pixels.picture, pixels.stack, pixels.record, has_text=True))) == ["P08w"]


def test_eight_bits_are_found_in_an_original_alone():
    screen = np.clip(body() / 800 * 255, 0, 255).round()
    stretched = np.round(screen * 3.7)
    assert "P10w" in codes(found_in(screen))
    assert "P10w" in codes(found_in(stretched))
    assert "P10w" in codes(found_in(body() / 8, BitsStored=8))
    assert "P10w" not in codes(found_in(body() / 8))
    assert "P10w" not in codes(found_in(screen, ImageType=("DERIVED", "SECONDARY")))


@settings(max_examples=6, deadline=None)
@given(st.floats(0.3, 4.0), st.integers(0, 30))
def test_findings_do_not_depend_on_the_gain_or_on_the_direction_of_the_slices(gain, seed):
    voxels = body(seed % 5)
    voxels[:, :, 2 + seed % 9] *= 1.6
    ours = set(codes(found_in(voxels, BitsStored=16)))
    assert set(codes(found_in(voxels * gain, BitsStored=16))) == ours
    assert set(codes(found_in(voxels[:, :, ::-1], BitsStored=16))) == ours


def test_a_check_that_fails_is_said_and_stops_nothing():
    pixels = pixels_of(body())
    broken = Pixels(pixels.picture, replace(pixels.stack, volume=()), pixels.record, has_text=True)
    assert {"Q99w", "P08w"} & set(codes(check_pixels(broken)))


@pytest.fixture
def written(tmp_path):
    """A series on disk whose slices are those of a body, as (stack, volume, paths)."""

    def make(change=lambda images: None, **header):
        images = [np.ascontiguousarray(body()[:, ::-1, k].T.astype(np.uint16)) for k in range(14)]
        change(images)
        write_series(
            tmp_path / "in", axial(14), Rows=96, Columns=96, PixelData=[image.tobytes() for image in images], **header
        )
        stack = only_stack(tmp_path / "in")
        return stack, convert(stack, materialise, tmp_path), files_at_hand(stack, {})

    return make


def test_values_that_bits_stored_cannot_hold_are_found_in_the_files(written):
    def raise_one(images):
        images[3][40, 40] |= 0x2000

    stack, volume, paths = written(raise_one, BitsStored=12, HighBit=11)
    (finding,) = check_pixels(Pixels(Picture(volume), stack, Record(sequence="T2w"), paths=paths))
    assert finding.check == "P02"
    assert finding.evidence.instances[0] == stack.instances[3].key


def test_other_voxels_than_those_of_the_dicom_are_an_error(written):
    stack, volume, paths = written()
    record = Record(sequence="T2w")
    assert check_pixels(Pixels(Picture(volume), stack, record, paths=paths)) == ()
    turned = volume.but(voxels=np.asfortranarray(volume.voxels[::-1]))
    one = volume.voxels.copy(order="F")
    one[5, 5, -1] += 1
    for wrong in (turned, volume.but(voxels=one)):
        assert codes(check_pixels(Pixels(Picture(wrong), stack, record, paths=paths))) == ["P09e"]
        assert codes(check_pixels(Pixels(Picture(wrong), stack, record, paths=paths, changed=True))) == []


def test_two_exchanged_slices_and_one_altered_voxel_are_found_wherever_they_are(written):
    stack, volume, paths = written()
    for k in range(14):
        exchanged, altered = volume.voxels.copy(order="F"), volume.voxels.copy(order="F")
        exchanged[:, :, [k, (k + 1) % 14]] = volume.voxels[:, :, [(k + 1) % 14, k]]
        altered[30, 31, k] += 1
        for n, voxels in ((2, exchanged), (1, altered)):
            pixels = Pixels(Picture(volume.but(voxels=voxels)), stack, Record(sequence="T2w"), paths=paths)
            assert [e.message.split()[0] for e in other_voxels(pixels, 0)] == [str(n)]


def test_run_lengths_that_break_off_are_found_wherever_they_are(written):
    stack, _, paths = written()
    for k in (1, 8, 12):
        dataset = dcmread(next(path for (name, _), path in paths.items() if name == stack.instances[k].path))
        whole = dataset.pixel_array
        dataset.compress(RLELossless, whole)
        dataset.save_as(dataset.filename)
    stack = only_stack(Path(stack.first.path).parent)
    volume = convert(stack, materialise, Path(stack.first.path).parents[1])
    pixels = Pixels(Picture(volume), stack, Record(sequence="T2w"), paths=files_at_hand(stack, {}))
    assert list(damaged(pixels, 0)) == []
    cut = dcmread(stack.instances[8].path)
    (frame,) = generate_frames(cut.PixelData, number_of_frames=1)
    cut.PixelData = encapsulate([frame[: len(frame) * 9 // 10 & ~1]])
    cut.save_as(cut.filename)
    (evidence,) = damaged(Pixels(Picture(volume), stack, Record(sequence="T2w"), paths=pixels.paths), 0)
    assert evidence.instances == (stack.instances[8].key,)
    assert evidence.message == "the compressed pixels of 1 of 3 objects are damaged"


def test_reasons_of_conversion_have_the_code_of_their_check():
    assert code_of("undecodable") == "F03"
    assert code_of("no-geometry") == "G01"
    assert code_of("never heard of") == "F03"


@pytest.fixture(scope="module")
def real(real_data, tmp_path_factory):
    """(harmonised, volume) of real stacks: one of each kind, for more of a kind tell no more."""
    scratch, kinds, found = tmp_path_factory.mktemp("scratch"), set(), []
    with (real_data / "expected_series.csv").open(newline="", encoding="utf-8") as file:
        uids = {row["series_uid"] for row in csv.DictReader(file) if row["sound"] == "yes"}
    stacks = unchanging_stacks_below(real_data / "dicom")
    sound = {stack.stack_id for stack in stacks if uids & set(stack.series_uids)}
    for h in harmonise(stacks, load_rules()):
        first = h.stack.first
        kind = (first.Manufacturer[:2].upper(), h.stack.n_volumes > 1, h.record.sequence, h.record.derived)
        if kind in kinds or h.stack.stack_id not in sound:
            continue
        kinds.add(kind)
        try:
            found.append((h, convert(h.stack, materialise, scratch)))
        except ConversionError as error:
            assert error.reason == "no-geometry", error
    assert len(found) >= 10
    return found


def test_sound_real_images_raise_nothing(real):
    for h, volume in real:
        paths = files_at_hand(h.stack, {})
        assert check_pixels(Pixels(Picture(volume), h.stack, h.record, paths=paths)) == (), h.stack.first.path
