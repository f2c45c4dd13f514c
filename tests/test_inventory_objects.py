"""The objects' bytes, and files for the converter."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pydicom
import pytest
from inventorymaker import encoded, image, write
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, RLELossless
from test_inventory_archives import tar, zipped

from trialbids.exporter.engine import Serial
from trialbids.exporter.errors import ConversionError
from trialbids.exporter.inventory import objects
from trialbids.exporter.inventory.instance import Instance
from trialbids.exporter.inventory.objects import materialise, pixel_digest, read_object
from trialbids.exporter.inventory.run import scan
from trialbids.exporter.progress import Silent


@pytest.fixture
def found(tmp_path: Path) -> list[Instance]:
    """Five images: in a folder, a zip, and a tar.gz."""
    source = tmp_path / "source"
    write(source / "IM1", image(1))
    (source / "z").write_bytes(zipped({"2": encoded(image(2)), "3": encoded(image(3))}))
    (source / "t").write_bytes(gzip.compress(tar({"4": encoded(image(4)), "5": encoded(image(5))})))
    return list(scan([source], tmp_path / "store", engine=Serial(), progress=Silent()).instances)


def test_read_object(found: list[Instance]) -> None:
    for instance in found:
        assert read_object(instance) == encoded(image(instance.InstanceNumber or 0))


def test_materialise(tmp_path: Path, found: list[Instance], monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[str] = []
    real = objects.members
    monkeypatch.setattr(objects, "members", lambda path, kind: passes.append(path) or real(path, kind))
    folder = tmp_path / "farm"
    folder.mkdir()
    order = [*reversed(found), found[0]]
    paths = materialise(order, folder)
    assert [pydicom.dcmread(path).InstanceNumber for path in paths] == [i.InstanceNumber for i in order]
    assert sorted(path.name for path in folder.iterdir()) == [f"{n:06d}.dcm" for n in range(5)]
    assert sum(path.is_symlink() for path in folder.iterdir()) == 1
    assert len(passes) == 2


def test_what_is_gone_is_one_error(tmp_path: Path, found: list[Instance]) -> None:
    for instance in found:
        Path(instance.path).write_bytes(b"something else") if instance.member else Path(instance.path).unlink(
            missing_ok=True
        )
    for instance in found:
        with pytest.raises(ConversionError) as caught:
            read_object(instance)
        assert caught.value.reason == "source-lost"
        with pytest.raises(ConversionError):
            pixel_digest(instance)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_pixel_digest_is_of_the_pixels_alone(tmp_path: Path, syntax: str) -> None:
    one = Instance(path=str(write(tmp_path / "1", image(1, SeriesDescription="a"), syntax)))
    assert pixel_digest(one) == hashlib.sha256(bytes(range(48))).hexdigest()


def test_pixel_digest_of_compressed_pixels(tmp_path: Path) -> None:
    def digest(name: str, content: bytes) -> str:
        data = image(PixelData=encapsulate([content]), SeriesDescription=name)
        data["PixelData"].is_undefined_length = True
        return pixel_digest(Instance(path=str(write(tmp_path / name, data, RLELossless))))

    assert digest("a", b"same") == digest("longer name", b"same") != digest("c", b"else")


def test_pixel_digest_in_archives(found: list[Instance]) -> None:
    assert {pixel_digest(instance) for instance in found} == {hashlib.sha256(bytes(range(48))).hexdigest()}


def test_digests_of_many_members_take_a_few_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source"
    source.mkdir()
    content = {str(n): encoded(image(n, PixelData=bytes([n]) * 48)) for n in range(20)}
    (source / "t").write_bytes(gzip.compress(tar({**content, "README": b"text"})))
    found = scan([source], tmp_path / "store", engine=Serial(), progress=Silent()).instances
    passes: list[str] = []
    real = objects.members
    monkeypatch.setattr(objects, "members", lambda path, kind: passes.append(path) or real(path, kind))
    for instance in found:
        assert pixel_digest(instance) == hashlib.sha256(bytes([instance.InstanceNumber or 0]) * 48).hexdigest()
    assert len(passes) == objects.ONE_BY_ONE + 1
    (source / "t").write_bytes(gzip.compress(tar({"0": content["1"]})))
    assert pixel_digest(found[0]) == hashlib.sha256(bytes([1]) * 48).hexdigest()
    with pytest.raises(ConversionError, match="no longer holds"):
        pixel_digest(found[1])


def test_members_that_are_unpacked_already_are_linked(tmp_path: Path, found: list[Instance]) -> None:
    folder, plain = tmp_path / "farm", tmp_path / "plain"
    folder.mkdir()
    plain.write_bytes(encoded(image(77)))
    (packed, *_) = (i for i in found if i.member)
    (path,) = materialise([packed], folder, {(packed.path, packed.member): plain})
    assert path.is_symlink() and pydicom.dcmread(path).InstanceNumber == 77
