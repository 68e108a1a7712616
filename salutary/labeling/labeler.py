"""The rounds of labelling."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from salutary.engine.objectives import Criterion
from salutary.errors import SalutaryError
from salutary.labeling.distributed_pool import DistributedPool
from salutary.labeling.measured import Measured, held_out_losses, row_losses
from salutary.labeling.pool import ArrayPool, NpyPool
from salutary.labeling.shortlist import Shortlist
from salutary.labeling.stopping import Stopping
from salutary.labeling.track import FittedTrack, Picks
from salutary.models.logistic import LogisticRegression
from salutary.remedies import Part
from salutary.remedies.judgement import check_folds, folds_of
from salutary.strategies import Strategy, check_proposal
from salutary.strategies.track import Rows, Track
from salutary.system.rules import Whole, check
from salutary.system.seeding import stream

# Rows of the pool that a round looks at first, those of the highest influence.
SHORTLIST = 10_000
RULES = {"budget": Whole(1), "folds": Whole(0)}
NOTHING_SURE = "no point with a positive influence, as sure as was asked"


@dataclass(frozen=True)
class LabelRound:
    """The state after a round; round 0 is the initial model.

    ``picks``: what the round added to each track, the result's first. ``validation``: the result's loss and
    accuracy on the validation rows, by which it chose. ``held_out``: losses and hits (n_V,) on each
    validation row of the track that did not see it, None without cross-fitting. ``seconds``: the whole
    round's.
    """

    number: int
    picks: tuple[Picks, ...]
    validation: tuple[float, float]
    held_out: Measured | None
    seconds: float

    @property
    def loss(self) -> float:
        """What a stopping rule looks at: the mean held-out loss, or that on the validation rows."""
        return float(self.held_out[0].mean()) if self.held_out else self.validation[0]


@dataclass
class Labeler:
    """Labels ``pool`` with the help of ``labeled`` and ``validation`` rows.

    ``budget``: points a round. ``folds``: of the validation rows, for cross-fitting; 0 for none.
    ``progress``: show one. ``criterion``: what the model is to be good at, None for the mean log-loss.
    ``split``: the folds. After :meth:`rounds`, ``tracks`` are as after the last
    round, and ``stop`` says why it was the last.
    """

    labeled: Rows
    validation: Rows
    pool: ArrayPool | NpyPool | DistributedPool
    n_classes: int
    model: LogisticRegression
    strategy: Strategy
    budget: int = 10
    folds: int = 5
    seed: int = 0
    shortlist: int = SHORTLIST
    progress: bool = False
    criterion: Criterion | None = None

    def __post_init__(self) -> None:
        """Raises SalutaryError for settings out of range and parts that do not fit each other."""
        check(self, RULES)
        check(self, {"shortlist": Whole(self.budget)})
        if self.folds == 1:
            raise SalutaryError("folds must be 0, for no cross-fitting, or at least 2")
        widths = (self.labeled.X.shape[1], self.validation.X.shape[1], self.pool.n_features)
        if len(set(widths)) > 1:
            raise SalutaryError(
                f"labelled, validation and pool rows have {widths} features: they must be alike"
            )
        if len(self.labeled.y.unique()) < self.n_classes:
            raise SalutaryError("each class needs a labelled row")
        check_kind(type(self.strategy))
        self.strategy.check(self.model)
        if getattr(self.strategy, "hessian", "labeled") != "labeled":
            raise SalutaryError("labelling takes the Hessian of the labelled set: strategy.hessian=labeled")
        self.strategy = self.strategy.for_validation(len(self.validation))  # the folds choose as the result
        self.stop = ""
        rows = self.validation
        groups = None if rows.groups is None else rows.groups.numpy(force=True)
        self.split = folds_of(rows.y.numpy(force=True), self.folds, self.seed, groups)
        part = Part(np.empty((len(rows), 0)), rows.y.numpy(force=True), groups=groups)
        check_folds(self.split, part, self.criterion, self.n_classes)
        self._initial = self._start(self.validation, np.empty(0, np.int64))
        self.tracks = [self._initial]
        self.tracks += [self._start(self.validation[seen], held_out) for seen, held_out in self.split]

    def _start(self, seen: Rows, held_out: np.ndarray) -> FittedTrack:
        track = Track.start(self.labeled, seen, self.n_classes, self.criterion)
        return FittedTrack.of(track, self.model, held_out, self.seed)

    def rounds(self, stopping: Stopping, done: tuple[LabelRound, ...] = ()) -> Iterator[LabelRound]:
        """Yield round 0, then a round at a time until a rule ends them.

        ``done``: the rounds of an interrupted labelling; it goes on after them, and they are not yielded
        again.
        """
        started = time.perf_counter() - sum(record.seconds for record in done)
        if isinstance(self.pool, DistributedPool) and (named := [p.rows for r in done for p in r.picks]):
            self.pool.prefetch(np.unique(np.concatenate(named)))
        for record in done[1:]:
            self.tracks = [self._grown(*each) for each in zip(self.tracks, record.picks, strict=True)]
        losses = [record.loss for record in done]
        if not done:
            first = self._measured(0, (), started)
            losses.append(first.loss)
            yield first
        device = self.labeled.X.device
        shortlist = Shortlist(self.pool, self.shortlist, device, self.progress)
        while True:
            now = time.perf_counter()
            n_added, number = len(self.tracks[0].taken), len(losses)
            n_left = len(self.pool) - n_added
            self.stop = stopping.reason(losses, n_added, n_left, now - started) or ""
            if self.criterion:
                self.stop = self.stop.replace("the loss", "the objective")
            if self.stop:
                return
            size = stopping.next_size(self.budget, n_added, n_left)
            picks = self._choose(number, size, shortlist)
            if not len(picks[0]):
                self.stop = NOTHING_SURE
                return
            if picks[0].influence.max() <= stopping.min_influence:
                self.stop = f"no influence above min_influence={stopping.min_influence:g}"
                return
            self.tracks = [self._grown(*each) for each in zip(self.tracks, picks, strict=True)]
            record = self._measured(number, tuple(picks), now)
            losses.append(record.loss)
            yield record

    def kept(self, rounds: tuple[LabelRound, ...], number: int) -> FittedTrack:
        """The result as it was after round ``number``."""
        track = self._initial
        for record in rounds[1 : number + 1]:
            track = self._grown(track, record.picks[0])
        return track

    def _choose(self, number: int, size: int, shortlist: Shortlist) -> list[Picks]:
        directions = [track.direction() for track in self.tracks]
        if n := self.strategy.n_sampled(size):
            rows = shortlist.sampled(self.tracks, n, stream(self.seed, "soft_labels", number))
        else:
            rows = shortlist.by_influence(self.tracks, directions, f"round {number}: scoring")
        picks = [
            self._picks(track, S, near, size, number)
            for track, S, near in zip(self.tracks, directions, rows, strict=True)
        ]
        short = [i for i, each in enumerate(picks) if len(each) < size]
        confidence = self.strategy.standard_errors(len(self.validation))
        if not short or shortlist.is_whole or not confidence:
            return picks
        # Points of lower influence may be surer than those that were looked at.
        again = [self.tracks[i] for i in short]
        scorers = [track.confident(stream(self.seed, "strategy", number)) for track in again]
        rows = shortlist.by_lower_bound(again, scorers, confidence, f"round {number}: the surest")
        for i, near in zip(short, rows, strict=True):
            picks[i] = self._picks(self.tracks[i], directions[i], near, size, number)
        return picks

    def _picks(self, track: FittedTrack, S: Tensor, near: np.ndarray, size: int, number: int) -> Picks:
        """What the strategy proposes of the rows ``near`` of the pool."""
        X = self._features(near)
        if not len(near):  # a fold may come to the end of the pool before the result does
            return track.described(S, X, near, near, np.empty(0))
        size = min(size, len(near))
        rng = stream(self.seed, "strategy", number)
        proposal = self.strategy.propose(copy.copy(track.model), track.view(X), size, rng)
        check_proposal(proposal, len(near), size, self.n_classes)
        if proposal.labels is None or proposal.influence is None:
            raise SalutaryError("the strategy must give each point a label and an influence: nobody is asked")
        chosen = proposal.indices.numpy(force=True)
        labels, influence = (value.numpy(force=True) for value in (proposal.labels, proposal.influence))
        soft = None if proposal.soft_labels is None else proposal.soft_labels.numpy(force=True)
        picked = X[proposal.indices.to(X.device)], near[chosen]
        return track.described(S, *picked, labels, influence, soft)

    def _grown(self, track: FittedTrack, picks: Picks) -> FittedTrack:
        if not len(picks):
            return track
        soft = None if picks.soft_labels is None else torch.as_tensor(picks.soft_labels)
        return track.add(picks.rows, self._features(picks.rows), torch.as_tensor(picks.labels), soft)

    def _features(self, rows: np.ndarray) -> Tensor:
        return torch.as_tensor(np.array(self.pool.take(rows), np.float64)).to(self.labeled.X.device)

    def _measured(self, number: int, picks: tuple[Picks, ...], started: float) -> LabelRound:
        losses, hits = row_losses(self.tracks[0].model, self.validation, self.criterion)
        validation = float(losses.mean()), float(hits.mean())
        held_out = held_out_losses(
            [(track.model, track.held_out) for track in self.tracks[1:]], self.validation, self.criterion
        )
        return LabelRound(number, picks, validation, held_out, time.perf_counter() - started)


def check_kind(kind: type) -> None:
    """Raises SalutaryError for a class whose strategies do not label by influence over the labelled set."""
    if not getattr(kind, "labels_alone", False):
        raise SalutaryError(
            "only salutary_greedy, salutary and salutary_soft label without a human, by influence"
        )
