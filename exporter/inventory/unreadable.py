"""What could not be taken into the inventory, and why."""

from __future__ import annotations

from dataclasses import dataclass

BROKEN_LINK, LOST_LINK = "broken-link", "lost-link"
NO_ACCESS = frozenset({"unreadable", "unreadable-folder", LOST_LINK})
"""Reasons that say nothing of the content: what lies there may be all right."""

REASONS = {
    "not-dicom": "the content is not DICOM",
    "wrong-magic": "a DICOM file whose magic word is damaged",
    "empty": "a file of zero bytes",
    "truncated": "the file ends before its header or its pixel data do",
    "corrupt": "damaged bytes: a header, a deflated data set or an archive that cannot be decoded",
    "no-image-uids": "SOPInstanceUID, SeriesInstanceUID or StudyInstanceUID is missing",
    "dicomdir": "an index of other files, not an image; the files are found by themselves",
    "unreadable": "the operating system refused to read the file; tried again on the next run",
    "unreadable-folder": "the operating system refused to list the folder; tried again on the next run",
    BROKEN_LINK: "a link that leads nowhere",
    LOST_LINK: "a link that leads nowhere now, and led to files in an earlier run: a disk may be missing",
    "not-a-file": "a device, a socket or a named pipe",
    "refused-archive-member": "a member whose name or kind is not safe (../, absolute, link, device) or not unique",
    "encrypted": "an archive member with a password",
    "bomb": "an archive or a deflated object that grows beyond reason when it is unpacked",
    "nested-archive": "an archive inside an archive",
    "unsupported-archive": "an archive or a compression of a kind that is not read",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """One file, archive member or folder that gave no instance.

    ``reason`` is a key of :data:`REASONS`; ``message`` is a sentence for the person who must act;
    ``member`` is "" where the file itself is meant; ``series_uid`` is the series that now lacks an image, where the
    header could still be read.
    """

    path: str
    member: str = ""
    reason: str
    message: str
    series_uid: str = ""


class RefusalError(Exception):
    """Raised while one object is read; it becomes an :class:`Unreadable` and the rest goes on."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.series_uid = ""
