"""The data card of a released tree: it speaks of one state of the tree, and does not outlive it."""

from __future__ import annotations

from pathlib import Path

from trialbids.mappings.card import CARD_FILE, state_in, tree_state


def drop_stale_card(root: Path) -> bool:
    """Take the data card out of a tree that is in another state than it says; whether there was such a card."""
    path = root / CARD_FILE
    try:
        said = state_in(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    except (OSError, UnicodeDecodeError):
        said = ""  # no card of ours
    if said == tree_state(root):
        return False
    path.unlink()
    return True
