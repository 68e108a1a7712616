"""The forms that pre-annotations are written in, by name."""

from __future__ import annotations

from collections.abc import Sequence

from salutary.errors import SalutaryError
from salutary.system.rules import Choice, ListOf

# Of the rows of the pool, and of the labelled rows.
OF_POOL = ("label-studio", "argilla", "datasets")
OF_LABELED = ("cleanlab",)
_ONE = Choice(*OF_POOL, *OF_LABELED)
EXPORTS = _ONE | ListOf(_ONE, "a list such as [label-studio,cleanlab]")


def check_exports(names: Sequence[str], is_audit: bool, has_pool: bool) -> None:
    """Raises SalutaryError for one that is there twice, or of rows that are not there."""
    for place, name in enumerate(names):
        if name in names[:place]:
            raise SalutaryError(f"export={name} is there twice")
        if name in OF_POOL and (is_audit or not has_pool):
            why = "there is none with audit=true" if is_audit else "set pool"
            raise SalutaryError(f"export={name} is of the rows of a pool: {why}")
