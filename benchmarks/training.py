"""Training of networks with each step as one CUDA graph, beside plain calls; and the choosing that follows.

    pip install -c constraints.txt -e ".[bench]"
    python benchmarks/training.py --device cuda --csv benchmarks/training.csv
    python benchmarks/training.py --device cpu          a rehearsal in small: there is nothing to record there

Networks with random weights, synthetic images (a pattern for each class, and noise) and features, trained as
by ``model=resnet34`` at 64 x 64, ``cnn``, ``head`` and ``cnn_fixmatch``. Captured and plain calls have turns
in one process; times are medians. "steps/s" is of a step alone, on a batch that is there; "in a training" of
a short one from the first weights on, with its augmentations and recordings. "choosing" is what a round
spends between training and scores: features of labelled, validation and pool rows, and the surrogate on them.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from measure import interleaved, print_table, said, use_threads, versions, write_csv
from torch import Tensor

from salutary.models.augmentation import ImageAugmentation
from salutary.models.cnn import Cnn
from salutary.models.head import TwoLayerHead
from salutary.models.network import Network
from salutary.models.resnet34 import ResNet34
from salutary.models.step import WORTH_RECORDING, RecordedStep, Step
from salutary.models.training import Consistency, is_mixed, isolated_random, supervised
from salutary.strategies import PoolView
from salutary.strategies.surrogate import guide_of, surrogate_of
from salutary.system.capture import uncaptured
from salutary.system.device import exact_convolutions

N_CLASSES = 10
N_LABELED = 320  # whole batches
MODELS = ("resnet34", "cnn", "head", "cnn_fixmatch")
PARTS = ("steps", "choosing")


@dataclass(frozen=True)
class Size:
    """How large a benchmark is: rows of a batch, side of images for ResNet-34, steps, rows to choose from."""

    batch: int
    side: int
    steps: int
    pool: int
    validation: int


SIZES = {"cuda": Size(64, 64, 200, 54_000, 5_000), "cpu": Size(8, 32, 5, 200, 50)}


def network(name: str, size: Size) -> Network:
    """As in ``conf/model``, but for the number of steps."""
    settings = {"epochs": size.steps, "max_steps": size.steps, "batch_size": size.batch}
    if name == "resnet34":
        return Network(N_CLASSES, ResNet34("random", image_size=size.side), learning_rate=3e-4, **settings)
    if name == "head":
        return Network(N_CLASSES, TwoLayerHead(), **settings | {"batch_size": size.batch // 2})
    if name == "cnn_fixmatch":
        settings["consistency"] = Consistency(ImageAugmentation())
    return Network(N_CLASSES, Cnn(), learning_rate=3e-3, **settings)


def rows(name: str, n: int, size: Size, device: str, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Images of bytes, for ``head`` features, and their classes."""
    shape = {"head": (768,), "resnet34": (3, size.side, size.side)}.get(name, (1, 28, 28))
    patterns = np.random.default_rng(99).standard_normal((N_CLASSES, *shape)).astype(np.float32)
    rng = np.random.default_rng(seed)
    y = rng.integers(N_CLASSES, size=n)
    X = np.empty((n, *shape), np.float32 if name == "head" else np.uint8)
    for start in range(0, n, 1000):
        part = y[start : start + 1000]
        values = patterns[part] + 4 * rng.standard_normal((len(part), *shape), dtype=np.float32)
        X[start : start + 1000] = values if name == "head" else np.clip(128 + 20 * values, 0, 255)
    return torch.as_tensor(X, device=device), torch.as_tensor(y, device=device)


def steps(size: Size, repeats: int, device: str) -> list[dict]:
    """Steps a second of each model, captured and plain."""
    table = []
    for name in MODELS:
        model = network(name, size)
        X, y = rows(name, N_LABELED, size, device)
        unlabeled = rows(name, 1000, size, device, seed=1)[0]
        model.tune(X, y, np.random.default_rng(0))
        with exact_convolutions(), isolated_random(0, X.device):
            alone = {"captured": one_step(model, X, y, unlabeled)}
            with uncaptured():
                alone["plain"] = one_step(model, X, y, unlabeled)
            t = interleaved(alone, repeats, device)

        def plain(model: Network = model, data: tuple = (X, y, unlabeled)) -> None:
            with uncaptured():
                model.fit(*data)

        whole = {"captured": lambda m=model, data=(X, y, unlabeled): m.fit(*data), "plain": plain}
        fits = interleaved(whole, max(1, repeats // 4), device)
        row = {"model": name, "batch": model.batch_size, "device": device}
        row["precision"] = "bfloat16" if is_mixed(model.precision, X.device) else "float32"
        row |= {f"steps/s, {way}": 1 / seconds for way, seconds in t.items()}
        row |= {f"in a training, {way}": size.steps / seconds for way, seconds in fits.items()}
        if device == "cuda":
            row["times faster"] = t["plain"] / t["captured"]
            row["training, times faster"] = fits["plain"] / fits["captured"]
        table.append(row)
        said("steps", row)
    return table


def one_step(model: Network, X: Tensor, y: Tensor, unlabeled: Tensor) -> Callable[[], None]:
    """A step on one batch; captured here, if that is to be."""
    n, consistency = model.batch_size, model.consistency
    images = consistency.images(X[:n], unlabeled[: consistency.ratio * n]) if consistency else X[:n]
    module = model.backbone.module(tuple(X.shape[1:]), N_CLASSES).to(X.device).train()
    objective, decay = (consistency.loss, consistency.decay) if consistency else (supervised, None)
    step = Step(module, objective, model.weight_decay, decay, is_mixed(model.precision, X.device))
    recorded = RecordedStep(step, [n] * WORTH_RECORDING)
    step.set_rate(1e-4)
    for _ in range(2):  # the first is plain, the second recorded
        recorded(images, y[:n])
    return lambda: recorded(images, y[:n])


def choosing(size: Size, repeats: int, device: str) -> list[dict]:
    """Seconds of features and surrogate on the pool of a network that has learnt something."""
    table = []
    for name in ("resnet34", "cnn"):
        X, y = rows(name, N_LABELED, size, device)
        pool = rows(name, size.pool, size, device, seed=2)[0]
        validation = rows(name, size.validation, size, device, seed=3)
        view = PoolView(pool, X, y, *validation, N_LABELED, N_CLASSES)
        model = network(name, size).tune(X, y, np.random.default_rng(0)).fit(X, y)
        seen = guide_of(model, view, convex=False).view
        calls = {
            "features": lambda m=model, v=view: guide_of(m, v, convex=False),
            "surrogate": lambda m=model, v=seen: surrogate_of(m.classifier, v, "auto"),
            "choosing": lambda m=model, v=view: guide_of(m, v, convex=True),
            "predictions": lambda m=model, v=view: m.predict_proba(v.pool),
        }
        t = interleaved(calls, max(1, repeats // 2), device)
        guide = guide_of(model, view, convex=True)
        row = {"model": name, "pool": size.pool, "device": device, **{f"{k} s": s for k, s in t.items()}}
        table.append(row | {"agreement": guide.agreement, "l2": guide.l2})
        said("choosing", table[-1])
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", help=f"parts to run, of {', '.join(PARTS)}")
    parser.add_argument("--device", default="cuda", choices=("cpu", "cuda"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--csv", help="also write the tables to this file")
    options = parser.parse_args()
    use_threads(options.threads)
    size, wanted = SIZES[options.device], (options.only or ",".join(PARTS)).split(",")
    repeats = options.repeats if options.device == "cuda" else 1
    measured = {"steps": steps, "choosing": choosing}
    tables = {n: part(size, repeats, options.device) for n, part in measured.items() if n in wanted}
    card = torch.cuda.get_device_name() if options.device == "cuda" else f"CPU, of {os.cpu_count()} cores"
    print(f"\n{versions(['torch', 'numpy'])}, {options.threads} threads, {card}")
    for name, table in tables.items():
        print(f"\n{name}")
        print_table(table)
    if options.csv:
        write_csv([{"part": name, **row} for name, table in tables.items() for row in table], options.csv)


if __name__ == "__main__":
    main()
