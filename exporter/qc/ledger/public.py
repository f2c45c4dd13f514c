"""The issues as they leave: ``curation/issues.tsv``, without an original identifier, a name or a word of free text."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from .row import WAIVED, Row, is_known

PUBLIC_ISSUES_FILE = "curation/issues.tsv"
PUBLIC_ISSUE_COLUMNS = (
    "issue_id", "check", "level", "severity", "participant_id", "session_id", "image", "state", "cycle_first",
    "cycle_last", "waived_by",
)  # fmt: skip
ABSENT = "n/a"
Keyed = Callable[[str, str], str]
"""Kind and value to a label under the trial's key: ``lambda kind, value: pseudonyms.label(kind, "", value)``."""


def public_rows(
    rows: Iterable[Row], images: Mapping[str, str], released: Collection[tuple[str, str]], keyed: Keyed
) -> list[dict[str, str]]:
    """The issues as rows of :data:`PUBLIC_ISSUE_COLUMNS`, by their public id.

    ``images`` are the paths of released images by ``stack_id``, ``released`` the labels of subject and session that are
    in the tree: of whom is not, an issue tells check and state alone. The private id is a plain hash of original
    identifiers, which could be guessed back, so it leaves keyed; so does who waived it. Issues of checks that this
    version does not have stay behind.
    """
    people = {subject for subject, _ in released}
    found = (_public(row, images, people, released, keyed) for row in rows if is_known(row.check))
    return sorted(found, key=lambda row: row["issue_id"])


def _public(
    row: Row,
    images: Mapping[str, str],
    people: Collection[str],
    released: Collection[tuple[str, str]],
    keyed: Keyed,
) -> dict[str, str]:
    is_released = (row.subject, row.session) in released
    return {
        "issue_id": f"{row.check}-{keyed('issue', row.issue_id)}",
        "check": row.check,
        "level": row.level,
        "severity": row.severity,
        "participant_id": f"sub-{row.subject}" if row.subject in people else ABSENT,
        "session_id": f"ses-{row.session}" if is_released else ABSENT,
        "image": images.get(row.stack_id, ABSENT),
        "state": row.state,
        "cycle_first": str(row.cycle_first),
        "cycle_last": str(row.cycle_last),
        "waived_by": keyed("waiver", row.waived_by) if row.state == WAIVED and row.waived_by else ABSENT,
    }
