"""Labels: the shipped dictionary is DICOM's own, a trial's words go before it, and nothing is guessed."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from pydicom.sr._concepts_dict import concepts

from trialbids.exporter.trial import Annotations
from trialbids.mappings.labels import LEGAL_NAME, Labels, plain_words, shipped_labels

SHIPPED = Labels(shipped_labels().values())


def test_every_shipped_code_is_one_of_dicom_and_no_word_means_two_labels() -> None:
    known = {(scheme, code) for scheme, words in concepts.items() for codes in words.values() for code in codes}
    meant: dict[str, str] = {}
    for label in shipped_labels().values():
        assert LEGAL_NAME.fullmatch(label.name) and (label.scheme, label.code) in known, label.name
        for words in (label.name, label.meaning, *label.match):
            assert meant.setdefault(plain_words(words), label.name) == label.name, words
    codes = [(label.scheme, label.code) for label in shipped_labels().values()]
    assert len(set(codes)) == len(codes) >= 60


@pytest.mark.parametrize(
    ("text", "name", "lesion"),
    [
        ("Lesion", "lesion", None),
        ("LÄSION_2", "lesion", 2),
        ("Lesion12", "lesion", 12),
        ("peripheral-zone of prostate", "peripheralzone", None),
        ("PZ", "peripheralzone", None),
    ],
)
def test_a_text_means_a_label_whatever_its_case_accents_and_punctuation(
    text: str, name: str, lesion: int | None
) -> None:
    found = SHIPPED.said(text)
    assert found is not None and (found[0].name, found[1]) == (name, lesion)


@pytest.mark.parametrize("text", ["", "hot spot", "liver 2", "lesion of the liver", "lesion 0", "not a lesion"])
def test_what_is_not_in_the_dictionary_is_not_guessed(text: str) -> None:
    assert SHIPPED.said(text) is None


def test_a_trial_adds_words_and_keeps_the_code_or_gives_its_own() -> None:
    spec = {"lesion": {"match": ["ROI 1", "GTV"]}, "hotspot": {"code": "99", "scheme": "L", "meaning": "Hot spot"}}
    labels = Annotations.model_validate({"labels": spec}).dictionary
    for text in ("roi_1", "GTV"):
        found = labels.said(text)
        assert found is not None and (found[0].name, found[0].code) == ("lesion", "52988006")
    own = labels.coded("L", "99")
    assert own is not None and own.name == "hotspot" and labels.said("Hot Spot") == (own, None)
    liver = labels.coded("SCT", "10200004")
    assert liver is not None and liver.name == "liver"


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"a b": {}}, "no label"),
        ({"a": {"match": ["x y"]}, "b": {"match": ["X-Y"]}}, "stands for a and for b"),
        ({"a": {"code": "1"}}, "code and meaning together"),
        ({"a": {"code": "1", "meaning": "<b>"}}, "pattern"),
    ],
)
def test_a_dictionary_that_says_two_things_is_refused(labels: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Annotations.model_validate({"labels": labels})
