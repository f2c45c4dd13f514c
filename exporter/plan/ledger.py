"""Names once given: a private table that pins sessions, scans and images, so that adding a series renames no other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..errors import UsageError
from ..tables import read_tsv, tsv_bytes, write_atomic

COLUMNS = ("kind", "scope", "key", "label")


class Ledger:
    """Labels by kind, scope and key; within one kind and scope no label is given twice, whatever its letters' case.

    Kinds: ``session`` (scope: subject), ``acquisition`` and ``scan`` (numbers, scope: session) and ``image`` (scope:
    session). Scopes and keys are private text of any kind.
    """

    def __init__(self, rows: Iterable[tuple[str, str, str, str]] = ()) -> None:
        self._given: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
        self._taken: dict[tuple[str, str], set[str]] = defaultdict(set)
        for kind, scope, key, label in rows:
            self.give(kind, scope, key, label)

    @classmethod
    def read(cls, path: Path) -> Ledger:
        """The ledger of a work folder, empty where there is none yet."""
        if not path.exists():
            return cls()
        try:
            return cls([(r["kind"], _unquoted(r["scope"]), _unquoted(r["key"]), r["label"]) for r in read_tsv(path)])
        except (KeyError, ValueError) as error:
            raise UsageError(f"{path}: the ledger of names is damaged; put back a copy of it") from error

    def write(self, path: Path) -> None:
        """Keep the ledger, in one atomic write, sorted."""
        rows = [
            {"kind": kind, "scope": _quoted(scope), "key": _quoted(key), "label": label}
            for (kind, scope), labels in sorted(self._given.items())
            for key, label in sorted(labels.items())
        ]
        write_atomic(path, tsv_bytes(COLUMNS, rows))

    def given(self, kind: str, scope: str) -> Mapping[str, str]:
        """The labels of one kind and scope by key."""
        return self._given[kind, scope]

    def give(self, kind: str, scope: str, key: str, label: str) -> None:
        """Pin a label."""
        self._given[kind, scope][key] = label
        self._taken[kind, scope].add(label.casefold())

    def first_free(self, kind: str, scope: str, key: str, candidates: Iterable[str]) -> str:
        """The label of ``key``: the one once given, or the first candidate that no other key has."""
        known = self._given[kind, scope].get(key)
        if known is not None:
            return known
        label = next(c for c in candidates if c.casefold() not in self._taken[kind, scope])
        self.give(kind, scope, key, label)
        return label


def _quoted(text: str) -> str:
    return text.encode("unicode_escape").decode("ascii")


def _unquoted(text: str) -> str:
    return text.encode("ascii").decode("unicode_escape")
