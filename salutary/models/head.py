"""The classification head of a transformer, trained on frozen hidden states."""

from __future__ import annotations

from torch import nn

from salutary.errors import SalutaryError
from salutary.models.network import Backbone, Module
from salutary.system.rules import NULL, Number, Whole


class TwoLayerHead(Backbone):
    """Dropout, linear, tanh, dropout, linear: RoBERTa's head (section 5.3 and appendix F of the paper).

    Its rows are hidden states (n, d), which strategies see as they are. ``hidden``: units of the first layer,
    None for d, as in RoBERTa. Liu et al., "RoBERTa: a robustly optimized BERT pretraining approach", 2019.
    """

    RULES = {"hidden": Whole(1) | NULL, "dropout": Number(0, 0.99)}
    repeatable = True

    def __init__(self, hidden: int | None = None, dropout: float = 0.1):
        self.hidden = hidden
        self.dropout = dropout

    def check(self, shape: tuple[int, ...]) -> None:
        super().check(shape)
        if len(shape) != 1:
            raise SalutaryError("model=head needs features, not images: leave inputs=features")

    def module(self, shape: tuple[int, ...], n_classes: int) -> Module:
        (d,) = shape
        hidden = self.hidden or d
        layers = (nn.Dropout(self.dropout), nn.Linear(d, hidden), nn.Tanh())
        return Module(
            nn.Identity(), nn.Sequential(*layers, nn.Dropout(self.dropout), nn.Linear(hidden, n_classes))
        )
