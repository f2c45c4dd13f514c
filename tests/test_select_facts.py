"""What a criterion reads of a stack: header values in which all instances agree, under keywords and short names."""

from __future__ import annotations

import pytest

from trialbids.exporter.inventory.instance import Instance
from trialbids.exporter.select.facts import LEVELS, Value, header_names, image_names, legal_names, read_stack
from trialbids.exporter.stacks.stack import Stack
from trialbids.mappings.record import Record


def stack_of(*instances: Instance) -> Stack:
    return Stack(
        stack_id="s", acquisition_id="a", instances=instances, volume=(0,) * len(instances), n_slices=2, n_volumes=1
    )


def read(name: str, *instances: Instance, record: Record | None = None) -> Value:
    return read_stack(stack_of(*instances), record or Record(), {name})[name]


FIRST = Instance(path="a", RepetitionTime=500.0000001, MagneticFieldStrength=2.89, Manufacturer="SIEMENS ")
SECOND = Instance(path="b", RepetitionTime=500.0, EchoTime=10.0, PatientAge="042Y", PatientSex="F")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RepetitionTime", 500.0),
        ("repetition_time", 500.0),
        ("echo_time", 10.0),  # one of the two does not say
        ("field_strength", 3.0),
        ("MagneticFieldStrength", 2.89),
        ("manufacturer", "SIEMENS"),
        ("vendor", "siemens"),
        ("model", None),
        ("age", 42),
        ("sex", "F"),
        ("n_slices", 2),
        ("n_instances", 2),
        ("b_max", None),
    ],
)
def test_a_value_is_that_in_which_all_instances_agree(name: str, value: Value) -> None:
    assert read(name, FIRST, SECOND) == value


def test_where_two_instances_differ_nothing_is_known() -> None:
    assert read("echo_time", SECOND, Instance(path="c", EchoTime=20.0)) is None


def test_an_attribute_that_abstains_is_not_known_and_a_list_of_none_is() -> None:
    assert read("plane", FIRST) is None
    assert read("plane", FIRST, record=Record(plane="sag")) == "sag"
    assert read("derived", FIRST) == ""
    assert read("derived", FIRST, record=Record(derived=("sub", "mip"))) == "sub mip"


def test_every_name_can_be_read_and_gives_the_kind_that_it_promises() -> None:
    names = {**header_names(), **image_names()}
    record = Record(sequence="T2w", plane="sag", echo_index=2, phase_time_s=3.0, bvalues=(0.0, 800.0))
    values = read_stack(stack_of(FIRST, SECOND), record, names)
    assert set(values) == set(names)
    for name, value in values.items():
        assert value is None or isinstance(value, int | float) is (names[name] is not str), name


def test_what_belongs_to_one_image_is_no_name_of_a_larger_unit() -> None:
    for level in LEVELS:
        legal = legal_names(level, {"score": float})
        assert {"site", "score", "field_strength", "age"} <= legal.keys()
        assert ("plane" in legal) is (level in ("stack", "series"))
    assert "session" not in legal_names("subject", {})
