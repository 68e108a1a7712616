"""All that only a GPU can show, one step after the other: tests, the engine, trainings, a run of table 5.

    python benchmarks/gpu.py --out measured                 with the raw files in $SALUTARY_DATA_DIR
    python benchmarks/gpu.py --out measured --only tests,training
    python benchmarks/gpu.py --out rehearsed --rehearse     on the CPU, small: whether everything runs

Each step has its own process and at most so many seconds, all of them together ``--seconds``; what it prints
is in ``<out>/<step>.txt`` line by line, its tables in a ``.csv`` there, and in the end all of it in
``<out>.tar.gz``. A step that fails or takes too long stops none of the others. There is a line for each, with
its exit status (124: too long); that of the script is 1 if one failed.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

BENCHMARKS = Path(__file__).parent
SALUTARY = [sys.executable, "-m", "salutary"]
PYTEST = [
    sys.executable,
    "-m",
    "pytest",
    "-q",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:benchmark",
    "--tb=short",
    "--durations=10",
]
# Here and there a package that some tests import is not to be had. In processes of their own, since after a
# recording that failed nothing is sure to work in the same one.
PYTEST += ["--continue-on-collection-errors", "tests"]
PYTEST += ["-n", "4"] if importlib.util.find_spec("xdist") else []
STRATEGIES = "salutary,salutary_greedy,badge,isal,batchbald,coreset,ibds"
# What makes a run of table 5 a small one.
SMALL = ["n_pool=300", "n_validation=100", "rounds=1", "model.max_steps=4", "model.backbone.image_size=32"]

Commands = list[list[str]]
# Seconds of a step, at most, and of all; a rehearsal may take so many times as long.
LIMITS = {"tests": 150, "engine": 100, "training": 170, "table5_random": 220, "choices": 120}
TOTAL = 520.0
REHEARSAL = 5


def measured(out: Path) -> dict[str, Commands]:
    """The commands of each step on a GPU."""
    return {
        "tests": [[*PYTEST, "-m", "cuda"]],
        "engine": [_benchmark(out, "influence", "cuda", "--only", "engine", "--alone", "--repeats", "5")],
        "training": [_benchmark(out, "training", "cuda", "--repeats", "5")],
        "table5_random": _networks(out, "dataset=mnist", "device=cuda"),
        "choices": [_choices(out, where, "dataset=bank,wine", "n_pool=2000") for where in ("cuda", "cpu")],
    }


def rehearsed(out: Path) -> dict[str, Commands]:
    """The same in small, on the CPU."""
    return {
        "tests": [[*PYTEST, "-k", "test_same_choices and pretend"]],
        "engine": [_benchmark(out, "influence", "cpu", "--only", "engine", "--repeats", "1")],
        "training": [_benchmark(out, "training", "cpu")],
        "table5_random": _networks(out, "dataset=mnist_small", "device=cpu", *SMALL),
        "choices": [_choices(out, "cpu", "dataset=digits", "n_pool=200")],
    }


def _benchmark(out: Path, name: str, device: str, *arguments: str) -> list[str]:
    script, table = str(BENCHMARKS / f"{name}.py"), str(out / f"{name}.csv")
    return [sys.executable, script, "--device", device, "--csv", table, *arguments]


def _networks(out: Path, *settings: str) -> Commands:
    """ResNet-34 from random weights: points at random, by the paper's rule, and judged by trial runs."""
    common = ["model=resnet34", "model.backbone.weights=random", "folds=0", f"output_dir={out}/runs"]
    common += settings
    ways = (["strategy=random"], ["strategy=salutary"], ["strategy=salutary", "strategy.judge=retrained"])
    return [[*SALUTARY, *common, *way] for way in ways]


def _choices(out: Path, device: str, *settings: str) -> list[str]:
    """Runs whose queries.csv must be the same on both devices, influences aside."""
    sweep = ["-m", f"strategy={STRATEGIES}", "rounds=5", f"device={device}"]
    return [*SALUTARY, *sweep, f"output_dir={out}/choices_{device}", *settings]


def done(commands: Commands, printed: Path, seconds: float) -> int:
    """Run a step's commands within so many seconds; the first exit status that is not 0 (124: too long)."""
    until, status = time.monotonic() + seconds, 0
    with printed.open("w") as file:
        for command in commands:
            file.write(f"$ {' '.join(command)}\n")
            file.flush()
            left = max(1.0, until - time.monotonic())
            started = time.monotonic()
            code = _ended(command, file, left)
            file.write(f"-- exit status {code} after {time.monotonic() - started:.1f} s\n\n")
            file.flush()
            status = status or code
    return status


def _ended(command: list[str], printed: IO[str], seconds: float) -> int:
    """Exit status; what takes longer is killed, with all processes that it has started."""
    with subprocess.Popen(command, stdout=printed, stderr=printed, start_new_session=True) as process:
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return 124
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def compared(out: Path) -> str:
    """How many runs of the two devices chose the same rows and labels, and which did not."""
    here, there = (
        {each.parent.name: each for each in out.glob(f"choices_{where}/*/queries.csv")}
        for where in ("cpu", "cuda")
    )
    both = sorted(here.keys() & there.keys())
    other = [name for name in both if _without_influence(here[name]) != _without_influence(there[name])]
    same = f"{len(both) - len(other)} of {len(both)} runs choose the same"
    return f"{same}; otherwise {', '.join(other) or 'none'}"


def _without_influence(queries: Path) -> list[str]:
    """Its lines without the last column, which may differ in its last digits."""
    return [line.rpartition(",")[0] for line in queries.read_text().splitlines()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of all that is printed and written")
    parser.add_argument("--only", help="steps, with commas between them")
    parser.add_argument("--seconds", type=float, help=f"for all steps, at most, instead of {TOTAL:.0f}")
    parser.add_argument("--rehearse", action="store_true", help="on the CPU, small")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    every = (rehearsed if options.rehearse else measured)(options.out)
    times = REHEARSAL if options.rehearse else 1
    failed, until = 0, time.monotonic() + (options.seconds or times * TOTAL)
    for name in options.only.split(",") if options.only else every:
        started = time.monotonic()
        status = done(every[name], options.out / f"{name}.txt", min(times * LIMITS[name], until - started))
        failed += status != 0
        print(f"{name}: exit status {status}, {time.monotonic() - started:.0f} s", flush=True)
    print(compared(options.out))
    shutil.make_archive(str(options.out), "gztar", options.out)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
