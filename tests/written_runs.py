"""Finished runs as files, of which every number is known."""

import json

import pandas as pd
import yaml

from salutary.experiments.records import ROUND_COLUMNS

NAMES = ("dataset", "strategy", "model", "protocol", "seed")
LINES = {"majority": 0.5, "initial": 0.55, "labeled_and_validation": 0.8, "fully_supervised": 0.9}


def accuracies(dataset, strategy, seed, l2, n_rounds):
    """Of every round; what a strategy is worth and what l2 costs are the same in all tables."""
    gain = {"random": 0.01, "mine": 0.03, "yours": 0.02}.get(strategy, 0.025)
    start = 0.5 + 0.01 * seed + 0.02 * len(dataset)
    return [start + (gain + 0.001 * seed) * r - 0.02 * (l2 - 1) for r in range(n_rounds + 1)]


def write_run(folder, dataset, strategy, seed, l2=1, n_rounds=2, **more):
    """A finished run, ``more`` for its run.json. Losses are 1 - accuracy, so more is worse."""
    values = accuracies(dataset, strategy, seed, l2, n_rounds)
    path = folder / f"{dataset}-{strategy}-logistic-paper-seed{seed}-{l2}{n_rounds}"
    path.mkdir(parents=True)
    rows = [
        dict(zip(NAMES, (dataset, strategy, "logistic", "paper", seed), strict=True))
        | {"round": r, "n_labeled": 20 + 10 * r, "n_human_labels": 10 * r * (strategy != "mine")}
        | {f"{part}_{name}": value for part in ("val", "test") for name, value in measured(v).items()}
        | {"select_seconds": 0.1, "fit_seconds": 0.2}
        for r, v in enumerate(values)
    ]
    pd.DataFrame(rows).reindex(columns=[*ROUND_COLUMNS]).to_csv(path / "rounds.csv", index=False)
    settings = {"seed": seed, "rounds": n_rounds, "budget": 10, "n_init": 20, "label_noise": 0}
    settings |= {"n_validation": None, "n_pool": None, "baselines_use_validation": False}
    settings |= {
        "model": {"l2": l2},
        "strategy": {"_target_": f"own.{strategy}"},
        "dataset": {"_target_": dataset},
    }
    facts = dict(zip(NAMES, (dataset, strategy, "logistic", "paper", seed), strict=True))
    facts |= {"settings": settings, "references": {line: measured(value) for line, value in LINES.items()}}
    facts |= {"seconds": 1.0, "versions": {"salutary": "0.4.0"}, "platform": "Linux-1", "device": "cpu"}
    (path / "run.json").write_text(json.dumps({**facts, "git_commit": None, "objective": None, **more}))
    (path / "config.yaml").write_text(yaml.safe_dump(settings))
    return path


def measured(accuracy):
    shares = dict.fromkeys(("accuracy", "balanced_accuracy", "macro_f1"), accuracy)
    return {**shares, "loss": 1 - accuracy}
