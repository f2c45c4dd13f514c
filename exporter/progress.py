"""Progress of long work, as the stages report it and the command line shows it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """What a stage tells about its work. Stages never print."""

    def start(self, label: str, total: int | None) -> None:
        """A piece of work begins; ``total`` is None where the number of steps is not known yet."""
        ...

    def advance(self, steps: int = 1) -> None:
        """Some steps are done."""
        ...

    def done(self) -> None:
        """The piece of work has ended."""
        ...


class Silent:
    """Reports to nobody."""

    def start(self, label: str, total: int | None) -> None: ...

    def advance(self, steps: int = 1) -> None: ...

    def done(self) -> None: ...
