"""Reading the YAML of this package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

FastSafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The same safe loader in C where PyYAML has it: ten times as fast, and the rules are read at every start."""


def read_yaml(name: str) -> Any:
    """The content of a YAML file beside this module."""
    text = (Path(__file__).parent / name).read_text(encoding="utf-8")
    return yaml.load(text, Loader=FastSafeLoader)  # a safe loader
