"""The proof of a tree after the fact: by what its last export knew of the people and the trial, and by the key."""

from __future__ import annotations

from pathlib import Path

from ..deidentify.identifiers import IDENTIFIERS_FILE
from ..deidentify.pseudonyms import Pseudonyms
from ..engine import Engine
from ..errors import UsageError
from ..places import tree_key
from ..progress import Progress
from .guard import remembered_guard
from .session import Sessions
from .verify import Verification, read_leaks, verify, write_verification

MOST_LINES = 20


def prove_again(root: Path, work: Path, pseudonyms: Pseudonyms, engine: Engine, progress: Progress) -> Verification:
    """Inspect the whole tree against all that the work folder remembers; the leaks are listed in it, privately.

    What kept a session out of the tree stays listed.

    The caller holds the folder. Raises ``UsageError`` where the tree belongs to another key, or the work folder does
    not know whom to look for.
    """
    if not root.is_dir():
        raise UsageError(f"{root}: there is no such folder; give the root of a released tree")
    if tree_key(root) != pseudonyms.fingerprint:
        raise UsageError(f"{root}: was not made with the key of {work}; give its own work folder with --work")
    path = work / IDENTIFIERS_FILE
    if not path.is_file():
        raise UsageError(f"{path}: is not there, so nobody knows whom to look for; run trialbids export again")
    guard = remembered_guard(work)
    made = {file.path for fragment in Sessions(work, root).known().values() for file in fragment.files}
    done = verify(root, guard.searches, engine, progress, made=made or None)
    write_verification(work, done, [leak for leak in read_leaks(work) if not (root / leak.path).exists()])
    return done


def shown(done: Verification) -> list[str]:
    """The first leaks as lines that may be seen: no value, no key, and no name that is itself the leak."""
    spoken = tuple(leak.path for leak in done.leaks if leak.place == "name")
    lines = []
    for leak in done.leaks[:MOST_LINES]:
        hidden = any(leak.path == path or leak.path.startswith(f"{path}/") for path in spoken)
        lines.append(f"{'a name that may not be shown' if hidden else leak.path}: {leak.kind}")
    more = len(done.leaks) - MOST_LINES
    return [*lines, f"and {more} more"] if more > 0 else lines
