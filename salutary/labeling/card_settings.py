"""What only the user knows of a model: ``card.`` of conf/label.yaml."""

from __future__ import annotations

import re
from dataclasses import dataclass

from salutary.errors import SalutaryError
from salutary.system.rules import ListOf, Rule, Unless, check


@dataclass(frozen=True)
class _Matching(Rule):
    """A text of a ``pattern``; ``what`` it is."""

    pattern: str
    what: str

    def accepts(self, value: object) -> bool:
        return isinstance(value, str) and re.fullmatch(self.pattern, value) is not None

    def __str__(self) -> str:
        return self.what


LICENSE = _Matching(
    r"[a-z0-9][a-z0-9.+-]*", "a licence as the Hugging Face Hub calls it, such as mit or cc-by-4.0"
)
LANGUAGE = _Matching(r"[a-z]{2,3}", "")
DATASET = _Matching(r"\w[\w.-]*(/\w[\w.-]*)?", "")
RULES = {
    "license": Unless(None, LICENSE),
    "language": ListOf(LANGUAGE, "a list of ISO 639 codes such as [en,de]"),
    "datasets": ListOf(DATASET, "a list of data sets of the Hugging Face Hub such as [owner/name]"),
}


@dataclass(frozen=True)
class CardSettings:
    """``license``: of the model, None if it is not known; ``language``: of its texts; ``datasets``: names
    at the Hugging Face Hub of the data it was made of.
    """

    license: str | None = None
    language: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: dict) -> CardSettings:
        """Raises SalutaryError for a setting that makes no sense."""
        values = config.get("card") or {}
        if not isinstance(values, dict):
            raise SalutaryError(f"card must be settings such as card.license=mit, not {values!r}")
        for name in values:
            if name not in RULES:
                raise SalutaryError(f"there is no setting 'card.{name}'; see --help")
        settings = cls(**values)
        check(settings, RULES, "card.")
        return settings
