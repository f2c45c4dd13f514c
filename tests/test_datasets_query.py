"""Queries speak the vocabulary and refuse everything else."""

from __future__ import annotations

import doctest

import pytest

import trialbids.datasets.cohorts.query as query_module
from trialbids.datasets import Image, Q, QueryError, Times
from trialbids.mappings.record import Record


def image(record: Record | None = None, **facts: object) -> Image:
    entities = facts.pop("entities", {})
    base = {"path": "sub-1/anat/x.nii.gz", "participant_id": "sub-1", "session_id": "", "datatype": "anat"}
    base |= {"suffix": "T2w", "entities": tuple(sorted(entities.items())), "record": record or Record(sequence="T2w")}  # type: ignore[attr-defined]
    return Image(**{**base, **facts})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Q("T2"), "sequence='T2' is not in the vocabulary; legal: T1w T2w"),
        (lambda: Q("T2w", plane="sagittal"), "legal: ax sag cor obl unknown multi"),
        (lambda: Q("T2w", colour="red"), "no attribute 'colour'; legal: sequence plane"),
        (lambda: Q("T2w", derived="subtraction"), "legal: sub mip minip mpr calc any"),
        (lambda: Q(family="perfusion"), "legal: diffusion"),
        (lambda: Q("DWI", family="diffusion"), "either a sequence or a family"),
        (lambda: Q("T2w", echo_index=0), "whole number from 1"),
        (lambda: Q("T2w", scope="raw", label="lesion"), "belong to masks"),
        (lambda: Q("DCE", phases=[0, 30]), "must be Times"),
        (lambda: Q("trace", bvalues=[800, 0]), "rising"),
        (lambda: Times([0, 30, 30]), "rising"),
        (lambda: Times([]), "rising"),
        (lambda: Times([0], tolerance=-1), "tolerance"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_legal_values(make, words: str) -> None:
    with pytest.raises(QueryError, match=r"^(Q|Times): ") as error:
        make()
    assert words in str(error.value)


def test_attributes_tuples_and_absence() -> None:
    sagittal = image(Record(sequence="T2w", plane="sag", echo_index=None))
    assert Q("T2w", plane="sag").matches(sagittal)
    assert Q(("T1w", "T2w"), plane=("ax", "sag")).matches(sagittal)
    assert not Q("T2w", plane="ax").matches(sagittal)
    assert Q("T2w", echo_index=None).matches(sagittal)
    assert not Q("T2w", echo_index=(1, 2)).matches(sagittal)
    assert Q("T2w", technique=None).matches(sagittal)


def test_derived_images_are_left_out_unless_asked() -> None:
    subtraction = image(Record(sequence="T1w", derived=("sub", "mip")))
    assert not Q("T1w").matches(subtraction)
    assert Q("T1w", derived=("mip", "sub")).matches(subtraction)
    assert not Q("T1w", derived="sub").matches(subtraction)
    assert Q("T1w", derived="any").matches(subtraction)


def test_bids_entities_by_short_and_long_name() -> None:
    second = image(entities={"acq": "tseSag", "run": "02"})
    assert Q(suffix="T2w", run=2).matches(second)
    assert Q(acquisition="tseSag", run=("1", "02")).matches(second)
    assert Q(acq="tseSag", ce=None).matches(second)
    assert not Q(run=None).matches(second)
    assert Q(datatype="anat").matches(second) and not Q(datatype="dwi").matches(second)


def test_family_finds_directions_and_trace() -> None:
    for sequence, found in (("DWI", True), ("trace", True), ("ADC", False)):
        assert Q(family="diffusion").matches(image(Record(sequence=sequence))) is found


def test_masks_by_label_and_reader() -> None:
    mask = image(Record(), scope="annotations", label="lesion", reader="R1", suffix="mask")
    assert Q(label="lesion").matches(mask)
    assert Q(label="lesion", scope="annotations", reader="r1").matches(mask)
    assert not Q(label="lesion", reader="consensus").matches(mask)
    assert not Q(suffix="mask").matches(mask)


def test_a_query_is_written_as_it_was_asked() -> None:
    assert repr(Q("DCE", phases=Times([0, 30], tolerance=5), ce=None)).startswith("Q('DCE', phases=Times(")
    assert Q("T2w", plane="sag") == Q("T2w", plane="sag") and hash(Q("T2w")) == hash(Q("T2w"))


def test_the_examples_in_the_docstrings() -> None:
    outcome = doctest.testmod(query_module, optionflags=doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL)
    assert outcome.attempted and not outcome.failed


@pytest.mark.parametrize("wrong", [800, "800", [None]])
def test_what_is_no_list_of_numbers_is_named(wrong: object) -> None:
    with pytest.raises(QueryError, match="list of numbers"):
        Q("trace", bvalues=wrong)  # type: ignore[arg-type]
    with pytest.raises(QueryError, match="list of numbers"):
        Times(wrong)  # type: ignore[arg-type]
