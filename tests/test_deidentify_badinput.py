"""Bad input: a clear sentence or a safe default, never a leak, never a lost image without a line in a list."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from canaries import ALPHABETS, Flock, Search
from planting import encoded, nest
from stackmaker import axial, write_series
from test_export_again import add_series, export
from test_export_tree import contents, rows

from trialbids.exporter.errors import UsageError
from trialbids.exporter.release import make
from trialbids.exporter.trial import Trial, trial_for

N = 5


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    """A patient of one series that is sound."""
    add_series(tmp_path / "in" / "sound", "PA", "1.2.3.1")
    return trial_for(tmp_path / "in", tmp_path / "out", None)


def accounted(trial: Trial) -> int:
    """Objects that are in a stack of the plan or in a private list with a reason."""
    aside = [r for r in rows(trial.work / "quarantine.tsv") if not r["what"].startswith("stack ")]
    unreadable = [r for r in rows(trial.work / "unreadable.tsv") if r["reason"] and r["message"]]
    return sum(int(r["n_instances"]) for r in rows(trial.work / "plan.tsv")) + len(aside) + len(unreadable)


def files(trial: Trial) -> int:
    return sum(p.is_file() for p in trial.sources[0].rglob("*"))


def check(trial: Trial, flock: Flock) -> None:
    """The promise of this file for a source that holds these canaries."""
    search = Search(flock.canaries)
    there = search.in_folder(trial.sources[0])
    assert set(there) == set(flock.canaries)
    exported = export(trial)
    assert not exported.failures
    assert search.in_folder(trial.output) == {}
    assert accounted(trial) == files(trial)
    assert len(list(trial.output.glob("sub-*/ses-*/anat/*.nii.gz"))) >= 1, "the sound series is exported all the same"


def rewritten(trial: Trial, change: Callable[[pydicom.Dataset], None], name: str = "odd") -> list[Path]:
    """A second patient, whose files were changed by hand."""
    paths = sorted(add_series(trial.sources[0] / name, "PB", "1.2.3.2").iterdir())
    for path in paths:
        dataset = pydicom.dcmread(path)
        change(dataset)
        path.write_bytes(encoded(dataset))
    return paths


@pytest.mark.parametrize("content", [b"", b"abcd", b"no key at all", b"\xff\xfe\0", b"11" * 31, b"00" * 32, b"ff" * 33])
def test_a_key_that_is_none_is_refused_before_anything_is_written(trial: Trial, content: bytes) -> None:
    trial.work.mkdir(mode=0o700)
    (trial.work / "secret.key").write_bytes(content)
    with pytest.raises(UsageError, match=r"secret\.key.*key") as refusal:
        export(trial)
    assert (trial.work / "secret.key").read_bytes() == content
    assert not any(trial.output.rglob("sub-*"))
    assert len(content) < 8 or content.decode("latin-1") not in str(refusal.value), "the sentence shows the key"


def test_an_unreadable_key_is_refused(trial: Trial) -> None:
    trial.work.mkdir(mode=0o700)
    (trial.work / ".lock").touch()
    (trial.work / "secret.key").mkdir()
    with pytest.raises(UsageError, match=r"secret\.key"):
        export(trial)
    assert not any(trial.output.rglob("sub-*"))


def test_the_key_of_another_trial_is_refused_and_the_tree_stays(trial: Trial, tmp_path: Path) -> None:
    export(trial)
    before = contents(trial.output)
    other = trial_for(trial.sources[0], tmp_path / "other", None)
    export(other)
    shutil.copy(other.work / "secret.key", trial.work / "secret.key")
    with pytest.raises(UsageError, match="key"):
        export(trial)
    assert contents(trial.output) == before


def test_the_linkage_of_another_key_never_mixes_with_ours(trial: Trial, tmp_path: Path) -> None:
    export(trial)
    other = trial_for(trial.sources[0], tmp_path / "other", None)
    export(other)
    foreign = {r["subject"] for r in rows(other.work / "linkage.tsv")}
    shutil.copy(other.work / "linkage.tsv", trial.work / "linkage.tsv")
    try:
        export(trial)
    except UsageError as refusal:
        assert "linkage" in str(refusal)
    else:
        assert not foreign & {r["subject"] for r in rows(trial.work / "linkage.tsv")}
    assert not foreign & {p.name.removeprefix("sub-") for p in trial.output.glob("sub-*")}


@pytest.mark.parametrize("text", ["20191350", "2019", "19,3,14", "00000000", "99999999", "{word}", "2019-03-14 {word}"])
def test_a_date_that_is_no_date(trial: Trial, text: str) -> None:
    flock = Flock(11)
    written = text.format(word=flock.word("date")) if "{word}" in text else text

    def change(dataset: pydicom.Dataset) -> None:
        for keyword in ("StudyDate", "AcquisitionDate", "PatientBirthDate", "SeriesDate", "ContentDate"):
            dataset.add_new(keyword, "LO", written)
            dataset[keyword].VR = "DA"

    rewritten(trial, change)
    check(trial, flock)
    assert not flock.canaries or flock.canaries[0].value not in str(list(trial.output.rglob("*")))


@pytest.mark.parametrize("said", ["ISO_IR 192", "ISO_IR 6", "ISO_IR 999", "ISO_IR 144", "ISO 2022 IR 87", "nonsense"])
@pytest.mark.parametrize("meant", ["ISO_IR 100", "GB18030"])
def test_a_character_set_that_lies(trial: Trial, said: str, meant: str) -> None:
    flock = Flock(12)
    name = flock.name("name", meant).encode(ALPHABETS[meant][0])

    def change(dataset: pydicom.Dataset) -> None:
        dataset.SpecificCharacterSet = "ISO_IR 6"
        for keyword in ("PatientName", "PatientComments", "StudyDescription", "ProtocolName"):
            setattr(dataset, keyword, "~" * len(name))

    for path in rewritten(trial, change):
        data = path.read_bytes().replace(b"~" * len(name), name)
        path.write_bytes(data.replace(b"ISO_IR 6", said.encode().ljust(8)[:8]))
    check(trial, flock)


def test_a_private_creator_that_stands_twice(trial: Trial) -> None:
    flock = Flock(13)
    words = [flock.word("first block"), flock.word("second block"), flock.word("the creator of a third")]

    def change(dataset: pydicom.Dataset) -> None:
        for slot, word in ((0x10, words[0]), (0x11, words[1])):
            dataset.add_new((0x0019, slot), "LO", "SIEMENS MR HEADER")
            dataset.add_new((0x0019, (slot << 8) + 0x0C), "LO", word)
        dataset.add_new((0x0019, 0x0012), "LO", words[2])

    rewritten(trial, change)
    check(trial, flock)


@pytest.mark.parametrize("depth", [40, 100])
def test_sequences_in_sequences(trial: Trial, depth: int) -> None:
    flock = Flock(14)
    planted = Flock(14)

    def change(dataset: pydicom.Dataset) -> None:
        nest(dataset, depth, Flock(14))

    nest(pydicom.Dataset(), depth, planted)
    flock.canaries = planted.canaries
    rewritten(trial, change)
    check(trial, flock)


@pytest.mark.parametrize("vr", [b"ZZ", b"\0\0", b"UN", b"??"])
def test_a_value_representation_that_nobody_knows(trial: Trial, vr: bytes) -> None:
    flock = Flock(15)
    word = flock.word("unknown VR", 16)

    def change(dataset: pydicom.Dataset) -> None:
        dataset.add_new((0x0010, 0x4000), "UT", word)

    for path in rewritten(trial, change):
        path.write_bytes(path.read_bytes().replace(b"\x10\x00\x00\x40UT", b"\x10\x00\x00\x40" + vr))
    check(trial, flock)


def test_bytes_before_and_after_the_object(trial: Trial) -> None:
    flock = Flock(16)
    before, after = flock.word("preamble", 20).encode(), flock.word("after the last element", 40).encode()
    for path in rewritten(trial, lambda dataset: None):
        data = path.read_bytes()
        path.write_bytes(before.ljust(128, b"\0") + data[128:] + after)
    check(trial, flock)


@pytest.mark.parametrize("value", ["X", "7", "-", "Ä", "MR", "T2"])
def test_an_identifier_that_is_too_short_to_be_searched_for(trial: Trial, value: str) -> None:
    def change(dataset: pydicom.Dataset) -> None:
        dataset.SpecificCharacterSet = "ISO_IR 192"
        dataset.PatientID, dataset.PatientName, dataset.AccessionNumber = value, value, value

    rewritten(trial, change)
    check(trial, Flock(17))
    assert len(list(trial.output.glob("sub-*"))) == 2
    assert f"sub-{value}" not in {p.name for p in trial.output.iterdir()}


def test_people_without_any_identifier(trial: Trial) -> None:
    def change(dataset: pydicom.Dataset) -> None:
        for keyword in ("PatientID", "PatientName", "StudyDate"):
            delattr(dataset, keyword)

    rewritten(trial, change)
    check(trial, Flock(18))


def with_large_tag(path: Path, size: int, word: bytes) -> None:
    """Put a private element of ``size`` bytes, a hole in the file, before the image; the word is its end."""
    dataset = pydicom.dcmread(path)
    data = path.read_bytes()
    at = data.index(b"\x10\x00\x10\x00")  # PatientName: private group 9 comes before
    creator = struct.pack("<HH2sH", 0x0009, 0x0010, b"LO", 4) + b"BIG "
    head = struct.pack("<HH2sHI", 0x0009, 0x1001, b"OB", 0, size)
    assert dataset.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    with path.open("wb") as file:
        file.write(data[:at] + creator + head)
        file.seek(size - len(word), os.SEEK_CUR)
        file.write(word + data[at:])


@pytest.mark.parametrize("size", [1 << 24, pytest.param((1 << 31) + 8, marks=pytest.mark.slow)])
def test_a_private_element_that_is_larger_than_all_images(trial: Trial, size: int) -> None:
    flock = Flock(19)
    word = flock.word("the end of a large element", 16).encode()
    first, *_ = rewritten(trial, lambda dataset: None)
    with_large_tag(first, size, word)
    exported = export(trial)
    assert not exported.failures
    assert Search(flock.canaries).in_folder(trial.output) == {}
    assert accounted(trial) == files(trial) == 2 * N


def test_the_text_of_a_crash_is_in_no_log(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    word = Flock(20).word("a value in an error")

    def crash(job: object) -> None:
        raise ValueError(f"could not convert string to float: {word!r}")

    monkeypatch.setattr(make, "make_image", crash)
    exported = export(trial)
    assert len(exported.failures) == 1 and word not in exported.failures[0].message
    assert (trial.work / "errors.log").stat().st_size > 0, "where the program failed is said"
    assert word not in (trial.work / "errors.log").read_text(encoding="utf-8")
    assert not any(trial.output.glob("sub-*"))


def test_a_mix_of_patients_in_one_series_is_set_aside(trial: Trial) -> None:
    paths = write_series(trial.sources[0] / "mixed", axial(6), PatientID=["PX"] * 3 + ["PY"] * 3)
    exported = export(trial)
    kept = {r.series_uid for r in exported.rows if r.final_decision == "keep"}
    assert str(pydicom.dcmread(paths[0]).SeriesInstanceUID) not in kept or len(list(trial.output.glob("sub-*"))) == 3
    assert accounted(trial) == files(trial)
