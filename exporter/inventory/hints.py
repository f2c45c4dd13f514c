"""Type hints of data classes with very many fields."""

from __future__ import annotations

from functools import cache
from typing import Any, get_type_hints


@cache
def hints(row_type: type) -> dict[str, Any]:
    """As ``typing.get_type_hints``, but every distinct hint is evaluated once: a dozen for a hundred fields."""
    texts = list(dict.fromkeys(row_type.__annotations__.values()))
    numbered = {f"hint{n}": text for n, text in enumerate(texts)}
    holder = type(row_type.__name__, (), {"__annotations__": numbered, "__module__": row_type.__module__})
    types = dict(zip(texts, get_type_hints(holder).values(), strict=True))
    return {name: types[text] for name, text in row_type.__annotations__.items()}
