"""Weak and strong augmentations of feature rows, for consistency training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self

import torch
from torch import Generator, Tensor

from salutary.errors import needs
from salutary.system import rules
from salutary.system.rules import Flag, Number, Whole


class RowAugmentation(ABC):
    """Base of the augmentations of feature rows.

    ``noise``: of the weak one, in standard deviations. ``low``, ``high``: the share of a row that the strong
    one changes.
    """

    RULES = dict.fromkeys(("noise", "low", "high"), Number(0, 1))

    def __init__(self, noise: float = 0.05, low: float = 0.3, high: float = 0.6):
        self.noise = noise
        self.low = low
        self.high = high

    def check(self) -> None:
        """Raises SalutaryError for a bad setting."""
        rules.check(self, self.RULES, "model.augmentation.")

    @abstractmethod
    def fit(self, X: Tensor) -> Self:
        """Learn what is needed of X (n, d), usually labelled and unlabelled rows."""

    @abstractmethod
    def weak(self, X: Tensor, generator: Generator) -> Tensor:
        """Rows that a model should hardly take for others."""

    @abstractmethod
    def strong(self, X: Tensor, generator: Generator) -> Tensor:
        """Rows that are of the same class all the same."""


class TableAugmentation(RowAugmentation):
    """Weak: small Gaussian noise. Strong: parts of a row are replaced by those of random other rows.

    Strong augmentation draws, per row, a share between ``low`` and ``high`` and replaces each column
    group with that probability by the same group of a random fitted row (marginal resampling, as in
    SCARF, Bahri et al., ICLR 2022). A group is one column, or a whole block of one-hot columns, which
    therefore stays one-hot. ``noise`` is in standard deviations of the column; columns with only two
    values get none.
    """

    def fit(self, X: Tensor) -> Self:
        """Learn deviations and column groups of X (n, d), usually labelled and unlabelled rows."""
        self.rows_ = X
        two_valued = ((X.amin(0) == X) | (X.amax(0) == X)).all(0)
        self.deviation_ = torch.where(two_valued, 0.0, X.std(0))
        self.group_ = column_groups(X, two_valued)
        return self

    def weak(self, X: Tensor, generator: Generator) -> Tensor:
        noise = torch.randn(X.shape, dtype=X.dtype, device=X.device, generator=generator)
        return X + self.noise * self.deviation_ * noise

    def strong(self, X: Tensor, generator: Generator) -> Tensor:
        n, n_groups = len(X), int(self.group_.max()) + 1
        draw: dict[str, Any] = {"device": X.device, "generator": generator}
        share = self.low + (self.high - self.low) * torch.rand((n, 1), **draw)
        replaced = (torch.rand((n, n_groups), **draw) < share)[:, self.group_]
        donors = torch.randint(len(self.rows_), (n, n_groups), **draw)[:, self.group_]
        columns = torch.arange(X.shape[1], device=X.device)
        others = self.rows_.take(donors * X.shape[1] + columns)  # rows_[donors, columns], but faster
        return torch.where(replaced, others, X)


class EmbeddingAugmentation(RowAugmentation):
    """For features without columns of their own meaning: weak noise; strong, feature dropout and noise.

    Strong augmentation sets a share of the features, between ``low`` and ``high`` per row, to their
    mean, and adds twice the weak noise.
    """

    def fit(self, X: Tensor) -> Self:
        """Learn means and deviations of X (n, d)."""
        self.mean_, self.deviation_ = X.mean(0), X.std(0)
        return self

    def weak(self, X: Tensor, generator: Generator, strength: float = 1.0) -> Tensor:
        noise = torch.randn(X.shape, dtype=X.dtype, device=X.device, generator=generator)
        return X + strength * self.noise * self.deviation_ * noise

    def strong(self, X: Tensor, generator: Generator) -> Tensor:
        draw: dict[str, Any] = {"device": X.device, "generator": generator}
        share = self.low + (self.high - self.low) * torch.rand((len(X), 1), **draw)
        dropped = torch.rand(X.shape, **draw) < share
        return self.weak(torch.where(dropped, self.mean_, X), generator, strength=2.0)


class ImageAugmentation:
    """For images. Weak: a shift by up to an eighth of the side and, with ``flip``, a mirroring. Strong:
    those, and ``operations`` random ones of strength ``magnitude`` out of 30 (RandAugment), from Kornia.

    Images of bytes or in 0..1, grey or coloured, become images in 0..1. Draws come from PyTorch's own
    generator, which :func:`salutary.models.training.isolated_random` seeds.
    Cubuk et al., "RandAugment: practical automated data augmentation with a reduced search space", 2020.
    """

    RULES = {"flip": Flag(), "operations": Whole(1), "magnitude": Number(0, 30)}

    def __init__(self, flip: bool = True, operations: int = 2, magnitude: int = 10):
        self.flip = flip
        self.operations = operations
        self.magnitude = magnitude

    def check(self) -> None:
        """Raises SalutaryError for a bad setting, or if Kornia is not installed."""
        rules.check(self, self.RULES, "model.augmentation.")
        try:
            import kornia.augmentation  # noqa: F401
        except ImportError as error:
            raise needs("kornia", "vision") from error

    def weak(self, X: Tensor) -> Tensor:
        import kornia.augmentation as K

        X = X.float() / 255 if X.dtype == torch.uint8 else X
        height, width = X.shape[2:]
        crop = K.RandomCrop((height, width), padding=(height // 8, width // 8), padding_mode="reflect")
        X = crop(X)
        return K.RandomHorizontalFlip(p=0.5)(X) if self.flip else X

    def strong(self, X: Tensor) -> Tensor:
        from kornia.augmentation.auto import RandAugment

        X = self.weak(X)
        strong = RandAugment(self.operations, self.magnitude)(X.expand(-1, 3, -1, -1).contiguous())
        return strong.mean(1, keepdim=True) if X.shape[1] == 1 else strong


def column_groups(X: Tensor, two_valued: Tensor) -> Tensor:
    """Group number of each column, (d,): neighbouring two-valued columns of which exactly one is at
    its higher value in every row are one group, any other column is a group of its own."""
    high = ((X.amax(0) == X) & two_valued).to(torch.int32)
    numbers, start, group = [], 0, 0
    while start < X.shape[1]:
        end = _one_hot_end(high, two_valued, start)
        numbers += [group] * (end - start)
        start, group = end, group + 1
    return torch.tensor(numbers, device=X.device)


def _one_hot_end(high: Tensor, two_valued: Tensor, start: int) -> int:
    """Column after the one-hot block that begins at ``start``, or after ``start`` itself."""
    filled = torch.zeros(len(high), dtype=high.dtype, device=high.device)
    for column in range(start, high.shape[1]):
        filled = filled + high[:, column]
        if not two_valued[column] or filled.max() > 1:
            break
        if filled.min() == 1:
            return column + 1
    return start + 1
