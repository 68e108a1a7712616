"""The engine beside the authors' formulas and beside pyDVL."""

from __future__ import annotations

import functools
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import authors
import numpy as np
import torch
from measure import interleaved
from situations import BUDGET, SHAPES, Situation
from torch import Tensor

from salutary import engine
from salutary.strategies.salutary import Salutary


def beside_the_authors(repeats: int, device: str) -> list[dict]:
    """Scores of a round (validation gradient, Hessian, solve, every label, the ten best) by both."""
    rows = []
    for name, formulas in {"B": authors.two_classes, "W": authors.many_classes}.items():
        s = Situation.make(*SHAPES[name], l2=50.0)
        W, arrays = s.model.coef_, [x.numpy() for x in (s.X_pool, s.X_validation, s.y_validation)]

        def theirs(formulas=formulas, W=W, arrays=arrays) -> np.ndarray:
            parameters = W.numpy()[0] if len(W) == 1 else W.numpy()
            return np.argsort(-formulas(parameters, 50.0, *arrays).max(1))[:BUDGET]

        def ours(hessian: str, s=s) -> Tensor:
            return Salutary(hessian).propose(s.model, s.view, BUDGET, np.random.default_rng(0)).indices

        t = interleaved(
            {"authors": theirs, "labeled": lambda: ours("labeled"), "pool": lambda: ours("pool")}, repeats
        )
        row = {"case": name, "authors ms": 1e3 * t["authors"]}
        for hessian in ("labeled", "pool"):
            row[f"ours, Hessian of {hessian}, ms"] = 1e3 * t[hessian]
            row[f"times faster ({hessian})"] = t["authors"] / t[hessian]
        if name == "B":  # with more classes theirs has intercepts that the model does not have
            row["same ten (pool)"] = bool((ours("pool").numpy() == theirs()).all())
        rows.append(row)
    return rows


def peer(repeats: int) -> list[dict]:
    """pyDVL 0.10.0 on W and on a part of M's pool: time per (point, label), and whether it agrees."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder, "environment", "bin", "python")
        venv.create(python.parents[1], with_pip=True)
        wanted = ["pydvl[influence]==0.10.0", "numpy<2", f"torch=={torch.__version__.partition('+')[0]}"]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *wanted], check=True)
        for name, n in {"W": 3_600, "M": 2_000}.items():
            s = Situation.make(n, *SHAPES[name][1:], l2=1.0)
            answer = _ask_pydvl(python, s, Path(folder))
            S, W = s.direction(), s.model.coef_
            ours = engine.score_labels(W, S, s.X_pool).numpy()
            score = functools.partial(engine.score_labels, W, S, s.X_pool)
            t = interleaved({"prepare": s.direction, "score": score}, repeats)
            difference = np.linalg.norm(answer["influence"] - ours) / np.linalg.norm(ours)
            theirs = float(answer["score"]), float(answer["score"] + answer["prepare"])
            row = {"case": name, "points": n, "pyDVL, us per (point, label)": 1e6 * theirs[0] / ours.size}
            row["ours, us"] = 1e6 * t["score"] / ours.size
            row["times faster, scores"] = theirs[0] / t["score"]
            row["times faster, all"] = theirs[1] / (t["prepare"] + t["score"])
            row["relative difference"] = float(difference)
            if difference > 1e-5:
                sys.exit(f"pyDVL and salutary differ by {difference:.1e} on {name}")
            rows.append(row)
    return rows


def _ask_pydvl(python: Path, s: Situation, folder: Path) -> dict[str, np.ndarray]:
    rows = {"X": s.X, "y": s.y, "X_validation": s.X_validation, "y_validation": s.y_validation}
    np.savez(folder / "problem.npz", W=s.model.coef_, l2=s.l2, X_pool=s.X_pool, **rows)
    script = Path(__file__).with_name("peer_pydvl.py")
    command = [python, "-W", "ignore", script, folder / "problem.npz", folder / "answer.npz"]
    subprocess.run(command, check=True)
    return dict(np.load(folder / "answer.npz"))
