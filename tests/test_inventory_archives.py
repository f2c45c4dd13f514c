"""Archives: read in memory, refused where they are not safe, and never the end of the run."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from inventorymaker import encoded, image

from trialbids.exporter.inventory import archives
from trialbids.exporter.inventory.archives import unsafe_name
from trialbids.exporter.inventory.find import find_files
from trialbids.exporter.inventory.reading import Readings, read_file

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "tar": bytes,
    "tar.gz": gzip.compress,
    "tar.bz2": bz2.compress,
    "tar.xz": lzma.compress,
    "tar.zst": zstandard.ZstdCompressor().compress,
}


def tar(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def read(path: Path, content: bytes) -> tuple[list[tuple[str, int | None]], dict[str, str]]:
    """Members and instance numbers read, and the reasons of what was not."""
    path.write_bytes(content)
    readings = Readings()
    (found,) = find_files([path], path.parent / "none").files
    read_file(found, readings)
    return [(row.member, row.InstanceNumber) for row in readings.rows], {
        u.member: u.reason for u in readings.unreadable
    }


IMAGES = {f"a/{number}": encoded(image(number)) for number in (1, 2, 3)}
READ = [("a/1", 1), ("a/2", 2), ("a/3", 3)]


@pytest.mark.parametrize("kind", PACKERS)
def test_tars_are_read_whatever_they_are_called(tmp_path: Path, kind: str) -> None:
    assert read(tmp_path / "archive", PACKERS[kind](tar({**IMAGES, "README": b"text"}))) == (
        READ,
        {"README": "not-dicom"},
    )


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zips_are_read(tmp_path: Path, method: int) -> None:
    assert read(tmp_path / "archive", zipped(IMAGES, method)) == (READ, {})


def test_one_compressed_file_is_an_archive_of_one(tmp_path: Path) -> None:
    assert read(tmp_path / "IM1.dcm.gz", gzip.compress(IMAGES["a/1"])) == ([("IM1.dcm", 1)], {})
    assert read(tmp_path / "t1.nii.gz", gzip.compress(bytes(1000))) == ([], {"": "not-dicom"})


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", "C:\\x", "..\\x", "\\\\server\\x"])
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    assert unsafe_name(name)
    content = {name: IMAGES["a/1"], "a/2": IMAGES["a/2"]}
    for packed in (tar(content), zipped(content)):
        assert read(tmp_path / "archive", packed) == ([("a/2", 2)], {name: "refused-archive-member"})
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]


def test_links_and_devices_are_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, kind in (
            ("sym", tarfile.SYMTYPE),
            ("hard", tarfile.LNKTYPE),
            ("dev", tarfile.CHRTYPE),
            ("fifo", tarfile.FIFOTYPE),
        ):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry)
    assert set(read(tmp_path / "archive", stream.getvalue())[1].values()) == {"refused-archive-member"}
    zipstream = io.BytesIO()
    with zipfile.ZipFile(zipstream, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert read(tmp_path / "archive2", zipstream.getvalue()) == ([], {"link": "refused-archive-member"})


def test_a_name_given_twice_is_read_once(tmp_path: Path) -> None:
    stream = io.BytesIO(tar({"a": IMAGES["a/1"]})[:-10240].rstrip(b"\0"))
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for number in (1, 2):
            entry = tarfile.TarInfo("a")
            entry.size = len(IMAGES[f"a/{number}"])
            archive.addfile(entry, io.BytesIO(IMAGES[f"a/{number}"]))
    assert read(tmp_path / "archive", stream.getvalue()) == ([("a", 1)], {"a": "refused-archive-member"})


@pytest.mark.parametrize("inner", [tar(IMAGES), zipped(IMAGES), gzip.compress(tar(IMAGES))])
def test_nested_archives_are_refused_and_named(tmp_path: Path, inner: bytes) -> None:
    for outer in (tar({"inner": inner, **IMAGES}), zipped({"inner": inner, **IMAGES})):
        assert read(tmp_path / "archive", outer) == (READ, {"inner": "nested-archive"})


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.zst"])
def test_bombs_are_stopped_by_what_comes_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(archives, "BOMB_FLOOR", 1_000_000)
    monkeypatch.setattr(archives, "MAX_RATIO", 50)
    members = {"a/1": IMAGES["a/1"], "zeros": bytes(20_000_000), "a/2": IMAGES["a/2"]}
    packed = zipped(members) if kind == "zip" else PACKERS[kind](tar(members))
    rows, reasons = read(tmp_path / "archive", packed)
    assert rows[0] == ("a/1", 1)
    assert "bomb" in reasons.values()


def test_an_encrypted_member_is_named(tmp_path: Path) -> None:
    content = bytearray(zipped({"a/1": IMAGES["a/1"], "a/2": IMAGES["a/2"]}))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    assert read(tmp_path / "archive", bytes(content)) == ([("a/2", 2)], {"a/1": "encrypted"})


def test_a_tar_cut_between_two_members_is_noticed(tmp_path: Path) -> None:
    whole = tar(IMAGES)
    end = whole.index(b"a/3\0")
    for packed in (whole[:end], gzip.compress(whole[:end])):
        assert read(tmp_path / "archive", packed) == (READ[:2], {"": "truncated"})


@pytest.mark.parametrize("kind", PACKERS)
def test_a_cut_tar_gives_what_comes_before_the_cut(tmp_path: Path, kind: str) -> None:
    packed = PACKERS[kind](tar({**IMAGES, "noise": bytes(range(256)) * 400}))
    rows, reasons = read(tmp_path / "archive", packed[: len(packed) * 2 // 3])
    assert set(rows) <= set(READ)
    assert set(reasons.values()) & {"corrupt", "truncated"}


def test_a_cut_zip_is_corrupt(tmp_path: Path) -> None:
    assert read(tmp_path / "archive", zipped(IMAGES)[:-30]) == ([], {"": "corrupt"})


def test_a_member_with_a_wrong_checksum_is_corrupt_and_the_others_are_read(tmp_path: Path) -> None:
    content = bytearray(zipped(IMAGES, zipfile.ZIP_STORED))
    content[content.index(bytes(range(48))) + 10] ^= 0xFF
    rows, reasons = read(tmp_path / "archive", bytes(content))
    assert (rows, reasons) == (READ[1:], {"a/1": "corrupt"})


def test_unknown_archives_and_office_documents(tmp_path: Path) -> None:
    assert read(tmp_path / "a", b"7z\xbc\xaf\x27\x1c" + bytes(100)) == ([], {"": "unsupported-archive"})
    assert read(tmp_path / "b", zipped({"[Content_Types].xml": b"<x/>", "word/document.xml": b""})) == (
        [],
        {"": "not-dicom"},
    )
