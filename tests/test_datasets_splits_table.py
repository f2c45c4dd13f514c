"""Splits as a table: saved, opened in a spreadsheet, read again, edited by hand, continued."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from people import cohort_of, people

from trialbids.datasets import Cohort, QueryError
from trialbids.datasets.errors import LeakError, SplitError
from trialbids.datasets.splits.splits import Splits


def trial(n: int = 12, **facts: Any) -> Cohort:
    return cohort_of(
        [{"person": f"{i:02d}", "site": f"S0{i % 3}", "family": f"F{i // 2}", **facts} for i in range(1, n + 1)]
    )


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    cohort = trial()
    splits = cohort.split(k=3, test=0.25, stratify="site", groups="family", seed=7)
    path = splits.save(tmp_path / "splits.tsv")
    lines = path.read_text().splitlines()
    assert lines[0] == "participant_id\tgroup\tfold1\tfold2\tfold3" and len(lines) == 13
    assert lines[1].split("\t")[0] == "sub-01"
    assert all(set(line.split("\t")[2:]) <= {"train", "val", "test"} for line in lines[1:])
    beside = json.loads((tmp_path / "splits.json").read_text())
    assert beside["fingerprint"] == cohort.fingerprint and beside["participants"] == 12
    assert beside["design"]["seed"] == 7 and beside["design"]["stratify"] == ["site"]
    again = Splits.load(cohort, path)
    assert again.words == splits.words and again.design == splits.design
    assert again.save(tmp_path / "again.tsv").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    "through",
    [
        lambda text: b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\t", ";").replace("\n", "\r\n").encode("utf-8-sig"),
        lambda text: text.replace("\t", ",").encode(),
        lambda text: text.replace("\n", "\r\n").encode("utf-16"),
        lambda text: "".join(
            "\t".join(f'"{c}"' for c in row.split("\t")) + "\t\t\n" for row in text.splitlines()
        ).encode(),
        lambda text: (text.replace("train", " Train ") + "\t\t\n\n").encode(),
    ],
    ids=["mark-crlf", "semicolons", "commas", "utf-16", "quotes", "blanks"],
)
def test_a_spreadsheet_does_no_harm(tmp_path: Path, through: Callable[[str], bytes]) -> None:
    cohort = trial()
    splits = cohort.split(k=3, groups="family")
    path = splits.save(tmp_path / "splits.tsv")
    path.write_bytes(through(path.read_text()))
    assert Splits.load(cohort, path).words == splits.words


def test_other_participants_and_other_samples_are_told(tmp_path: Path) -> None:
    path = trial().split(k=3).save(tmp_path / "splits.tsv")
    with pytest.raises(SplitError, match=r"(?s)previous=.*sub-13: is new.*") as error:
        Splits.load(cohort_of([{"person": f"{i:02d}"} for i in range(2, 14)]), path)
    assert "sub-01: is not in the cohort" in str(error.value)
    other = cohort_of([{"person": f"{i:02d}", "session": s} for i in range(1, 13) for s in ("01", "02")])
    with pytest.raises(SplitError, match="made of other samples of these participants"):
        Splits.load(other, path)
    assert len(Splits.load(other, path, changed="accept")[0].train) == 16
    with pytest.raises(SplitError, match="changed='yes' is not known"):
        Splits.load(other, path, changed="yes")


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda t: t.replace("val", "valid", 1), "a part is one of train, val, test:\n  sub-"),
        (lambda t: t + "sub-01\ttest\ttest\ttest\n", "twice with different parts.*\n  sub-01: "),
        (lambda t: t.replace("fold2", "fold 2"), "the column 'fold2' is missing; there are: participant_id, fold1"),
        (lambda t: t.replace("fold2", "fold1"), "the column 'fold1' is there twice"),
        (lambda t: t.replace("participant_id", "patient"), "no column 'participant_id'"),
        (lambda t: t.splitlines()[0], "has no rows"),
        (lambda t: t.replace("sub-03", ""), "a row without participant_id"),
        (lambda t: t.replace("val", "train"), "everybody is in 'train'"),
        (lambda t: t.replace("train", "val"), "fold1: has no participant for training"),
        (lambda t: t.encode("utf-8") + b"\xfc\n", "is not UTF-8 text"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(tmp_path: Path, edit: Callable[[str], Any], words: str) -> None:
    path = trial().split(k=3).save(tmp_path / "splits.tsv")
    edited = edit(path.read_text())
    path.write_bytes(edited if isinstance(edited, bytes) else edited.encode())
    with pytest.raises(SplitError, match=words):
        Splits.load(trial(), path)


def test_a_leak_by_hand_is_found(tmp_path: Path) -> None:
    splits = trial().split(k=3, groups="family")
    path = splits.save(tmp_path / "splits.tsv")
    rows = path.read_text().splitlines()
    moved = "\t".join(
        [*rows[2].split("\t")[:2], *("val" if w == "train" else "train" for w in rows[2].split("\t")[2:])]
    )
    path.write_text("\n".join([*rows[:2], moved, *rows[3:]]) + "\n")
    with pytest.raises(LeakError, match=r"sub-02 is .*, sub-03 is .* in fold1: "):
        Splits.load(trial(), path)


def test_a_table_written_by_hand_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("participant_id;centre;fold1\nsub-1;A;train\nsub-2;B;val\nsub-3;B;test\n")
    cohort = cohort_of([{"person": n} for n in "123"])
    splits = Splits.load(cohort, path)
    assert [people(part) for part in splits[0]] == [{"1"}, {"2"}, {"3"}]
    assert "without a JSON beside it" in splits.notes[0] and splits.report().parts[2].part == "test"
    with pytest.raises(SplitError, match="nobody knows how it was made"):
        splits.extend(cohort)
    grown = cohort_of([{"person": f"{n}"} for n in range(1, 11)]).split(val=0.3, test=0.3, previous=path)
    assert [len(part or ()) for part in grown[0]] == [4, 3, 3] and grown.words["fold1"]["sub-2"] == "val"


def test_a_damaged_json_is_told(tmp_path: Path) -> None:
    path = trial().split(k=3).save(tmp_path / "splits.tsv")
    good = (tmp_path / "splits.json").read_text()
    for text, words in (
        ("{", "is not the JSON that was written"),
        ("[]", "is not the JSON that was written"),
        (good.replace("splits/1", "splits/9"), "expected 'trialbids-splits/1'"),
        (good.replace('"k": 3', '"k": "3"'), "k='3' must be a whole number"),
        (good.replace('"k": 3', '"k": 3, "folds": 3'), "the parameter 'folds' is not known"),
    ):
        (tmp_path / "splits.json").write_text(text)
        with pytest.raises(SplitError, match=words):
            Splits.load(trial(), path)
    with pytest.raises(SplitError, match=r"give it a name that ends with \.tsv"):
        trial().split(k=3).save(tmp_path / "splits.json")
    with pytest.raises(SplitError, match="cannot be written"):
        trial().split(k=3).save(tmp_path / "nowhere" / "splits.tsv")


def test_a_split_is_continued_from_its_file(tmp_path: Path) -> None:
    path = trial(12).split(k=3, test=0.25, stratify="site", seed=3).save(tmp_path / "splits.tsv")
    grown = cohort_of([{"person": f"{i:02d}", "site": f"S0{i % 3}"} for i in range(3, 21)])
    splits = grown.split(previous=path)
    assert splits.design is not None and (splits.design.k, splits.design.seed) == (3, 3)
    assert splits.notes == tuple(
        f"sub-{n}: is gone, and keeps its parts for the case that it comes back" for n in ("01", "02")
    )
    earlier = Splits.load(trial(12), path).words
    assert all(splits.words["fold1"][name] == word for name, word in earlier["fold1"].items() if name > "sub-02")
    again = splits.save(tmp_path / "later.tsv")
    assert again.read_text().splitlines()[0] == "participant_id\tin_cohort\tfold1\tfold2\tfold3"
    assert len(again.read_text().splitlines()) == 21
    assert Splits.load(grown, again).words == splits.words
    assert trial(20).split(previous=again).words["fold2"]["sub-01"] == earlier["fold2"]["sub-01"]
    with pytest.raises(QueryError, match="k=5, but the earlier split was made with k=3"):
        grown.split(k=5, previous=path)


def test_a_part_that_ran_empty_is_told_or_filled() -> None:
    splits = trial(12).split(test=0.1)
    (only,) = people(splits[0].test)
    left = [{"person": f"{i:02d}"} for i in range(1, 13) if f"{i:02d}" != only]
    with pytest.raises(SplitError, match="nobody is left in test, and too few are new"):
        splits.extend(cohort_of(left))
    assert people(splits.extend(cohort_of([*left, {"person": "20"}]))[0].test) == {"20"}


def test_a_new_site_is_a_new_fold() -> None:
    splits = trial(12).leave_one_out("site", val=0.25)
    grown = cohort_of([{"person": f"{i:02d}", "site": f"S0{i % 3}" if i <= 12 else "S09"} for i in range(1, 17)])
    later = splits.extend(grown)
    assert later.names == (*splits.names, "without S09") and people(later[3].test) == {"13", "14", "15", "16"}
    assert all(later.words[fold][name] == word for fold, words in splits.words.items() for name, word in words.items())
    moved = cohort_of([{"person": f"{i:02d}", "site": f"S0{i % 3}" if i > 1 else "S02"} for i in range(1, 13)])
    with pytest.raises(SplitError, match="what is left out has changed for participants"):
        splits.extend(moved)


def test_who_is_in_two_folds_cannot_be_continued(tmp_path: Path) -> None:
    path = trial(12).split(k=3).save(tmp_path / "splits.tsv")
    text = path.read_text().splitlines()
    path.write_text("\n".join([text[0], "sub-01\tval\tval\ttrain", *text[2:]]) + "\n")
    assert len(Splits.load(trial(12), path)) == 3  # no leak within a fold
    with pytest.raises(SplitError, match="sub-01 must be 'val' in exactly one of fold1, fold2, fold3"):
        trial(13).split(previous=path)


def test_who_is_new_may_not_tie_parts_together() -> None:
    splits = trial(12).split(k=3)
    first, second = next(
        (a, b) for a, b in zip(sorted(people(splits[0].val)), sorted(people(splits[1].val)), strict=True)
    )
    ties = {f"sub-{first}": "x", f"sub-{second}": "x", "sub-13": "x"}
    with pytest.raises(LeakError, match="stand in different parts of the earlier split, and nobody is moved"):
        splits.extend(trial(13), groups=ties)
    twin = splits.extend(trial(13), groups={f"sub-{first}": "x", "sub-13": "x"})
    assert all(words["sub-13"] == words[f"sub-{first}"] for words in twin.words.values())


def test_json_that_is_too_deep_is_named(tmp_path: Path) -> None:
    path = trial().split(k=3).save(tmp_path / "splits.tsv")
    (tmp_path / "splits.json").write_text("[" * 200_000)
    with pytest.raises(SplitError, match="is not the JSON that was written beside the table"):
        Splits.load(trial(), path)


@pytest.mark.parametrize("with_json", [True, False])
def test_who_is_validated_in_no_fold_is_noted(tmp_path: Path, with_json: bool) -> None:
    cohort = trial()
    splits = cohort.split(k=3, test=0.25)
    assert splits.notes == ()
    path = splits.save(tmp_path / "splits.tsv")
    person = next(name for name, part in splits.words["fold2"].items() if part == "val")
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line.replace("val", "train") if line.startswith(person) else line for line in lines))
    if not with_json:
        (tmp_path / "splits.json").unlink()
    read = Splits.load(cohort, path)
    (note,) = [note for note in read.notes if "in no fold" in note]
    assert note.startswith("1 of 12 participants are val in no fold") and f"turn: {person};" in note
    assert note in str(read.report())


def test_who_is_tested_in_one_fold_and_learnt_from_in_another_is_noted(tmp_path: Path) -> None:
    cohort = trial()
    splits = cohort.split(k=3, test=0.25)
    path = splits.save(tmp_path / "splits.tsv")
    person = next(name for name, part in splits.words["fold1"].items() if part == "val")
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line.replace("val", "test") if line.startswith(person) else line for line in lines))
    notes = Splits.load(cohort, path).notes
    assert any(note.startswith("1 of 12 participants are tested on in some folds") and person in note for note in notes)


@pytest.mark.parametrize("asked", [{"k": 3, "val": 0.2}, {"k": 3, "nested": 2}, {"test": 0.2, "val": 0.2}, {"k": 3}])
def test_parts_as_they_were_made_have_no_such_note(tmp_path: Path, asked: dict[str, Any]) -> None:
    splits = trial(24).split(**asked)
    path = splits.save(tmp_path / "splits.tsv")
    assert splits.notes == Splits.load(trial(24), path).notes == ()
    assert trial(24).leave_one_out("site").notes == ()
