"""A new release line: new labels for everybody, a table between the two, the old key kept, and no state between."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
from linkmaker import ROWS, planned
from test_plan_visits import trial

from trialbids.exporter.deidentify.identifiers import Identifier, Known, read_identifiers, write_identifiers
from trialbids.exporter.deidentify.key import KEY_FILE, KEY_VARIABLE, PIN_FILE, load_key, new_key_text, read_key
from trialbids.exporter.errors import UsageError
from trialbids.exporter.pipeline import LEDGER_FILE
from trialbids.exporter.places import hold, key_of, locked
from trialbids.exporter.plan.ledger import Ledger
from trialbids.exporter.plan.visits import find_visits
from trialbids.exporter.release.linkage import links_of, read_linkage
from trialbids.exporter.release.rotate import Rotated, rotate
from trialbids.exporter.tables import read_tsv


def turn(work: Path, file: Path | None = None, **how: Any) -> Rotated:
    with locked(work):
        return rotate(work, file, **how)


def key_file(path: Path, text: str = "") -> Path:
    path.write_text(text or new_key_text())
    path.chmod(0o600)
    return path


def state(folder: Path) -> tuple[str, frozenset[tuple[str, str]]]:
    """The key and all labels, which must agree: what the ledger gives anew is what the linkage says."""
    work = folder / "work"
    with locked(work):
        names = load_key(work)
        links = {link.key for link in read_linkage(work, names)}
        ledger = Ledger.read(work / LEDGER_FILE)
        assert {link.key for link in links_of(find_visits(ROWS, trial(folder), names, ledger))} == links
    return names.fingerprint, frozenset(links)


def test_everybody_gets_another_label_and_the_table_says_which(tmp_path: Path) -> None:
    work, before, old = planned(tmp_path)
    done = turn(work)
    _, after, new = planned(tmp_path)
    assert (done.old, done.new, done.subjects, done.sessions) == (old.fingerprint, new.fingerprint, 3, 4)
    table = {(r["old_subject"], r["old_session"]): (r["new_subject"], r["new_session"]) for r in read_tsv(done.table)}
    for row in ROWS:
        one, other = before.of(row), after.of(row)
        assert table[one.subject, one.session] == (other.subject, other.session)
        assert one.subject != other.subject and one.session == other.session
    assert done.table.name == f"rotation-{old.fingerprint}-{new.fingerprint}.tsv"


def test_the_old_key_is_kept_and_everything_is_private(tmp_path: Path) -> None:
    work, _, old = planned(tmp_path)
    done = turn(work)
    assert done.kept and read_key(done.kept) == old and done.kept.name == f"{KEY_FILE}.{old.fingerprint}"
    for name in (KEY_FILE, done.kept.name, done.table.name, PIN_FILE, LEDGER_FILE, "linkage.tsv"):
        assert stat.S_IMODE((work / name).stat().st_mode) == 0o600


def test_no_label_of_the_old_line_is_left_outside_the_table(tmp_path: Path) -> None:
    work, before, _ = planned(tmp_path)
    (work / "sessions").mkdir()
    (work / "sessions" / "sub-X_ses-01.json").write_text("{}")
    done = turn(work)
    planned(tmp_path)
    old = {visit.subject.encode() for visit in before.all}
    left = [p.name for p in work.iterdir() if p.is_file() and p != done.table and any(x in p.read_bytes() for x in old)]
    assert left == [] and not (work / "sessions").exists()


def test_what_is_searched_for_stays_with_its_subject(tmp_path: Path) -> None:
    work, before, _ = planned(tmp_path)
    known = {before.of(row).subject: frozenset({Identifier("trial_id", row.StudyInstanceUID)}) for row in ROWS[1:]}
    write_identifiers(work, Known(known))
    turn(work)
    _, after, _ = planned(tmp_path)
    found = read_identifiers(work).subjects
    assert {label: [i.value for i in values] for label, values in found.items()} == {
        after.of(row).subject: [row.StudyInstanceUID] for row in ROWS[1:]
    }


def test_labels_of_the_trials_own_table_and_words_for_visits_stay(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("PatientID,label\nA 1,P001\n", encoding="utf-8")
    rows = tuple(ROWS[:3])
    subject = {"table": tmp_path / "t.csv", "by": "PatientID", "column": "label"}
    work, _, _ = planned(tmp_path, rows, subject=subject, session={"tag": "InstitutionName"})
    done = turn(work)
    table = read_tsv(done.table)
    assert [r["new_subject"] for r in table if r["old_subject"] == "P001"] == ["P001"]
    assert all(r["old_session"] != r["new_session"] for r in table)  # an institution is no word for a visit
    _, after, names = planned(tmp_path, rows, subject=subject, session={"tag": "InstitutionName"})
    assert {link.key for link in read_linkage(work, names)} == {(v.subject, v.session) for v in after.all}


def test_a_session_keeps_its_number_though_an_earlier_one_came_later(tmp_path: Path) -> None:
    planned(tmp_path, ROWS[1:2])
    work, before, _ = planned(tmp_path, ROWS[:2])
    assert [before.of(row).session for row in ROWS[:2]] == ["02", "01"]
    turn(work)
    _, after, _ = planned(tmp_path, ROWS[:2])
    assert [after.of(row).session for row in ROWS[:2]] == ["02", "01"]


def test_who_is_gone_from_the_source_is_in_the_table_too(tmp_path: Path) -> None:
    work, before, _ = planned(tmp_path)
    planned(tmp_path, ROWS[2:])
    assert len(read_tsv(turn(work).table)) == len(before.all)


def test_the_old_tree_is_refused_by_the_new_key(tmp_path: Path) -> None:
    work, _, old = planned(tmp_path)
    with hold(trial(tmp_path), old.fingerprint):
        pass
    turn(work)
    with (
        pytest.raises(UsageError, match="made with another secret key"),
        hold(trial(tmp_path), key_of(work).fingerprint),
    ):
        pass


def test_interrupted_anywhere_it_is_the_old_state_or_the_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    left = 0

    def limited(real: Any) -> Any:
        def step(*args: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return real(*args, **named)

        return step

    original = tmp_path / "original"
    original.mkdir()
    work, _, _ = planned(original)
    (work / "sessions").mkdir()
    old, seen, complete = state(original), list[bool](), False
    for n in range(60):
        folder = tmp_path / f"copy{n}"
        shutil.copytree(original, folder)
        left = n
        with monkeypatch.context() as patch:
            for owner, name in ((Path, "replace"), (Path, "rename"), (Path, "rmdir"), (Path, "mkdir")):
                patch.setattr(owner, name, limited(getattr(owner, name)))
            patch.setattr(shutil, "rmtree", limited(shutil.rmtree))
            try:
                turn(folder / "work")
            except Killed:
                complete = False
            else:
                complete = True
        found = state(folder)
        assert (found == old) or (found[0] != old[0] and not found[1] & old[1])
        assert not [p.name for p in (folder / "work").iterdir() if p.name.startswith("rotation.")]
        seen.append(found == old)
        if complete:
            break
    assert complete and not seen[-1] and seen[0] and seen == sorted(seen, reverse=True)
    assert seen.count(False) > 5


def test_a_lost_key_must_be_said_and_starts_a_new_line(tmp_path: Path) -> None:
    work, before, old = planned(tmp_path)
    with pytest.raises(UsageError, match="the key is not lost"):
        turn(work, lost=True)
    (work / KEY_FILE).unlink()
    with pytest.raises(UsageError, match=r"the old key is not there; put it back .* --lost"):
        turn(work)
    done = turn(work, lost=True)
    assert done.old == old.fingerprint and done.kept is None
    assert {r["old_subject"] for r in read_tsv(done.table)} == {visit.subject for visit in before.all}
    state(tmp_path)


def test_a_lost_key_that_a_backup_brought_back_may_be_named(tmp_path: Path) -> None:
    work, _, old = planned(tmp_path)
    backup = work.rename(tmp_path / "old.work") / KEY_FILE
    shutil.copytree(backup.parent, work)
    (work / KEY_FILE).unlink()
    assert turn(work, old_key=backup).old == old.fingerprint
    other = key_file(tmp_path / "other")
    with pytest.raises(UsageError, match="is not the key that"):
        turn(work, old_key=other)


def test_a_key_given_from_outside_is_exchanged_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old_file, new_file = key_file(tmp_path / "old"), key_file(tmp_path / "new")
    work, _, old = planned(tmp_path, key=old_file)
    with pytest.raises(UsageError, match=r"still gives the old key; .* --old-key FILE"):
        turn(work, old_file)
    with pytest.raises(UsageError, match="name the file of the old one"):
        turn(work, new_file)
    with pytest.raises(UsageError, match="is not the old key of this work folder"):
        turn(work, new_file, old_key=key_file(tmp_path / "third"))
    monkeypatch.setenv(KEY_VARIABLE, new_key_text())
    with pytest.raises(UsageError, match="two different keys; give the new one in both"):
        turn(work, new_file, old_key=old_file)
    monkeypatch.delenv(KEY_VARIABLE)
    done = turn(work, new_file, old_key=old_file)
    assert (done.old, done.kept) == (old.fingerprint, None)
    assert key_of(work, new_file).fingerprint == done.new and not (work / KEY_FILE).exists()


def test_lost_and_named_at_once_is_refused(tmp_path: Path) -> None:
    work, _, _ = planned(tmp_path)
    with pytest.raises(UsageError, match="give one of the two"):
        turn(work, lost=True, old_key=tmp_path / "k")


def test_an_edited_linkage_is_not_carried_into_the_new_line(tmp_path: Path) -> None:
    work, _, old = planned(tmp_path)
    text = (work / "linkage.tsv").read_text().replace("A 1", "A 2")
    (work / "linkage.tsv").write_text(text)
    with pytest.raises(UsageError, match="was changed"):
        turn(work)
    assert load_key(work) == old
