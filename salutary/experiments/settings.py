"""The settings at the top of conf/config.yaml, checked."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields, replace

from salutary.errors import SalutaryError, require_bool, require_number, require_whole


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
    baselines_use_validation: bool
    output_dir: str
    data_dir: str | None
    force: bool

    def __post_init__(self) -> None:
        """Raises SalutaryError for a value of the wrong type or out of range."""
        for name, smallest in {"seed": 0, "rounds": 0, "budget": 1, "n_init": 1}.items():
            if name not in ("rounds", "budget") or not _share(name, getattr(self, name)):
                require_whole(name, getattr(self, name), smallest)
        for name in ("n_validation", "n_pool"):
            if getattr(self, name) is not None:
                require_whole(name, getattr(self, name), 2)
        require_number("label_noise", self.label_noise, 0, 1)
        if self.seed >= 2**32:
            raise SalutaryError(f"seed must be below 2**32, not {self.seed}")
        if not isinstance(self.output_dir, str) or not self.output_dir:
            raise SalutaryError(f"output_dir must be the name of a folder, not {self.output_dir!r}")
        if self.data_dir is not None and (not isinstance(self.data_dir, str) or not self.data_dir):
            raise SalutaryError(f"data_dir must be the name of a folder or null, not {self.data_dir!r}")
        for name in ("baselines_use_validation", "force"):
            require_bool(name, getattr(self, name))

    def sized(self, n_pool: int) -> Settings:
        """The same settings with ``budget`` and ``rounds`` as numbers, for a pool of so many rows."""
        budget, rounds = self.budget, self.rounds
        if share := _share("budget", budget):
            budget = max(1, round(share * n_pool))
        if share := _share("rounds", rounds):
            rounds = math.ceil(round(share * n_pool / budget, 9))  # 11 / 5 * 5 is 11
        return replace(self, budget=budget, rounds=rounds)

    @classmethod
    def of(cls, config: dict) -> Settings:
        """The settings of a resolved configuration; raises SalutaryError for a missing one too."""
        names = [field.name for field in fields(cls)]
        for name in names:
            if name not in config:
                raise SalutaryError(f"the setting {name} is missing")
        return cls(**{name: config[name] for name in names})


def _share(name: str, value: object) -> float | None:
    """0.01 for ``"1%"``; None for what is no percentage. Raises SalutaryError beyond (0, 100]."""
    match = re.fullmatch(r"(\d+(?:\.\d*)?) ?%", value) if isinstance(value, str) else None
    if not match:
        return None
    if not 0 < float(match[1]) <= 100:
        raise SalutaryError(f"{name} must be a share of the pool in (0%, 100%], not {value}")
    return float(match[1]) / 100
