"""The influence engine beside the bare matrix product, the authors' formulas and pyDVL.

    pip install -c constraints.txt -e ".[bench]"
    python benchmarks/influence.py --csv benchmarks/influence.csv      one thread, float64 and float32
    python benchmarks/influence.py --only growth,estimates
    python benchmarks/influence.py --peer           also pyDVL, in an environment made for it
    python benchmarks/influence.py --device cuda --alone     on the device, without the CPU beside it

Sizes of the paper's tables, features synthetic (Gaussian classes), 300 labelled: B (bank) 18,000 x 51, two
classes, validation 6,098; W (wine) 3,600 x 11, 7 classes, validation 1,300; M (MNIST's features)
54,000 x 512, 10 classes, validation 5,000. "refit" is a fit from zero, "update" one that follows ten proposed
points from where the fit was, "round" a proposal and a refit, "warm round" a proposal and an update, as in a
run. On CUDA "solve" is also taken by conjugate gradients, a refined factor in float32, and one in float64,
and the product H V by plain calls and eight times in a graph. All calls of a part run in one process,
interleaved; times are medians.
"""

from __future__ import annotations

import argparse
import copy
import functools
import os
from collections.abc import Callable

import numpy as np
import torch
from estimates import estimates
from large_pool import large_pool
from measure import interleaved, print_table, said, use_threads, versions, write_csv
from peers import beside_the_authors, peer
from picks import picks
from situations import BUDGET, SHAPES, Situation
from torch import Tensor

from salutary import engine
from salutary.engine import Hessian
from salutary.engine.solvers import cholesky, substituted
from salutary.strategies.salutary import Salutary
from salutary.system import memory
from salutary.system.capture import repeated

PENALTIES = {"B": (50.0,), "W": (50.0,), "M": (50.0, 1.0, 0.01)}
ON_CUDA = ("engine", "estimates", "growth")
PARTS = ("engine", "authors", "estimates", "picks", "growth", "pool")
PRODUCTS = 8  # in a graph


def product(A: Tensor, X: Tensor) -> Callable[[], object]:
    """The bare product A X^T, by the fastest BLAS at hand."""
    A = A.to(X.dtype)
    if X.device.type != "cpu":
        return lambda: A @ X.T
    A, X = A.numpy(), X.numpy()
    return lambda: A @ X.T


def products(hessian: Hessian, V: Tensor) -> Callable[[], None]:
    """``PRODUCTS`` products H V, as a graph."""
    result = torch.zeros_like(V)

    def call() -> None:
        for _ in range(PRODUCTS):
            result.copy_(hessian @ V)

    return repeated(call, V.device, [result])


def steps_of_a_round(repeats: int, device: str, alone: bool = False) -> list[dict]:
    """Every step of a round, against the bare product of the same shape."""
    rows = []
    for name, shape in SHAPES.items():
        for l2 in PENALTIES[name]:
            exact = Situation.make(*shape, l2=l2)
            expected = engine.score_labels(exact.model.coef_, exact.direction("cholesky"), exact.X_pool)
            for dtype in (torch.float64, torch.float32):
                for where in dict.fromkeys((device,) if alone else ("cpu", device)):
                    rows.append(_engine_row(name, exact.to(dtype, where), expected, repeats, where))
                    said("engine", rows[-1])
    return rows


def _engine_row(name: str, s: Situation, expected: Tensor, repeats: int, device: str) -> dict:
    W, penalty = s.model.coef_, s.model.penalty_
    g = engine.gradient(s.X_validation, s.y_validation, W) / len(s.y_validation)
    S = engine.solve(Hessian.at(W, s.X, penalty), g)
    strategy = Salutary()
    chosen = strategy.propose(s.model, s.view, BUDGET, np.random.default_rng(0))
    assert chosen.labels is not None
    X, y = torch.cat([s.X, s.X_pool[chosen.indices]]), torch.cat([s.y, chosen.labels])
    hessian = Hessian.at(W, s.X, penalty)

    def pipeline() -> Tensor:
        return engine.best_influence(W, s.direction(), s.X_pool)

    def whole_round() -> None:
        strategy.propose(s.model, s.view, BUDGET, np.random.default_rng(0))
        s.model.fit(s.X, s.y)

    def warm_round() -> None:
        strategy.propose(s.model, s.view, BUDGET, np.random.default_rng(0))
        copy.copy(s.model).update(X, y)

    ways = {
        "solve cg": lambda: engine.solve(hessian, g, "cg"),
        "solve f32 factor": lambda: engine.solve(hessian, g, "cholesky"),
        "solve f64 factor": lambda: substituted(cholesky(hessian), g),
        "H V": lambda: hessian @ g,
    }
    if device != "cpu":
        ways[f"{PRODUCTS} H V captured"] = products(hessian, g)
    t = interleaved(
        {
            "product": product(torch.cat([W, S]), s.X_pool),
            "stream": lambda: s.X_pool.sum(),
            "gradient": lambda: engine.gradient(s.X_validation, s.y_validation, W),
            "solve": lambda: engine.solve(Hessian.at(W, s.X, penalty), g),
            **(ways if device != "cpu" else {}),
            "score": lambda: engine.best_influence(W, S, s.X_pool),
            "engine": pipeline,
            "refit": lambda: s.model.fit(s.X, s.y),
            "update": lambda: copy.copy(s.model).update(X, y),
            "round": whole_round,
            "warm round": warm_round,
        },
        repeats,
        device,
    )
    found = engine.score_labels(W, S, s.X_pool).double().cpu()
    row = {"case": name, "l2": s.l2, "dtype": str(s.X.dtype).removeprefix("torch."), "device": device}
    row |= {f"{step} ms": 1e3 * seconds for step, seconds in t.items()}
    row["score / product"] = t["score"] / t["product"]
    row["engine / product"] = t["engine"] / t["product"]
    row["engine / stream"] = t["engine"] / t["stream"]
    row["us per (point, label)"] = 1e6 * t["engine"] / expected.numel()
    row["relative error"] = float((found - expected).norm() / expected.norm())
    row["label flips"] = int((found.argmax(1) != expected.argmax(1)).sum())
    megabytes = row["MB"] = memory.peak(pipeline, device)
    row["% of pool"] = 100 * megabytes * 2**20 / (s.X_pool.numel() * s.X_pool.element_size())
    return row


def growth(repeats: int, device: str) -> list[dict]:
    """Time of the engine over three doublings of each size, and the exponent that fits it."""
    base = {"n": 40_000, "d": 128, "C": 8}
    rows = []
    for size in base:
        calls, sizes = {}, []
        for doubling in range(4):
            shape = {**base, size: base[size] * 2**doubling // (2 if size == "n" else 1)}
            s = Situation.make(shape["n"], shape["d"], shape["C"], 2_000).to(torch.float64, device)
            W, S = s.model.coef_, s.direction()
            sizes.append(shape[size])
            calls[shape[size]] = lambda W=W, S=S, s=s: engine.best_influence(W, S, s.X_pool)
        t = interleaved(calls, repeats, device)
        exponent = np.polyfit(np.log(sizes), np.log([t[x] for x in sizes]), 1)[0]
        row = {"size": size, "from": sizes[0], "to": sizes[-1]}
        row |= {f"ms at {2**k}x": 1e3 * t[x] for k, x in enumerate(sizes)}
        rows.append({**row, "exponent": float(exponent)})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", help=f"parts to run, of {', '.join(PARTS)}; on cuda {', '.join(ON_CUDA)}")
    parser.add_argument("--peer", action="store_true", help="also time pyDVL")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--alone", action="store_true", help="steps of a round on the device only")
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--pool-rows", type=int, default=5_000_000)
    parser.add_argument("--csv", help="also write the tables to this file")
    options = parser.parse_args()
    use_threads(options.threads)
    wanted = options.only.split(",") if options.only else ON_CUDA if options.device == "cuda" else PARTS
    measured = {
        "engine": functools.partial(steps_of_a_round, alone=options.alone),
        "authors": beside_the_authors,
        "estimates": estimates,
        "picks": picks,
        "growth": growth,
    }
    tables = {n: f(options.repeats, options.device) for n, f in measured.items() if n in wanted}
    if "pool" in wanted:
        tables["pool"] = large_pool(options.pool_rows)
    if options.peer:
        tables["peer"] = peer(options.repeats)
    card = f", {torch.cuda.get_device_name()}" if options.device == "cuda" else ""
    print(f"\n{versions(['torch', 'numpy'])}, {options.threads} of {os.cpu_count()} threads{card}")
    for name, rows in tables.items():
        print(f"\n{name}\n")
        print_table(rows)
    if options.csv:
        write_csv([{"part": name, **row} for name, rows in tables.items() for row in rows], options.csv)


if __name__ == "__main__":
    main()
