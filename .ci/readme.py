"""Runs what a reader copies from README.md, in an empty folder, by the commands that are on PATH.

    python .ci/readme.py README.md          # runs all of it, and says what it leaves out and why

A command is an indented line that begins with the name of one, and a block of Python is ```python. They run
in their order, since later ones read what earlier ones wrote. Nothing that needs hours stands in such a line.
Without SALUTARY_DATA_DIR tables that are fetched give way to scikit-learn's.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

STEP = re.compile(r"^```python\n(?P<python>[\s\S]*?)^```$|^    (?P<shell>(?:make|salutary-\w+)\b.*)$", re.M)
CHECKOUT = "needs the checkout, which a wheel is without"
# Tables that are fetched from the UCI, unless SALUTARY_DATA_DIR has them, and what stands in for them then.
FETCHED = {"bank,wine": "digits,breast_cancer", "bank": "digits", "wine": "breast_cancer"}
# What blocks of Python take as given, as their text says.
GIVEN = """
import matplotlib
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from salutary.strategies.random import Random as MyStrategy

matplotlib.use("agg")
_X, _y = load_digits(return_X_y=True)
_X, _y, _order = StandardScaler().fit_transform(_X), _y % 2, np.random.default_rng(0).permutation(1000)
(X, X_val, X_pool), (y, y_val, _) = (np.split(each[_order], [700, 850]) for each in (_X, _y))
fitted = LogisticRegression(max_iter=1000).fit(X, y)
"""


@dataclass(frozen=True)
class Step:
    """A line for the shell, or a block of Python; ``why`` it is left out, empty if it is not."""

    code: str
    is_python: bool = False
    why: str = ""

    @property
    def argv(self) -> list[str]:
        if self.is_python:
            return ["python", "-c", GIVEN + self.code]
        return ["bash", "-euc", self.code]

    @property
    def shown(self) -> str:
        return f"python: {self.code.strip().splitlines()[0]} ..." if self.is_python else self.code


def steps(readme: str, has_data: bool) -> list[Step]:
    """In their order. ``has_data``: the raw files of the paper are here."""
    return [
        Step(match["python"], True) if match["python"] else _of_shell(match["shell"], has_data)
        for match in STEP.finditer(readme)
    ]


def _of_shell(line: str, has_data: bool) -> Step:
    if line.startswith("make"):
        return Step(line, why=CHECKOUT)
    other = {} if has_data else FETCHED
    pattern = r"\bdataset=([\w,]+)"
    return Step(re.sub(pattern, lambda match: f"dataset={other.get(match[1], match[1])}", line))


def main(path: str) -> None:
    found = steps(Path(path).read_text(), bool(os.environ.get("SALUTARY_DATA_DIR")))
    with tempfile.TemporaryDirectory() as folder:
        for step in found:
            if step.why:
                print(f"left out: {step.shown}: {step.why}", flush=True)
                continue
            started = time.monotonic()
            done = subprocess.run(step.argv, cwd=folder, capture_output=True, text=True)
            if done.returncode:
                sys.exit(
                    f"{done.stdout}{done.stderr}\nREADME.md: this ended with {done.returncode}: {step.shown}"
                )
            print(f"ran in {time.monotonic() - started:.0f} s: {step.shown}", flush=True)
    n_left_out = sum(bool(step.why) for step in found)
    print(f"README.md: {len(found) - n_left_out} steps ran, {n_left_out} were left out")


if __name__ == "__main__":
    main(sys.argv[1])
