"""The settings at the top of conf/config.yaml, checked."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields

from salutary.errors import SalutaryError
from salutary.system.rules import NULL, Choice, Flag, Number, Rule, Text, Texts, Whole, Worded, check
from salutary.system.urls import is_remote

# Settings whose value is a text that the command line takes as it is, whatever Hydra would make of it.
TEXTS_OF_DATA = (
    *(
        "path",
        "validation",
        "test",
        "target",
        "split",
        "separator",
        "sheet",
        "text",
        "second",
        "label",
        "labels",
    ),
    *("decimal", "thousands", "unlabeled", "encoder", "weights", "data_dir", "cache_dir"),
)
TEXTS = frozenset(
    ["output_dir", "data_dir", "cache_dir", "hydra.run.dir", "hydra.sweep.dir"]
    + [f"dataset.{name}" for name in TEXTS_OF_DATA]
)
# Settings that are lists of such texts.
LISTS = frozenset(f"dataset.{name}" for name in ("numeric", "categorical", "ignore", "missing", "units"))
# What is text wherever it comes from; these are lists of names on the command line.
NEVER_NUMBERS = TEXTS | LISTS


@dataclass(frozen=True)
class Share(Rule):
    """A share of the pool such as ``"1%"``, or what ``otherwise`` accepts."""

    otherwise: Rule

    def accepts(self, value: object) -> bool:
        return percentage(value) is not None or self.otherwise.accepts(value)

    def __str__(self) -> str:
        return str(self.otherwise)


class Folder(Text):
    """A folder here, which other machines may share: locks and appended rows are for those only."""

    def accepts(self, value: object) -> bool:
        return super().accepts(value) and not is_remote(str(value))

    def complaint(self, name: str, value: object) -> str:
        if not is_remote(str(value)):
            return super().complaint(name, value)
        return (
            f"{name}={value} must be a folder here, which machines may share; salutary-collect reads others"
        )


RULES = {
    "seed": Whole(0),
    "rounds": Share(Whole(0)),
    "budget": Share(Whole(1)),
    "n_init": Whole(1),
    "n_validation": Whole(2) | NULL,
    "n_pool": Whole(2) | NULL,
    "label_noise": Number(0, 1),
    "output_dir": Folder("the name of a folder"),
    "data_dir": Text("the name of a folder") | NULL,
    "cache_dir": Text("the name of a folder") | NULL,
    "folds": Worded(Choice("auto") | Whole(0), "auto, 0 or a whole number >= 2"),
    "baselines_use_validation": Flag(),
    "reference": Texts("a list of remedies such as [noise_model_3,cleaned]"),
    "force": Flag(),
}


@dataclass(frozen=True)
class Settings:
    """The settings at the top of the configuration, checked.

    ``budget`` may be a share of the pool such as ``"1%"``, and ``rounds`` the share after which to end;
    :meth:`sized` makes numbers of them.
    """

    seed: int
    rounds: int | str
    budget: int | str
    n_init: int
    n_validation: int | None
    n_pool: int | None
    label_noise: float
    folds: int | str
    baselines_use_validation: bool
    reference: list[str]
    output_dir: str
    data_dir: str | None
    cache_dir: str | None
    force: bool

    def __post_init__(self) -> None:
        """Raises SalutaryError for a value of the wrong type or out of range."""
        for name in ("rounds", "budget"):
            share = percentage(getattr(self, name))
            if share is not None and not 0 < share <= 1:
                raise SalutaryError(
                    f"{name} must be a share of the pool in (0%, 100%], not {getattr(self, name)}"
                )
        check(self, RULES)
        if self.folds == 1:
            raise SalutaryError(RULES["folds"].complaint("folds", 1))
        if self.seed >= 2**32:
            raise SalutaryError(f"seed must be below 2**32, not {self.seed}")

    def sized(self, n_pool: int) -> tuple[int, int]:
        """Rounds and points a round, as numbers, for a pool of so many rows."""
        budget, rounds = percentage(self.budget), percentage(self.rounds)
        size = int(self.budget) if budget is None else max(1, round(budget * n_pool))
        if rounds is None:
            return int(self.rounds), size
        return math.ceil(round(rounds * n_pool / size, 9)), size  # 11 / 5 * 5 is 11

    @classmethod
    def of(cls, config: dict) -> Settings:
        """The settings of a resolved configuration; raises SalutaryError for a missing one too."""
        names = [field.name for field in fields(cls)]
        for name in names:
            if name not in config:
                raise SalutaryError(f"the setting {name} is missing")
        return cls(**{name: config[name] for name in names})


def percentage(value: object) -> float | None:
    """0.01 for ``"1%"``; None for what is no percentage."""
    match = re.fullmatch(r"(\d+(?:\.\d*)?) ?%", value) if isinstance(value, str) else None
    return float(match[1]) / 100 if match else None
