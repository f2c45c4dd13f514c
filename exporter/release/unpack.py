"""Archives that several stacks lie in: unpacked once for all of them, into the private work folder."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import ConversionError, UsageError
from .job import Job

Place = tuple[str, str]
"""An archive, and the member in it."""
RESERVE = 1024**3
"""Bytes that stay free for the images themselves."""


class Unpacked:
    """The unpacked members that the jobs of one run need, from an archive's first job to the end of its last.

    An archive that one job alone needs is left to it. Use it as a context: nothing of it stays on the disk.
    """

    def __init__(self, work: Path, jobs: Sequence[Job]) -> None:
        self._folder = work / "unpacked"
        self._jobs = jobs
        self._users = Counter(path for job in jobs for path in _archives(job))
        self._sizes: dict[str, dict[str, int]] = {path: {} for path, n in self._users.items() if n > 1}
        for instance in (i for job in jobs for i in job.planned.harmonised.stack.instances):
            if instance.member and instance.path in self._sizes:
                self._sizes[instance.path][instance.member] = instance.size
        self._folders = {path: self._folder / f"{n:06d}" for n, path in enumerate(self._sizes)}
        self._places: dict[str, dict[Place, Path]] = {}

    def __enter__(self) -> Unpacked:
        """Raises ``UsageError`` where one archive alone is more than the disk can take."""
        self.__exit__()  # what a killed run left
        for path in self._sizes:
            self._check_room(path)
        self._folder.mkdir(mode=0o700)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def jobs(self) -> Iterator[Job]:
        """The jobs, each with its members unpacked by the time it is given out. Raises ``UsageError``, ``OSError``."""
        for job in self._jobs:
            for path in _archives(job):
                if path in self._sizes and path not in self._places:
                    self._check_room(path)
                    self._places[path] = self._unpack(path)
            places = {(i.path, i.member) for i in job.planned.harmonised.stack.instances if i.member}
            here = {place: self._places.get(place[0], {}).get(place) for place in places}
            yield replace(job, unpacked={place: file for place, file in here.items() if file is not None})

    def done(self, job: Job) -> None:
        """Remove what no other job needs any more."""
        for path in _archives(job):
            self._users[path] -= 1
            if not self._users[path] and path in self._places:
                shutil.rmtree(self._folders[path])
                del self._places[path]

    def _check_room(self, path: str) -> None:
        needed, free = sum(self._sizes[path].values()), shutil.disk_usage(self._folder.parent).free
        if needed + RESERVE > free:
            sizes = f"{needed / 1e9:.1f} GB unpacked, and {self._folder.parent} has {free / 1e9:.1f} GB free"
            raise UsageError(f"{path}: takes {sizes}; make room there, or unpack the archive elsewhere by hand")

    def _unpack(self, path: str) -> dict[Place, Path]:
        """The wanted members as files. One that is lost is left out: its own job will find and say so."""
        from ..inventory.objects import read_members  # the readers of archives: only where there are some

        folder = self._folders[path]
        folder.mkdir()
        places: dict[Place, Path] = {}
        try:
            for name, data in read_members(path, self._sizes[path]):
                file = folder / f"{len(places):06d}.dcm"
                file.write_bytes(data)
                places[path, name] = file
        except ConversionError:
            pass
        return places


def _archives(job: Job) -> Iterable[str]:
    """The archives that hold instances of the job's stack."""
    return dict.fromkeys(i.path for i in job.planned.harmonised.stack.instances if i.member)
