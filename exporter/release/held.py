"""Sessions that are held back: part of where their files lay cannot be seen at present."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..inventory.unreadable import NO_ACCESS, Unreadable
from .session import Fragment


@dataclass(frozen=True, slots=True)
class Held:
    """A session that would have been replaced or withdrawn, and the place in the source that cannot be opened."""

    subject: str
    session: str
    place: str


class Closed:
    """The places in the sources that cannot be opened: folders, files and links."""

    def __init__(self, listed: Iterable[Unreadable]) -> None:
        self._at: dict[str, str] = {}
        self._beside: dict[str, str] = {}
        for item in listed:
            if item.reason in NO_ACCESS:
                self._at[item.path] = item.path
                if item.reason != "unreadable-folder":
                    self._beside.setdefault(_parent(item.path), item.path)

    def concerns(self, fragment: Fragment) -> str:
        """The place that may hold files of a session, "" where none can.

        A folder or a link may hold what lay below it, a file or a link is one of those that lay beside it. Of a
        session whose folders are not known, anything may.
        """
        if not fragment.folders:
            return next(iter(self._at), "")
        return next(filter(None, map(self._near, fragment.folders)), "")

    def _near(self, folder: str) -> str:
        if folder in self._beside:
            return self._beside[folder]
        while folder and folder not in self._at:
            folder = _parent(folder)
        return self._at.get(folder, "")


def _parent(path: str) -> str:
    return path.rpartition("/")[0]
