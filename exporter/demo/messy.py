"""How centres deliver: every patient's files lie in another kind of mess."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pydicom

from . import extras
from .objects import Study
from .people import Patient
from .studies import Stored

DAY_OF_ARCHIVES = (2020, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class File:
    """One file of a delivery: its path with ``/``, and its bytes."""

    path: str
    data: bytes


@dataclass(frozen=True)
class Delivery:
    """The files of one patient, in an archive if ``archive`` names one, and the folder of every series by UID."""

    archive: str
    files: tuple[File, ...]
    folders: dict[str, str]


def deliver(patient: Patient, studies: list[tuple[Study, list[Stored]]]) -> Delivery:
    """A patient's files the way her centre sends them; paths are relative to the source folder."""
    style = STYLES[patient.index % len(STYLES)]
    files: list[File] = []
    folders: dict[str, str] = {}
    for study, series in studies:
        for stored in series:
            for copy in range(stored.copies):
                folder = style.folder(study, stored) + (" (2)" if copy else "")
                folders.setdefault(stored.uid, folder)
                files += [File(f"{folder}/{style.name(stored, k)}", data) for k, data in enumerate(stored.files, 1)]
        files += style.neighbours(study, files)
    archive = style.archive.format(id=patient.id)
    prefix = f"{archive}/" if archive else ""
    return Delivery(archive, tuple(files), {uid: f"{prefix}{folder}" for uid, folder in folders.items()})


class Style:
    """A centre's way of naming; this one is the tidy one, with names and spaces in it."""

    archive = ""

    def folder(self, study: Study, stored: Stored) -> str:
        """The folder of a series."""
        patient = study.patient
        person = f"{patient.family}, {patient.name.split('^')[1]} geb. {patient.birth:%d.%m.%Y}"
        series = f"{stored.number:03d} {plain(stored.text)}"
        return f"{patient.centre.institution}/{person}/Studie {study.visit.number}/{series}"

    def name(self, stored: Stored, index: int) -> str:
        """The file name of the ``index``-th object (from 1) of a series."""
        return f"IM-{stored.number:04d}-{index:04d}.dcm"

    def neighbours(self, study: Study, files: list[File]) -> list[File]:
        """Files that lie between the images."""
        return []


class Disc(Style):
    """A CD: coded folder names, no extensions, an index file."""

    def folder(self, study: Study, stored: Stored) -> str:
        return f"CHU/CD {study.patient.family}/DICOM/PA000001/ST{study.visit.number:06d}/SE{stored.number:06d}"

    def name(self, stored: Stored, index: int) -> str:
        return f"IM{index:06d}"

    def neighbours(self, study: Study, files: list[File]) -> list[File]:
        top = f"CHU/CD {study.patient.family}"
        return [
            File(f"{top}/DICOMDIR", extras.dicomdir(study)),
            File(f"{top}/autorun.inf", b"[autorun]\r\nopen=viewer.exe\r\n"),
        ]


class Flat(Style):
    """Everything in one folder; one file has lost its preamble and file meta information."""

    def folder(self, study: Study, stored: Stored) -> str:
        return f"harrowfield {study.patient.id}"

    def name(self, stored: Stored, index: int) -> str:
        return f"MR.{stored.number:03d}.{index:04d}"

    def neighbours(self, study: Study, files: list[File]) -> list[File]:
        bared = next(k for k, file in enumerate(files) if file.path.endswith("/MR.002.0004"))
        files[bared] = File(files[bared].path, without_preamble(files[bared].data))
        return []


class Zipped(Style):
    """An upload from the hospital's portal as one zip."""

    archive = "Musterstadt Upload {id}.zip"

    def folder(self, study: Study, stored: Stored) -> str:
        return f"Export/{study.patient.family}/{stored.number} {plain(stored.text)}"


class Tarred(Style):
    """A folder packed by a research assistant."""

    archive = "vallombreuse_{id}.tar.gz"

    def folder(self, study: Study, stored: Stored) -> str:
        return f"{study.patient.id}/{stored.number:04d}"

    def name(self, stored: Stored, index: int) -> str:
        return f"{index:05d}"


class Deep(Style):
    """Deep folders, with what operating systems and people leave in them."""

    def folder(self, study: Study, stored: Stored) -> str:
        patient = study.patient
        return (
            f"harrowfield/to send/new/{patient.family}/{study.visit.day:%Y-%m-%d}/mr/scans/{stored.number}/DICOM/files"
        )

    def name(self, stored: Stored, index: int) -> str:
        return f"{index}.IMA" if index % 2 else f"{index}"

    def neighbours(self, study: Study, files: list[File]) -> list[File]:
        top = f"harrowfield/to send/new/{study.patient.family}"
        note = f"Scans of Mrs {study.patient.family}, please call {study.patient.phone} before use.\n"
        return [
            File(f"{top}/README.txt", note.encode()),
            File(f"{top}/Thumbs.db", bytes.fromhex("d0cf11e0a1b11ae1") + bytes(504)),
            File(f"{top}/.DS_Store", b"\x00\x00\x00\x01Bud1" + bytes(56)),
            File(f"{top}/{study.visit.day:%Y-%m-%d}/mr/scans/2/DICOM/files/0", b""),
        ]


STYLES: tuple[Style, ...] = (Style(), Disc(), Flat(), Zipped(), Tarred(), Deep())


def plain(text: str) -> str:
    """A description as part of a file name: the characters no file system refuses."""
    return "".join(c if c.isalnum() or c in " -_+" else "_" for c in text)


def without_preamble(data: bytes) -> bytes:
    """The bare data set of a DICOM file, as some old archives hand it out (implicit little endian only)."""
    length = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True).file_meta.FileMetaInformationGroupLength
    return data[132 + 12 + length :]


def write(delivery: Delivery, source: Path) -> None:
    """Put a delivery below the source folder."""
    if not delivery.archive:
        for file in delivery.files:
            path = source / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.data)
    elif delivery.archive.endswith(".zip"):
        (source / delivery.archive).write_bytes(_zip(delivery.files))
    else:
        (source / delivery.archive).write_bytes(gzip.compress(_tar(delivery.files), 3, mtime=0))


def _zip(files: Iterable[File]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
        for file in files:
            archive.writestr(_zip_info(file.path), file.data)
    return buffer.getvalue()


def _zip_info(path: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(path, DAY_OF_ARCHIVES)
    info.compress_type, info.create_system, info.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
    return info


def _tar(files: Iterable[File]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for file in _sorted(files):
            info = tarfile.TarInfo(file.path)
            info.size = len(file.data)
            archive.addfile(info, io.BytesIO(file.data))
    return buffer.getvalue()


def _sorted(files: Iterable[File]) -> Iterator[File]:
    yield from sorted(files, key=lambda file: file.path)
