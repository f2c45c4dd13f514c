"""The canary test: unique strings planted everywhere, a full export, and a search for them in all that comes out."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pytest
import yaml
from canaries import ALPHABETS, Canary, Flock, Search
from nibabel.nifti1 import Nifti1Extension, Nifti1Image
from planting import Kind, Planted, encoded, plant_below, series_below
from pydicom import dcmread
from pydicom.uid import UID
from test_export_tree import rows

from trialbids.exporter.demo.generate import make_trial
from trialbids.exporter.trial import Trial

KEY = hashlib.sha256(b"a key for tests").hexdigest()
"""A key that stays the same: by chance alone, another one might write a canary into a label."""


@dataclass(frozen=True)
class Run:
    """A trial with canaries in it, what its export wrote, and what it said (streams and logs).

    ``known`` is what identified its patients before and must not leave either.
    """

    folder: Path
    canaries: frozenset[Canary]
    known: frozenset[Canary]
    said: str
    exit_code: int
    with_dicom: bool

    @cached_property
    def search(self) -> Search:
        return Search(self.canaries | self.known)

    @property
    def tree(self) -> Path:
        return self.folder / "bids"

    @property
    def work(self) -> Path:
        return self.folder / "work"


def run(folder: Path, planted: Planted, sourcedata: str) -> Run:
    """Export as a user does, twice: for a machine, and for a person who looks at what is there already."""
    configuration = folder / "trial.yaml"
    with configuration.open("a", encoding="utf-8") as file:
        for key, value in (("faces", "allow"), ("sourcedata", sourcedata)):
            if key in Trial.model_fields:
                file.write(f"{key}: {value}\n")
    (folder / "work").mkdir(mode=0o700)
    (folder / "work" / "secret.key").write_text(KEY)
    (folder / "work" / "secret.key").chmod(0o600)
    said, code = "", 0
    for options in (("--json",), ("--debug",)):
        program = [str(Path(sys.executable).parent / "trialbids"), "export", "trial.yaml", *options]
        done = subprocess.run(
            program, cwd=folder, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONSAFEPATH": "1"}
        )
        said += done.stdout + done.stderr
        code = max(code, done.returncode)
    return Run(folder, frozenset(planted.canaries), frozenset(planted.known), said, code, sourcedata == "dicom")


@pytest.fixture(
    scope="module",
    params=[
        "demo none",
        "demo dicom",
        "real dicom",
    ],
)
def trial(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A trial full of canaries and what its export made of it, with and without DICOM beside the images."""
    source, sourcedata = request.param.split()
    folder = tmp_path_factory.mktemp(source)
    planted = demo(folder) if source == "demo" else real(folder, request.getfixturevalue("real_data"))
    return run(folder, planted, sourcedata)


def demo(folder: Path) -> Planted:
    """The demo trial with canaries in its DICOM, its names, its archives, its tables and its masks."""
    made = make_trial(folder, patients=2)
    source = made.sources[0]
    others_beside(source)
    planted = plant_below(source)
    flock = Flock(7_000_000)
    archives(source, flock)
    names(source, flock)
    tables(folder, planted, flock)
    planted.canaries |= set(flock.canaries)
    return planted


def real(folder: Path, real_data: Path) -> Planted:
    """Real objects of every kind and vendor: two short series of each, with canaries in them."""
    for kind_of, path in picked(real_data / "dicom"):
        target = folder / "incoming" / kind_of / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target.with_stem(f"{len(list(target.parent.iterdir())):03d}"))
    planted = plant_below(folder / "incoming")
    flock = Flock(8_000_000)
    names(folder / "incoming", flock)
    pattern = f"^[^/]+/(?P<subject>[^/]+)|{flock.word('a pattern of trial.yaml')}"
    configuration = {"trial": "real", "sources": ["incoming"], "output": "bids", "work": "work"}
    text = yaml.safe_dump(configuration | {"subject": {"path": pattern}})
    (folder / "trial.yaml").write_text(text)
    planted.canaries |= set(flock.canaries)
    return planted


def picked(root: Path) -> list[tuple[str, Path]]:
    """The two smallest series of every kind that are whole enough to be a volume, each file with its series' number."""
    by_sort: dict[str, list[tuple[int, Kind, list[Path]]]] = defaultdict(list)
    for kind, paths in series_below(root).items():
        size = sum(path.stat().st_size for path in paths)
        by_sort[kind.sort].append((size if len(paths) > 2 else 10 * size + 10**6, kind, paths))
    chosen = [entry for entries in by_sort.values() for entry in sorted(entries, key=lambda e: e[0])[:2]]
    assert len(by_sort) >= 25
    return [(f"{n:03d}", path) for n, (_, _, paths) in enumerate(chosen) for path in paths]


def others_beside(source: Path) -> None:
    """An encapsulated PDF and a secondary capture beside the images, made from a report and an image."""
    by_sort = {kind.sort.split()[0]: paths for kind, paths in series_below(source).items()}
    report = dcmread(by_sort[UID("1.2.840.10008.5.1.4.1.1.88.11")][0])
    report.SOPClassUID = report.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.104.1")
    report.Modality, report.SeriesInstanceUID, report.SOPInstanceUID = "DOC", "1.2.826.0.1.5", "1.2.826.0.1.5.1"
    report.MIMETypeOfEncapsulatedDocument, report.EncapsulatedDocument = "application/pdf", b"%PDF-1.4 report "
    del report.ContentSequence
    (source / "documents").mkdir()
    (source / "documents" / "report.pdf.dcm").write_bytes(encoded(report))


def archives(source: Path, flock: Flock) -> None:
    """Two series go into a zip and a tar whose names, members and comments hold canaries."""
    folders = [p for p in sorted(source.rglob("*")) if p.is_dir() and len(list(p.glob("*.dcm"))) > 5]
    zipped, tarred = folders[1], folders[2]
    (source / "packed").mkdir()
    with zipfile.ZipFile(source / "packed" / f"{flock.word('zip name')}.zip", "w") as archive:
        archive.comment = flock.word("zip comment").encode()
        inside = flock.word("zip member name")
        for path in sorted(zipped.iterdir()):
            info = zipfile.ZipInfo(f"{inside}/{path.name}", (2020, 1, 1, 0, 0, 0))
            info.comment = inside.encode()
            archive.writestr(info, path.read_bytes())
    with tarfile.open(source / "packed" / f"{flock.word('tar name')}.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        inside, owner, note = (flock.word(f"tar {what}") for what in ("member name", "owner", "comment"))
        for path in sorted(tarred.iterdir()):
            info = tarfile.TarInfo(f"{inside}/{path.name}")
            info.size, info.uname, info.gname, info.pax_headers = path.stat().st_size, owner, owner, {"comment": note}
            archive.addfile(info, io.BytesIO(path.read_bytes()))
    shutil.rmtree(zipped)
    shutil.rmtree(tarred)


def names(source: Path, flock: Flock) -> None:
    """Canaries in the names of folders and files, and in files that are no DICOM."""
    folders = [p for p in source.rglob("*") if p.is_dir() and any(f.is_file() for f in p.iterdir())]
    for folder in folders:
        first = min(f for f in folder.iterdir() if f.is_file())
        first.rename(first.with_name(f"{flock.word('file name')} {flock.day('file name')} {first.name}"))
    for top in [p for p in source.iterdir() if p.is_dir()]:
        top.rename(top.with_name(f"{top.name} {flock.word('folder name')} {flock.digits('folder name')}"))
    (source / "README.txt").write_text(f"call {flock.digits('a note')}, {flock.word('a note')}")
    (source / "broken.dcm").write_bytes(bytes(128) + b"DICM" + flock.word("a broken file", 40).encode())


def tables(folder: Path, planted: Planted, flock: Flock) -> None:
    """Canaries in the clinical table, the annotations, their masks, and the names and comments of the configuration."""
    table = folder / f"clinical {flock.word('table name')}.csv"
    clinical(folder / "clinical.csv", table, planted, flock)
    annotations = folder / f"annotations {flock.word('table name')}.csv"
    masks(folder, annotations, flock)
    sites = folder / f"sites {flock.word('table name')}.csv"
    (folder / "sites.csv").rename(sites)
    text = (folder / "trial.yaml").read_text()
    for old, new in (("clinical.csv", table), ("annotations.csv", annotations), ("sites.csv", sites)):
        text = text.replace(old, f'"{new.name}"')
    (folder / "trial.yaml").write_text(f"# made for {flock.word('comment of trial.yaml')}\n{text}")


def clinical(old: Path, new: Path, planted: Planted, flock: Flock) -> None:
    """Columns that are not released, and cells of released ones that are not what the column says."""
    content = list(csv.DictReader(old.open(encoding="utf-8")))
    for row in content:
        row["patient_id"] = planted.ids.get(row["patient_id"]) or flock.digits("id without images", 12)
        row["comment"] = f"{row['comment']} {flock.word('clinical comment')} {flock.digits('clinical comment')}"
        row[f"diagnosis {content[0]['comment'][-10:]}"] = flock.word("clinical column")
    first, *_, last = content
    first["age"], first["sex"] = flock.word("clinical age"), flock.word("clinical sex")
    first["orads_score"], first["ca125"] = f"4 {flock.word('clinical score')}", flock.digits("telephone as a number")
    last["ca125"] = flock.digits("telephone behind a point", written="1.{}".format)
    with new.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(content[0]))
        writer.writeheader()
        writer.writerows(content)
    old.unlink()


def masks(folder: Path, table: Path, flock: Flock) -> None:
    """Masks with comments in their headers, and boxes, drawn by people with names."""
    content = list(csv.DictReader((folder / "annotations.csv").open(encoding="utf-8")))
    for row in content:
        row["reader"] = f"Dr. {flock.word('reader')}"
        if not row["file"]:
            continue
        path = folder / row["file"]
        image = Nifti1Image.from_filename(path)
        named = path.with_name(f"{flock.word('mask file name')}.nii.gz")
        copy = Nifti1Image(np.asarray(image.dataobj), image.affine)
        for text in ("descrip", "aux_file", "db_name", "intent_name"):
            copy.header[text] = flock.word(f"mask {text}").encode()
        copy.header.extensions.append(Nifti1Extension("comment", flock.word("mask comment").encode()))
        with named.open("wb") as file, gzip.GzipFile(flock.word("gzip name"), "wb", fileobj=file) as stream:
            stream.write(copy.to_bytes())
        path.unlink()
        row["file"] = str(named.relative_to(folder))
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(content[0]))
        writer.writeheader()
        writer.writerows(content)
    (folder / "annotations.csv").unlink()


def distinct(canaries: frozenset[Canary]) -> set[str]:
    return {canary.value for canary in canaries}


def leaks(found: dict[Canary, str]) -> list[str]:
    """One line a kind of place, for the report of a failed test."""
    return sorted({f"{c.kind} of {c.place!r}: {c.written or c.value} in {where}" for c, where in found.items()})


def test_none_of_the_canaries_leaves(trial: Run) -> None:
    assert len(distinct(trial.canaries)) >= 500
    assert trial.exit_code == 0, trial.said
    assert list(trial.tree.glob("sub-*/ses-*/*/*.nii.gz"))
    assert any(trial.tree.glob("sourcedata/**/*.dcm")) == trial.with_dicom
    found = trial.search.in_folder(trial.tree)
    counts = f"{len(distinct(frozenset(found)))} of {len(distinct(trial.canaries | trial.known))}"
    assert not found, f"{counts} canaries leave:\n" + "\n".join(leaks(found)[:40])


def test_every_canary_really_was_in_the_input(trial: Run) -> None:
    search = trial.search
    found = set(search.in_folder(trial.folder / "incoming", most=2))
    for path in [p for p in trial.folder.iterdir() if p.is_file()]:
        found |= search.in_text(path.name) | search.in_text(path.read_text(encoding="utf-8", errors="replace"))
    if (trial.folder / "annotations").is_dir():
        found |= set(search.in_folder(trial.folder / "annotations"))
    missed = Counter(f"{c.kind} of {c.place}" for c in trial.canaries - found)
    assert not missed


def test_nothing_that_is_said_or_logged_holds_a_canary(trial: Run) -> None:
    """The screen names the file of the trial's own table to whom it belongs; a log does not."""
    logged = "".join(p.read_text(encoding="utf-8") for p in trial.work.rglob("*.log"))
    assert '"kept"' in trial.said
    said = {canary for canary in trial.search.in_text(trial.said) if canary.place != "table name"}
    assert leaks(dict.fromkeys(said | trial.search.in_text(logged), "what was said")) == []


def test_the_private_side_is_readable_by_its_owner_alone(trial: Run) -> None:
    modes = {stat.S_IMODE(p.stat().st_mode) & 0o077 for p in [trial.work, *trial.work.rglob("*")] if not p.is_symlink()}
    assert stat.S_IMODE(trial.work.stat().st_mode) == 0o700
    assert modes == {0}


def test_all_kinds_of_objects_were_seen_and_each_is_in_the_tree_or_listed(trial: Run) -> None:
    plan = rows(trial.work / "plan.tsv")
    assert {"keep", "exclude"} <= {r["final_decision"] for r in plan}
    listed = "".join((trial.work / name).read_text() for name in ("unreadable.tsv", "quarantine.tsv", "plan.tsv"))
    for kind in series_below(trial.folder / "incoming"):
        assert kind.uid in listed, kind.sort


@pytest.mark.parametrize("kind", ["word", "digits", "date", "uid", "name", "blob"])
@pytest.mark.parametrize("way", ["text", "utf-16", "gzip", "name", "middle of a text", "beginning only"])
def test_the_search_finds_what_is_planted_in_an_output(tmp_path: Path, kind: str, way: str) -> None:
    flock = Flock(1)
    value = {
        "word": lambda: flock.word(""), "digits": lambda: flock.digits(""), "date": lambda: flock.day(""),
        "uid": lambda: flock.uid(""), "name": lambda: flock.name("", "ISO_IR 144"),
        "blob": lambda: flock.blob("").decode("latin-1"),
    }[kind]()  # fmt: skip
    decoys = Flock(2)
    for _ in range(60):
        for make in (decoys.word, decoys.digits, decoys.day, decoys.uid):
            make("")
    (tmp_path / "sub-1").mkdir()
    noise = np.random.default_rng(0).bytes(200_003)
    raw = value.encode("latin-1" if kind == "blob" else "utf-8")
    match way:
        case "text":
            data, name = raw + b"\n", "a.json"
        case "utf-16" if kind != "blob":
            data, name = noise + value.encode("utf-16-le") + noise, "a.dcm"
        case "name" if kind in ("word", "digits", "date", "uid", "name"):
            data, name = b"", f"{value}_T2w.nii"
        case "beginning only" if kind in ("word", "name"):
            data, name = noise + value[:9].lower().encode() + noise, "a.bin"
        case "gzip":
            data, name = gzip.compress(noise + raw + noise), "a.nii.gz"
        case _:
            data, name = noise + b"x" + raw + b"\0" + noise, "a.dcm"
    (tmp_path / "sub-1" / name).write_bytes(data)
    assert set(Search([*flock.canaries, *decoys.canaries]).in_folder(tmp_path)) == set(flock.canaries)


def test_the_search_finds_dates_in_other_orders_and_numbers_in_other_writings() -> None:
    flock = Flock(3)
    day, number = flock.day("a"), flock.digits("b", 12)
    search = Search(flock.canaries)
    where = {c.place for text in (f"{day[6:]}.{day[4:6]}.{day[:4]}",) for c in search.in_text(text)}
    assert where == {"a"}
    for text in (
        f"{number[:4]} {number[4:8]}-{number[8:]}",
        f"0.{number[:9]}",
        f'"{number[:4]}_{number[4:8]}_{number[8:]}"',
    ):
        assert {c.place for c in search.in_text(text)} == {"b"}, text
    assert not search.in_bytes(f"9{day}9".encode()), "a date inside a longer number is chance"


def test_names_are_planted_in_many_character_sets() -> None:
    assert len(ALPHABETS) >= 6
    for charset, (codec, letters) in ALPHABETS.items():
        assert not letters.isascii() and letters.encode(codec).decode(codec) == letters, charset
