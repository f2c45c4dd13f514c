"""trial.yaml: what is legal, and what a wrong line is told."""

from __future__ import annotations

import time
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
        ("sources: [d]\noutput: b\ntrial: 2020-13-45\n", 3, ("a timestamp but is none", "quotes")),
        (GOOD + "site: {value: 0x_}\n", 4, ("a int but is none",)),
        (GOOD + "site: {value: !!int foo}\n", 4, ("tags are not used",)),
        (GOOD + "keep: &a [*a]\n", 4, ("anchors and aliases are not used here",)),
        (GOOD + "keep: " + "[" * 3000 + "]" * 3000 + "\n", 4, ("nested more than",)),
        (GOOD + "keep: " + "[" * 100_000 + "\n", 4, ("nested more than",)),
        (GOOD + "site: {value: 1" + ":1" * 100_000 + "}\n", 4, ("longer than",)),
        ("sources: [d]\noutput: ~nosuchuser/x\n", 2, ("output", "~nosuchuser")),
        ('sources: [d]\noutput: "a\\0b"\n', 2, ("output", "null character")),
        ("output: b\nsources: [~nosuchuser/x]\n", 2, ("sources.0", "~nosuchuser")),
        ("sources: [d]\noutput: /\n", 1, ("work", "is missing")),
        (GOOD + "clinical:\n  table: a.csv\n  subject: id\n  columns: {sex: [null]}\n", 7, ("quotes",)),
        (GOOD + "subject: {path: '(?P<subject>a{99999999999})'}\n", 4, ("no regular expression",)),
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


BOMB = "".join(f"x{n + 1}: &x{n + 1} [{', '.join([f'*x{n}'] * 9)}]\n" for n in range(9))


@pytest.mark.parametrize("text", ["x0: &x0 [a]\n" + BOMB + GOOD, "# " + "a" * 20_000_000 + "\n" + GOOD])
def test_a_file_made_to_be_slow_is_refused_at_once(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    started = time.perf_counter()
    with pytest.raises(UsageError):
        load_trial(path)
    assert time.perf_counter() - started < 2


def test_a_thousand_wrong_keys_are_not_a_thousand_sentences(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="and 980 more") as refused:
        load_trial(write(tmp_path, GOOD + "".join(f"k{n}: 1\n" for n in range(1000))))
    assert len(str(refused.value).splitlines()) == 21


def test_one_wrong_output_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        load_trial(write(tmp_path, "sources: [d]\noutput: ~nosuchuser/x\n"))
    assert len(str(refused.value).splitlines()) == 1


def test_an_output_without_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name of its own"):
        trial_for(tmp_path, Path("/"))
