"""The rows of a pool that are worth a closer look, for several models in one pass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from salutary.engine import best_influences
from salutary.labeling.track import Track
from salutary.pools import Pool, TopRows, check_finite, scored_blocks


class HighestInfluence:
    """Of each track the ``n`` rows that it has not taken and that have the highest influence over all labels.

    ``salutary`` chooses among those what it would among all; ``salutary_greedy``, which takes standard errors
    off, may overlook surer points of lower influence. A pool of at most ``n`` rows is not read for it.
    """

    def __init__(self, pool: Pool, n: int, device: torch.device, progress: bool = False):
        self.pool = pool
        self.n = n
        self.device = device
        self.progress = progress

    def of(self, tracks: Sequence[Track], directions: Sequence[Tensor], title: str) -> list[np.ndarray]:
        """Row numbers of each track, ascending; ``title``: of the bar.

        Raises SalutaryError, naming the row, for a value that is not finite.
        """
        if len(self.pool) <= self.n:
            everything = np.arange(len(self.pool))
            return [np.setdiff1d(everything, track.taken) for track in tracks]
        best = [TopRows(self.n) for _ in tracks]
        taken = [np.sort(track.taken) for track in tracks]
        models = [(track.model.coef_, S) for track, S in zip(tracks, directions, strict=True)]
        for start, X in scored_blocks(self.pool, None, self.device, self.progress, title):
            for influence, found, gone in zip(best_influences(models, X), best, taken, strict=True):
                check_finite(self.pool, X, influence, start)
                inside = gone[np.searchsorted(gone, start) : np.searchsorted(gone, start + len(X))]
                influence[torch.as_tensor(inside - start)] = -torch.inf
                found.add(influence, start)
        return [np.sort(found.columns()[0].numpy(force=True)) for found in best]
