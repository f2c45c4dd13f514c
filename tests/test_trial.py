"""trial.yaml: what is legal, and what a wrong line is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from trialbids.exporter.errors import UsageError
from trialbids.exporter.trial import load_trial, trial_for

GOOD = "trial: pelvis\nsources: [dicom]\noutput: bids\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "trial.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_paths_are_relative_to_the_file_and_the_work_folder_lies_beside_the_output(tmp_path: Path) -> None:
    trial = load_trial(write(tmp_path, GOOD))
    assert trial.sources == (tmp_path / "dicom",)
    assert trial.output == tmp_path / "bids"
    assert trial.work == tmp_path / "bids.work"


def test_no_file_gives_the_same_defaults(tmp_path: Path) -> None:
    trial = trial_for(tmp_path / "dicom", tmp_path / "bids")
    assert trial.work == tmp_path / "bids.work"
    assert trial.subject.tag is None and trial.session.order is None


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (GOOD + "subjet: {tag: PatientID}\n", 4, ("subjet", "unknown key", "subject")),
        (GOOD + "subject: {tg: PatientID}\n", 4, ("subject.tg", "unknown key", "tag")),
        (GOOD + "session:\n  order: StudyTime\n", 5, ("session.order", "StudyDate")),
        (GOOD + "subject: {tag: PatientIdentity}\n", 4, ("PatientIdentity", "not a DICOM keyword")),
        (GOOD + "subject: {path: '(?P<subject'}\n", 4, ("subject.path", "regular expression")),
        (GOOD + "subject: {path: 'a/(.*)'}\n", 4, ("(?P<subject>",)),
        (GOOD + "site: {tag: InstitutionName, value: S1}\n", 4, ("site", "tag and value")),
        (GOOD + "keep: [secondary]\n", 4, ("keep.0", "localizer")),
        (GOOD + "protocol: 7\n", 4, ("protocol", "none")),
        (GOOD + "clinical:\n  table: a.csv\n  subject: id\n  columns: {site: number}\n", 7, ("site", "writes itself")),
        (GOOD + "clinical:\n  table: a.csv\n  subject: id\n  columns: {sex: [yes, no]}\n", 7, ("quotes",)),
        (GOOD + "clinical:\n  table: a.csv\n  subject: id\n  columns: {age: number}\n", 5, ("there is no file",)),
        ("trial: pelvis\noutput: bids\n", 1, ("sources", "is missing")),
        ("trial: [\n", 2, ("no YAML",)),
        (GOOD + "trial: again\n", 4, ("trial", "stands twice")),
    ],
)
def test_a_wrong_line_is_named_with_its_key_and_what_was_expected(
    tmp_path: Path, text: str, line: int, words: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError) as refused:
        load_trial(write(tmp_path, text))
    sentence = str(refused.value)
    assert f"line {line}:" in sentence
    for word in words:
        assert word in sentence


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"", b"- a\n- b\n"])
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "trial.yaml"
    path.write_bytes(content)
    with pytest.raises(UsageError):
        load_trial(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_trial(tmp_path / "none.yaml")
