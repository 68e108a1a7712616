"""Which model is handed over, and why: in numbers for facts.json, and in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from salutary.engine.paired import SURE, Difference
from salutary.labeling.judging import HANDED, Judged
from salutary.labeling.measured import told
from salutary.remedies.diagnosis import Diagnosis
from salutary.remedies.judgement import AVERAGE, BEST, VOTE, Judgement
from salutary.remedies.shift import TwoSamples

NAMED = 3
# Half of the last digit that losses are told with.
NOTICED = 5e-5


def facts_of(judged: Judged) -> dict:
    """What facts.json says of the remedies, the model that is handed over and what is wrong with L."""
    found = judged.judgement
    return {
        "handed": {
            "combine": found.combine,
            "folds": len(found.folds),
            "members": {name: float(weight) for name, weight in found.handed.weights.items()},
            "trained_on": trained_on({found[name].remedy for name in found.handed.weights}),
            **_measures(judged, HANDED),
            **_against_plain(judged),
            "verdict": verdict(judged),
            "warning": judged.warning,
            "majority": told(judged.majority),
        },
        "remedies": [
            {"name": name, "about": about(found, name), "weight": found.weights.get(name, 0.0)}
            | _of_groups(found, name)
            | _measures(judged, name)
            for name in found.names
        ],
        "dropped": list(found.dropped),
        "refused": list(found.refused),
        "absent": dict(found.absent) if found.criterion else {},
        "diagnosis": _diagnosis(judged.diagnosis),
    }


def trained_on(remedies: set[str]) -> dict[str, bool]:
    """Which rows models of these remedies have seen: labelled and validation rows, pool rows with salutary
    labels, and pool rows with soft ones.
    """
    soft = {name for name in remedies if name.startswith("salutary_soft")}
    return {
        "labeled": remedies != {"validation"},
        "validation": bool(remedies - soft - {"labeled", "salutary"}),
        "labels": bool(remedies & {"salutary", "salutary_and_validation"}),
        "soft_labels": bool(soft),
    }


def what_falls(judgement: Judgement) -> str:
    """The word for what models are judged by."""
    return "objective" if judgement.criterion else "loss"


def about(judgement: Judgement, name: str) -> str:
    """What the model is, in words."""
    return "soft vote of the plain models" if name == VOTE else judgement[name].about


def _measures(judged: Judged, name: str) -> dict:
    """Held out and on test rows, where there are any; losses with their standard errors, None of one row."""
    measures: dict[str, Any] = {}
    for prefix, measured in (("held_out_", judged.held_out), ("test_", judged.tested)):
        if name in measured:
            values = told(measured[name])
            measures |= {f"{prefix}{key}": value for key, value in values.items()}
    for prefix, figures in (("held_out_", judged.figures), ("test_", judged.tested_figures)):
        if name in figures:
            figure = {"figure": figures[name].value, "figure_error": figures[name].error}
            measures |= {f"{prefix}{key}": _or_none(value) for key, value in figure.items()}
    return measures


def _of_groups(found: Judgement, name: str) -> dict[str, str]:
    """Whose group it needs, and why it is compared only if it is; nothing of the mean loss."""
    if found.criterion is None:
        return {}
    if name == VOTE:
        return {"group_in": "", "compared_only": ""}
    member = found[name]
    chooses = found.criterion.needs_groups and member.remedy.startswith("salutary")
    group_in = member.group_in or ("in V" if chooses else "")
    return {"group_in": group_in, "compared_only": member.compared_only}


def _or_none(value: float) -> float | None:
    """None for NaN, which JSON lacks."""
    return float(value) if np.isfinite(value) else None


def _against_plain(judged: Judged) -> dict:
    gap = against_plain(judged)
    if gap is None:
        return {}
    return {"minus_labeled_and_validation": {"loss": gap.mean, "standard_error": gap.error}}


def against_plain(judged: Judged) -> Difference | None:
    """The handed model against plain training on L + V, of the first base model; None where nothing was
    held out.
    """
    measured, plain = judged.held_out, judged.judgement.plain[0].name
    return Difference.of(measured[HANDED][0], measured[plain][0]) if measured else None


def verdict(judged: Judged, name: str = "model.skops") -> str:
    """What the model of this ``name`` is, and how much better than training on labelled + validation rows."""
    text = f"{name} is {_what(judged.judgement)}"
    gap = against_plain(judged)
    if gap is None:
        return f"{text}. Nothing was held out to judge it by: how good it is, is not known."
    if gap.mean == 0 and gap.error == 0:
        return f"{text}."
    what = f"held-out {what_falls(judged.judgement)}"
    if max(abs(gap.mean), gap.error) < NOTICED:
        return f"{text}; its {what} is that of training on labelled + validation rows."
    how = "lower" if gap.mean < 0 else "higher"
    sure = "" if gap.is_sure else f", within {SURE:g} standard errors"
    amount = f"{abs(gap.mean):.4f} ± {gap.error:.4f}"
    than = f"{how} than that of training on labelled + validation rows"
    members = [*judged.judgement.handed.weights]
    is_plain = len(members) == 1 and judged.judgement[members[0]].is_plain
    anew = "chosen anew without each fold, " if is_plain else ""
    return f"{text}; {anew}its {what} is {than} by {amount}{sure}.{_of_figures(judged)}"


def _of_figures(judged: Judged) -> str:
    """What the handed model's figure is, and that of plain training."""
    found = judged.judgement
    if found.criterion is None or HANDED not in judged.figures:
        return ""
    handed, plain = (judged.figures[name] for name in (HANDED, found.plain[0].name))
    kind = found.criterion.figure_name.replace("_", " ")
    before = f"{plain.value:.3f} ± {plain.error:.3f}"
    return f" Held-out {kind}: {handed.value:.3f} ± {handed.error:.3f}, against {before}."


def _what(judgement: Judgement) -> str:
    members = judgement.handed.weights
    if len(members) == 1:
        (name,) = members
        best = "the best one, " if judgement.combine == BEST else ""
        if judgement.at_most is not None:
            best = f"the most accurate one with a figure of at most {judgement.at_most:g}, "
        return f"{best}{name} ({about(judgement, name)})"
    largest = sorted(members.items(), key=lambda item: -item[1])
    each = ", ".join(f"{weight:.0%} {name}" for name, weight in largest[:NAMED])
    rest = f" and {len(members) - NAMED} more" if len(members) > NAMED else ""
    kind = "average" if judgement.combine == AVERAGE else judgement.combine
    return f"the {kind} of {len(members)} models ({each}{rest})"


def _diagnosis(diagnosis: Diagnosis) -> dict:
    noise = diagnosis.noise
    return {
        "sentence": diagnosis.sentence,
        "classes_without_validation_rows": list(diagnosis.unseen),
        "untold": diagnosis.untold,
        "wrong_labels": {"share": noise.wrong, "standard_error": noise.wrong_error},
        "noise_matrix": {"share": noise.matrix.tolist(), "standard_error": noise.matrix_error.tolist()},
        "sources": [
            {"name": each.name, "rows": each.n, "wrong": each.wrong, "standard_error": each.error}
            for each in diagnosis.sources
        ],
        "shifts": [_shift(each) for each in diagnosis.shifts],
    }


def _shift(test: TwoSamples) -> dict:
    columns = [vars(column) for column in test.differing]
    return {"rows": list(test.names), "auc": test.auc, "p_value": test.p_value, "columns": columns}
