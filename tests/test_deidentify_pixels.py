"""Text burned into pixels is found where it is, clean stacks are not looked at twice, and no reading is kept."""

from __future__ import annotations

import socket
from dataclasses import fields

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont
from stackmaker import only_stack, unchanging_stacks_below, write_series

from trialbids.exporter.convert import convert
from trialbids.exporter.deidentify.pixels import Text, find_text
from trialbids.exporter.deidentify.pixels.engine import Box
from trialbids.exporter.deidentify.pixels.view import as_shown
from trialbids.exporter.errors import ConversionError
from trialbids.exporter.inventory.objects import materialise

NAME = "DOE^JANE 1961"


def anatomy(slices=8, rows=128, columns=160, seed=0):
    """A noisy ellipse that grows from slice to slice: (slice, row, column) of int16."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :columns]
    images = []
    for k in range(slices):
        inside = ((y - rows / 2) / (30 + k)) ** 2 + ((x - columns / 2) / (45 + k)) ** 2 < 1
        signal = np.where(inside, 400 + 150 * np.sin(x / 9 + k) * np.cos(y / 7), 0)
        images.append(np.hypot(signal + rng.normal(0, 15, signal.shape), rng.normal(0, 15, signal.shape)))
    return np.stack(images).astype(np.int16)


def write(image, row, column, value=900, size=14, text=NAME, smooth=False):
    """Draw into one slice (row, column), in place; returns the height and width of the drawn text."""
    font = ImageFont.load_default(size)
    left, top, right, bottom = (int(v) for v in font.getbbox(text))
    mask = Image.new("L" if smooth else "1", (right - left, bottom - top))
    ImageDraw.Draw(mask).text((-left, -top), text, fill=255 if smooth else 1, font=font)
    share = np.asarray(mask.convert("L"), np.float32) / 255
    patch = image[row : row + share.shape[0], column : column + share.shape[1]]
    patch[...] = np.round(patch * (1 - share) + value * share)
    return share.shape


def nifti(stack):
    """As dcm2niix lays out axial slices: columns, rows from the last, slices."""
    return np.asfortranarray(stack[:, ::-1].transpose(2, 1, 0))


def meets(text, row, column, shape):
    down = text.row < row + shape[0] and row < text.row + text.rows
    return down and text.column < column + shape[1] and column < text.column + text.columns


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize(("row", "column"), [(3, 4), (60, 40), (110, 46)])
def test_text_on_one_slice_is_found_where_it_is(row, column, smooth):
    stack = anatomy()
    shape = write(stack[5], row, column, smooth=smooth)
    found = find_text(nifti(stack), np.eye(4))
    assert found and all(text.slice == 5 for text in found)
    assert any(meets(text, row, column, shape) for text in found)


def test_faint_text_on_anatomy_is_found():
    stack = anatomy()
    write(stack[3], 55, 40, value=int(np.median(stack[3, 55:70, 40:120])) + 90)
    assert {text.slice for text in find_text(nifti(stack), np.eye(4))} == {3}


def test_smooth_text_on_every_slice_is_found_in_the_projection():
    stack = anatomy(slices=12)
    for image in stack:
        write(image, 4, 5, size=11, smooth=True)
        image[2:20] += np.random.default_rng(1).integers(0, 2, image[2:20].shape, dtype=np.int16)  # no equal neighbours
    found = find_text(nifti(stack), np.eye(4))
    assert any(meets(text, 4, 5, (11, 80)) for text in found)


def test_a_stack_without_text_does_not_reach_the_detector():
    def never(_):
        raise AssertionError("the detector was asked")

    for seed in range(5):
        assert find_text(nifti(anatomy(seed=seed)), np.eye(4), None, never) == ()


@pytest.mark.parametrize(
    ("dtype", "scale"), [(np.uint8, 0.25), (np.uint16, 1), (np.int32, 1), (np.float32, 1e-3), (np.float64, 1e4)]
)
def test_every_type_of_voxels(dtype, scale):
    stack = anatomy()
    write(stack[2], 3, 4)
    assert find_text(nifti((stack * scale).astype(dtype)), np.eye(4))


def test_colours_and_series_of_volumes():
    stack = anatomy()
    write(stack[2], 3, 4)
    grey = nifti((stack // 4).astype(np.uint8))
    rgb = np.zeros(grey.shape, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    for colour in "RGB":
        rgb[colour] = grey
    assert find_text(rgb, np.eye(4))
    drawn, clean = nifti(stack), nifti(anatomy())
    assert find_text(np.stack([drawn, drawn + 1], axis=3), np.eye(4))
    assert find_text(np.stack([clean], axis=3), np.eye(4)) == ()


def test_what_is_handed_back_can_hold_no_reading():
    assert {field.name for field in fields(Text)} == {"slice", "row", "column", "rows", "columns", "score"}
    stack = anatomy()
    write(stack[5], 3, 4)
    assert "DOE" not in repr(find_text(nifti(stack), np.eye(4)))


def test_nothing_is_fetched(monkeypatch):
    def refuse(*_):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    stack = anatomy()
    write(stack[5], 3, 4)
    assert find_text(nifti(stack), np.eye(4))


@pytest.mark.parametrize(
    "orientation", [(1, 0, 0, 0, 1, 0), (0, 1, 0, 0, 0, -1), (1, 0, 0, 0, 0, -1), (-1, 0, 0, 0, -1, 0)]
)
def test_text_in_dicom_is_found_after_conversion_whatever_the_plane(tmp_path, orientation):
    """The converter may turn the voxels as it likes: what was upright on the screen is looked at upright."""
    stack = anatomy(slices=7)
    write(stack[2], 20, 30)
    normal = np.cross(orientation[:3], orientation[3:])
    write_series(
        tmp_path / "in",
        [tuple(float(v) for v in 4.0 * k * normal) for k in range(7)],
        Rows=128,
        Columns=160,
        ImageOrientationPatient=[float(v) for v in orientation],
        PixelData=[image.astype(np.uint16).tobytes() for image in stack],
    )
    made = only_stack(tmp_path / "in")
    volume = convert(made, materialise, tmp_path)
    found = find_text(volume.voxels, volume.affine, made.first.ImageOrientationPatient)
    assert any(meets(text, 20, 30, (14, 90)) for text in found)


@settings(max_examples=25, deadline=None)
@given(
    axes=st.permutations(range(3)),
    signs=st.tuples(*[st.sampled_from((1, -1))] * 3),
    orientation=st.sampled_from(
        [(1, 0, 0, 0, 1, 0), (0, 1, 0, 0, 0, -1), (1, 0, 0, 0, 0, -1), (0.8, 0.6, 0, 0, 0, -1)]
    ),
)
def test_however_voxels_are_turned_they_are_shown_the_same(axes, signs, orientation):
    stack = np.arange(3 * 4 * 5).reshape(3, 4, 5)
    to_ras = np.array((-1, -1, 1))
    rows, columns = np.array(orientation[3:]) * to_ras, np.array(orientation[:3]) * to_ras
    directions = np.stack([np.cross(rows, columns), rows, columns], axis=1)  # of slice, row, column
    voxels, affine = stack.transpose(axes), np.eye(4)
    for place, (axis, sign) in enumerate(zip(axes, signs, strict=True)):
        affine[:3, place] = 2 * sign * directions[:, axis]
        voxels = np.flip(voxels, place) if sign < 0 else voxels
    shown = as_shown(voxels, affine, orientation)
    flipped = signs[axes.index(0)] < 0  # the order of slices is the volume's own
    assert np.array_equal(shown, stack[::-1] if flipped else stack)


def test_without_an_orientation_rows_run_as_dcm2niix_stores_them():
    stack = anatomy(slices=2)
    for unknown in (None, (), (float("nan"),) * 6):
        assert np.array_equal(as_shown(nifti(stack), np.eye(4), unknown), stack)


@pytest.mark.parametrize("shape", [(1, 1, 1), (15, 200, 3), (16, 16, 1), (40, 17, 2), (40, 41, 5, 1, 2)])
@pytest.mark.parametrize("fill", [0, 7])
def test_small_and_empty_volumes_have_no_text(shape, fill):
    assert find_text(np.full(shape, fill, np.int16), np.eye(4)) == ()


def test_what_is_not_a_number_is_no_text():
    voxels = nifti(anatomy()).astype(np.float32)
    voxels[:50] = np.nan
    voxels[50:60] = np.inf
    assert find_text(voxels, np.eye(4), None, lambda _: []) == ()


def test_a_box_beside_the_suspect_window_is_not_counted():
    stack = anatomy()
    write(stack[5], 3, 4)
    assert find_text(nifti(stack), np.eye(4), None, lambda _: [Box(70, 100, 5, 20, 0.9)]) == ()


def test_few_real_stacks_reach_the_detector(real_data, tmp_path):
    """About one in twenty may; the page has the figures for all stacks."""
    checked, reached, kinds = 0, set(), set()
    for stack in unchanging_stacks_below(real_data / "dicom"):
        kind = stack.first.Manufacturer, stack.first.Rows, stack.first.Columns, len(stack.instances)
        if kind in kinds or len(stack.instances) > 40:
            continue
        kinds.add(kind)
        try:
            volume = convert(stack, materialise, tmp_path)
        except ConversionError:
            continue
        checked += 1

        def asked(_, name=stack.stack_id):
            reached.add(name)
            return []

        find_text(volume.voxels, volume.affine, stack.first.ImageOrientationPatient, asked)
    assert checked > 15
    assert len(reached) <= 3


def test_opencv_is_the_headless_one_and_there_is_only_one():
    """The text detector asks for the same OpenCV as we do: two distributions would overwrite each other's files."""
    from importlib.metadata import distributions

    names = {(d.metadata["Name"] or "").lower() for d in distributions()}
    assert {name for name in names if name.startswith("opencv")} == {"opencv-python-headless"}
    assert cv2.__version__
