"""The page on training is true: its blocks run one after the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_docs import blocks
from treemaker import small_trial


def test_every_block_of_the_page_on_training_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("lightning")
    small_trial(tmp_path / "demo-trial" / "bids")
    monkeypatch.chdir(tmp_path)
    page = blocks("docs/howto-train.md")
    names: dict[str, Any] = {"__name__": "page"}
    for block in page:
        exec(compile("\n" * (block.line - 1) + block.text, block.page, "exec"), names)
    assert len(page) == 9 and names["state"]["start"] == 1 and names["trainer"].global_step > 0
    assert not names["weights"][4] and names["weights"][:4].any()
