"""What 20 labels of a human are worth where they are asked for: by ``ask=20``, by margin, and at random.

    python benchmarks/ask.py --csv benchmarks/ask.csv       # an hour
    python benchmarks/ask.py --read benchmarks/ask.csv      # the tables again

100 labelled and 100 validation rows, a pool of 2,000 rows and a test part of 5,000 at most, drawn anew for
each seed; classes of less than 1% of the rows are left out. The model that is handed over is judged among
plain training on L, V and both, each with a linear model and boosting. The true labels of the 20 points join
L, and everything is judged again. ``at_once``: the 20 highest scores of ``ask``, not one after another;
``uncertain``: ``ask`` among the 100 smallest margins; ``loss_on_pool``: the score of ``ask`` on 300 drawn
rows of the pool, labelled by the handed model's probabilities, in place of the validation rows. Test
log-losses and accuracies of what is handed over, and of the linear model of L + V + answers.
"""

import argparse
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from salutary.experiments.studies.situations import Sizes, draw, frequent
from salutary.labeling.asking import Asker, Refittable, margins, questions
from salutary.remedies import LabelledData, Part
from salutary.remedies.base_models import Logistic, candidates
from salutary.remedies.catalogue import named
from salutary.remedies.judge import Judge
from salutary.remedies.judgement import Judgement, folds_of, losses_of
from salutary.remedies.plain import LabeledAndValidation
from salutary.system.conf import config_dir
from salutary.system.device import one_thread
from salutary.system.seeding import stream

TABLES = ("bank", "wine", "electrical", "waveform", "celeba")
SIZES = Sizes(labeled=100, validation=100, pool=2000, test=5000)
N = 20
# Rows of the pool among which at_once and loss_on_pool choose, and those that stand for the validation rows.
LOOKED_AT, ON_POOL = 600, 300
# Rows of the smallest margins among which uncertain chooses.
UNCERTAIN = 100
REMEDIES = ["labeled", "validation", "labeled_and_validation"]
BASES = ["logistic", "hist_gradient_boosting"]


@dataclass(frozen=True)
class Situation:
    data: LabelledData
    judgement: Judgement
    pool: Part
    rng: np.random.Generator

    @property
    def P(self) -> np.ndarray:
        return self.judgement.handed.probabilities(self.pool.X)


def at_random(on: Situation) -> np.ndarray:
    return on.rng.permutation(len(on.pool))[:N]


def by_margin(on: Situation) -> np.ndarray:
    return np.argsort(margins(on.P), kind="stable")[:N]


def asked(on: Situation) -> np.ndarray:
    return questions(on.data, on.judgement, on.pool.X, N, on.rng).rows


def uncertain(on: Situation) -> np.ndarray:
    near = np.argsort(margins(on.P), kind="stable")[:UNCERTAIN]
    return near[Asker.of(on.data, on.judgement).ask(on.pool.X[near], on.P[near], N)[0]]


def at_once(on: Situation) -> np.ndarray:
    near = on.rng.permutation(len(on.pool))[:LOOKED_AT]
    scores = Asker.of(on.data, on.judgement).scores(on.pool.X[near], on.P[near])
    return near[np.argsort(-scores, kind="stable")[:N]]


def loss_on_pool(on: Situation) -> np.ndarray:
    data, rows, P = on.data, on.rng.permutation(len(on.pool)), on.P
    sample, near = rows[:ON_POOL], rows[ON_POOL : ON_POOL + LOOKED_AT]
    drawn = (P[sample].cumsum(1) > on.rng.random((ON_POOL, 1))).argmax(1)
    judges = replace(data, validation=Part(on.pool.X[sample], drawn))
    plain = LabeledAndValidation().rows(data)
    l2 = Logistic().fit(plain, data).l2
    model = Refittable(plain.X, plain.q, plain.weights, judges.validation, np.arange(ON_POOL), l2, True)
    return near[Asker(judges, [model.fitted()]).ask(on.pool.X[near], P[near], N)[0]]


CHOICES: dict[str, Callable[[Situation], np.ndarray]] = {
    "random": at_random,
    "margin": by_margin,
    "ask": asked,
    "uncertain": uncertain,
    "at_once": at_once,
    "loss_on_pool": loss_on_pool,
}


def judged(data: LabelledData) -> Judgement:
    return Judge(named(REMEDIES), candidates(BASES)).judge(data, folds_of(data.validation.y, 5, data.seed))


def measured(data: LabelledData, judgement: Judgement, test: Part) -> dict[str, float]:
    linear = Logistic().fit(LabeledAndValidation().rows(data), data)
    found = {"handed": judgement.handed.probabilities(test.X), "linear": linear.probabilities(test.X)}
    values = {}
    for name, P in found.items():
        values[f"{name}_loss"] = float(losses_of(P, test.y).mean())
        values[f"{name}_accuracy"] = float((P.argmax(1) == test.y).mean())
    return values


def table(name: str) -> tuple[np.ndarray, np.ndarray]:
    with initialize_config_dir(config_dir(), version_base="1.3"):
        loaded = instantiate(compose("config", [f"dataset={name}"]).dataset).load()
    X, y = frequent(np.asarray(loaded.X, float), np.asarray(loaded.y))
    return (X - X.mean(0)) / np.maximum(X.std(0), 1e-9), y


def rows_of(name: str, X: np.ndarray, y: np.ndarray, seed: int, choices: Sequence[str]) -> list[dict]:
    drawn = draw(X, y, "clean", SIZES.validation, stream(seed, "study"), SIZES)
    parts = {each: Part(X[rows], y[rows]) for each in PARTS if len(rows := getattr(drawn, each))}
    data = LabelledData(parts["labeled"], parts["validation"], int(y.max()) + 1, seed=seed)
    judgement = judged(data)
    found = [{"choice": "none", **measured(data, judgement, parts["test"])}]
    for choice in choices:
        rows = CHOICES[choice](Situation(data, judgement, parts["pool"], stream(seed, "strategy")))
        L, new = data.labeled, parts["pool"][rows]
        more = replace(data, labeled=Part(np.concatenate([L.X, new.X]), np.concatenate([L.y, new.y])))
        found.append({"choice": choice, **measured(more, judged(more), parts["test"])})
    return [{"table": name, "seed": seed, **each} for each in found]


PARTS = ("labeled", "validation", "pool", "test")


def paired(found: pd.DataFrame, value: str, against: str) -> pd.DataFrame:
    """Mean of the paired differences, and its standard error, by table and of all."""
    wide = found.pivot_table(index=["table", "seed"], columns="choice", values=value)
    differences = wide.sub(wide[against], axis=0).drop(columns=against)
    groups = differences.groupby("table", sort=False)
    lines = {name: _told(group) for name, group in groups} | {"all": _told(differences)}
    return pd.DataFrame(lines).T


def _told(differences: pd.DataFrame) -> dict[str, str]:
    means, errors = differences.mean(), differences.sem()
    return {name: f"{means[name]:+.4f} ± {errors[name]:.4f}" for name in differences}


def show(found: pd.DataFrame) -> None:
    values = ("handed_loss", "handed_accuracy", "linear_loss", "linear_accuracy")
    for value, against in itertools.product(values, ("margin", "random", "none")):
        if against not in {*found["choice"]}:
            continue
        print(f"\n{value}, less that of {against}\n")
        wide = paired(found, value, against)
        print(f"| | {' | '.join(wide)} |\n|{'---|' * (1 + wide.shape[1])}")
        for name, cells in wide.iterrows():
            print(f"| {name} | {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--seeds", type=int, nargs=2, default=(0, 10), help="the first, and the one after the last"
    )
    parser.add_argument("--tables", nargs="*", default=TABLES)
    parser.add_argument("--choices", nargs="*", default=list(CHOICES))
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--read", type=Path, nargs="*")
    asked_for = parser.parse_args()
    if asked_for.read:
        show(pd.concat([pd.read_csv(file) for file in asked_for.read], ignore_index=True))
        return
    loaded = {name: table(name) for name in asked_for.tables}
    rows: list[dict] = []
    for seed in range(*asked_for.seeds):
        for name, (X, y) in loaded.items():
            rows += rows_of(name, X, y, seed, asked_for.choices)
            print(seed, name, flush=True)
            if asked_for.csv:
                pd.DataFrame(rows).to_csv(asked_for.csv, index=False)
    show(pd.DataFrame(rows))


if __name__ == "__main__":
    torch.set_num_threads(1)
    with one_thread():
        main()
