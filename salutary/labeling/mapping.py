"""The feature map before the linear model: as asked, or the one that V chooses."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.compose import ColumnTransformer

from salutary import engine
from salutary.models.logistic import LogisticRegression
from salutary.strategies.track import Rows
from salutary.system.seeding import stream
from salutary.tables.feature_maps import AUTO, KINDS, LINEAR, fitted_map, mapped


@dataclass(frozen=True)
class Mapping:
    """``kind``: of the map that is used; ``fitted``, None where features stay as they are. ``losses``: mean
    validation loss with each kind, empty unless it was chosen by them.
    """

    kind: str
    fitted: ColumnTransformer | None
    losses: dict[str, float]

    @classmethod
    def of(cls, asked: str, labeled: Rows, validation: Rows, model: LogisticRegression, seed: int) -> Mapping:
        """Fitted to the labelled rows alone. Of ``auto`` the one with which the ``model`` of the labelled
        rows, its penalty tuned as it says, has the least validation loss; the first of equals.
        """
        X = labeled.X.double().numpy(force=True)
        kinds: Sequence[str] = KINDS if asked == AUTO else [asked]
        maps = {kind: fitted_map(kind, X, stream(seed, "model", 1)) for kind in kinds}
        losses = {}
        if asked == AUTO:
            losses = {
                kind: _loss(mapped_rows(fitted, labeled), mapped_rows(fitted, validation), model, seed)
                for kind, fitted in maps.items()
            }
        kind = min(losses, key=losses.__getitem__) if losses else asked
        return cls(kind, maps[kind], losses)

    def rows(self, rows: Rows) -> Rows:
        """With the features that the map makes."""
        return mapped_rows(self.fitted, rows)

    def features(self, X: np.ndarray) -> np.ndarray:
        """What the map makes of X (n, d)."""
        return X if self.fitted is None else mapped(self.fitted, X)

    @property
    def sentences(self) -> list[str]:
        """What was chosen, and by what; empty if nothing was."""
        if not self.losses:
            return []
        each = ", ".join(f"{kind} {loss:.4f}" for kind, loss in self.losses.items())
        return [
            f"features=auto: {self.kind}, by the validation loss of a model of the labelled rows ({each})"
        ]

    def facts(self) -> dict:
        """For facts.json and the page."""
        return {"kind": self.kind, "validation_losses": self.losses, "sentences": self.sentences}


# Features as they are.
LINEAR_MAPPING = Mapping(LINEAR, None, {})


def _loss(labeled: Rows, validation: Rows, model: LogisticRegression, seed: int) -> float:
    """Mean loss of the validation rows."""
    tuned = copy.copy(model).tune(labeled.X, labeled.y, stream(seed, "model"), (validation.X, validation.y))
    fitted = tuned.fit(labeled.X, labeled.y)
    return float(engine.loss(validation.X, validation.y, fitted.coef_).mean())


def mapped_rows(fitted: ColumnTransformer | None, rows: Rows) -> Rows:
    """With the features that the map makes; as they are without one."""
    if fitted is None:
        return rows
    X = mapped(fitted, rows.X.double().numpy(force=True))
    return Rows(torch.as_tensor(X).to(rows.X), rows.y, rows.groups)
