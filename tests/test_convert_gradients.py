"""bval and bvec in FSL's form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_convert_nifti import some, volume

from trialbids.exporter.convert.gradients import bvectors, with_gradients
from trialbids.exporter.inventory.instance import Instance
from trialbids.exporter.stacks.stack import Stack

components = st.floats(-1, 1, allow_nan=False)
vectors = st.tuples(components, components, components).filter(lambda v: np.linalg.norm(v) > 0.1)


def diffusion(bvalues, directions, **changes):
    instances = tuple(
        Instance(path=str(n), ImageOrientationPatient=(1, 0, 0, 0, 1, 0), InstanceNumber=n, **changes)
        for n in range(len(bvalues))
    )
    return Stack(
        stack_id="s", acquisition_id="a", instances=instances, volume=tuple(range(len(bvalues))), n_slices=1,
        n_volumes=len(bvalues), bvalues=tuple(bvalues), directions=tuple(directions),
    )  # fmt: skip


@given(vectors, vectors, st.permutations(range(3)), st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3))
def test_directions_keep_length_and_angle_on_any_axes(one, other, axes, signs):
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3)[:, list(axes)] * signs) * [2, 3, 4]
    unit = [np.array(v) / np.linalg.norm(v) for v in (one, other)]
    bvec = bvectors(diffusion((1000, 1000), (one, other)), affine)
    assert np.linalg.norm(bvec, axis=0) == pytest.approx([1, 1])
    assert bvec[:, 0] @ bvec[:, 1] == pytest.approx(unit[0] @ unit[1], abs=1e-9)


def test_the_first_axis_is_reversed_where_the_image_is_stored_left_to_right():
    stack = diffusion((0, 1000), ((), (1, 0, 0)))
    assert bvectors(stack, np.diag([-1.0, 1, 1, 1])).tolist() == [[0, 1], [0, 0], [0, 0]]
    assert bvectors(stack, np.diag([1.0, 1, 1, 1])).tolist() == [[0, 1], [0, 0], [0, 0]]


def test_a_stack_without_b_values_gets_none_even_if_the_converter_wrote_some():
    adc = volume(some((4, 4, 2)), bval=np.array([800.0]), bvec=np.zeros((3, 1)))
    cleared = with_gradients(adc, diffusion_free())
    assert cleared.bval is None and cleared.bvec is None


def diffusion_free():
    return Stack(
        stack_id="s", acquisition_id="a", instances=(Instance(path="0"),), volume=(0,), n_slices=1, n_volumes=1
    )


@pytest.mark.parametrize("written", [None, np.array([0.0]), np.array([0.0, 0.0])])
def test_the_stack_stands_in_where_the_converter_has_no_or_wrong_b_values(written):
    trace = volume(some((4, 4, 2, 2)), bval=written)
    assert with_gradients(trace, diffusion((0, 1000), ((), ()))).bval.tolist() == [0, 1000]


def test_the_converter_is_believed_where_it_knows_a_vendors_rule():
    scaled = volume(some((4, 4, 2, 2)), bval=np.array([0.0, 350.0]), bvec=np.eye(3)[:, :2])
    result = with_gradients(scaled, diffusion((0, 700), ((), (1, 0, 0))))
    assert result.bval.tolist() == [0, 350] and np.array_equal(result.bvec, np.eye(3)[:, :2])
