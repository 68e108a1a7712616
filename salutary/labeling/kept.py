"""What a labelling is when its rounds are over: the round that is kept, in each fold and in the result, and
beside it the initial model and the plain alternative.
"""

from __future__ import annotations

import copy

import numpy as np

from salutary.labeling.comparison import ALTERNATIVE, INITIAL, LABELED, MAJORITY
from salutary.labeling.labeler import Labeler, LabelRound
from salutary.labeling.majority import majority
from salutary.labeling.measured import Measured, held_out_losses, row_losses
from salutary.labeling.stopping import Stopping
from salutary.models.logistic import LogisticRegression
from salutary.strategies.track import Rows
from salutary.system.seeding import stream


def kept_rounds(labeler: Labeler, rounds: tuple[LabelRound, ...], stopping: Stopping) -> list[int]:
    """The round that is kept in the result, then in each fold.

    Which round that is, the other folds say for each fold: the lowest of many losses is lower than it would
    be on new rows.
    """
    kept = [stopping.kept([record.loss for record in rounds])]
    measured = [record.held_out[0] for record in rounds if record.held_out]
    if measured:
        losses = np.stack(measured)
        for track in labeler.tracks[1:]:
            kept.append(stopping.kept(np.delete(losses, track.held_out, axis=1).mean(1).tolist()))
    return kept


def held_out_when_kept(
    labeler: Labeler, rounds: tuple[LabelRound, ...], stopping: Stopping
) -> Measured | None:
    """Losses and hits (n_V,) of held-out validation rows at the round that is kept; None without
    cross-fitting.
    """
    measured = [record.held_out for record in rounds if record.held_out]
    if not measured:
        return None
    losses, hits = (np.stack(each) for each in zip(*measured, strict=True))
    of_row = np.empty(len(labeler.validation), np.int64)
    _, *of_folds = kept_rounds(labeler, rounds, stopping)
    for track, kept in zip(labeler.tracks[1:], of_folds, strict=True):
        of_row[track.held_out] = kept
    rows = np.arange(len(of_row))
    return losses[of_row, rows], hits[of_row, rows]


def alternative(labeler: Labeler) -> tuple[LogisticRegression, Measured | None]:
    """The plain alternative: a model of labelled and all validation rows, and its held-out losses and hits.

    Those are of models trained on labelled rows and the validation rows that the fold does not hold out: what
    each track knew. Each is tuned on its own rows.
    """

    def trained(seen: Rows) -> LogisticRegression:
        rows = labeler.labeled.joined(seen.X, seen.y)
        model = copy.copy(labeler.model)
        model.l2 = "cv" if model.l2 == "validation" else model.l2  # its validation rows it trains on
        return model.tune(rows.X, rows.y, stream(labeler.seed, "model")).fit(rows.X, rows.y)

    folds = [(trained(track.validation), track.held_out) for track in labeler.tracks[1:]]
    held_out = held_out_losses(folds, labeler.validation, labeler.criterion)
    return trained(labeler.validation), held_out


def three_models(
    labeler: Labeler, rounds: tuple[LabelRound, ...], stopping: Stopping
) -> tuple[dict[str, LogisticRegression], dict[str, Measured] | None]:
    """The initial model, that of the round that is kept and the alternative, by their names in
    :mod:`salutary.labeling.comparison`, and beside them the majority class; and each one's held-out losses
    and hits, None without cross-fitting.
    """
    kept = stopping.kept([record.loss for record in rounds])
    model, held_out = alternative(labeler)
    constant = majority(labeler.labeled, labeler.model)
    models = {
        INITIAL: labeler.kept(rounds, 0).model,
        LABELED: labeler.kept(rounds, kept).model,
        ALTERNATIVE: model,
        MAJORITY: constant,
    }
    when_kept = held_out_when_kept(labeler, rounds, stopping)
    first = rounds[0].held_out
    if first is None or when_kept is None or held_out is None:
        return models, None
    measured = {INITIAL: first, LABELED: when_kept, ALTERNATIVE: held_out}
    return models, {**measured, MAJORITY: row_losses(constant, labeler.validation, labeler.criterion)}
