"""All that only a GPU can show, one step after the other: tests, the engine, trainings, a run of table 5.

    python benchmarks/gpu.py --out measured                 with the raw files in $SALUTARY_DATA_DIR
    python benchmarks/gpu.py --out measured --only tests,training
    python benchmarks/gpu.py --out rehearsed --rehearse     on the CPU, small: whether everything runs

Each step has its own process and at most so many seconds; what it prints is in ``<out>/<step>.txt``, its
tables in ``<out>/<step>.csv``. A step that fails stops none of the others. At the end there is a line for
each, and its exit status; that of the script is 1 if one failed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

BENCHMARKS = Path(__file__).parent
SALUTARY = [sys.executable, "-m", "salutary"]
PYTEST = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "tests"]
STRATEGIES = "salutary,salutary_greedy,badge,isal,batchbald,coreset,ibds"
# What makes a run of table 5 a small one.
SMALL = ["n_pool=300", "n_validation=100", "rounds=1", "model.max_steps=4", "model.backbone.image_size=32"]

Commands = list[list[str]]


def measured(out: Path) -> dict[str, Commands]:
    """The commands of each step on a GPU."""
    return {
        "tests": [[*PYTEST, "-m", "cuda"]],
        "engine": [_benchmark(out, "influence", "cuda", "--only", "engine", "--repeats", "5")],
        "training": [_benchmark(out, "training", "cuda")],
        "table5_random": _networks(out, "dataset=mnist", "device=cuda"),
        "choices": [_choices(out, where, "dataset=bank,wine", "n_pool=2000") for where in ("cpu", "cuda")],
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
    common = ["model=resnet34", "model.backbone.weights=random", f"output_dir={out}/runs", *settings]
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
            try:
                code = subprocess.run(command, stdout=file, stderr=file, timeout=left, check=False).returncode
            except subprocess.TimeoutExpired:
                code = 124
            file.write(f"-- exit status {code} after {time.monotonic() - started:.1f} s\n\n")
            file.flush()
            status = status or code
    return status


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of all that is printed and written")
    parser.add_argument("--only", help="steps, with commas between them")
    parser.add_argument("--seconds", type=float, default=150, help="for one step, at most")
    parser.add_argument("--rehearse", action="store_true", help="on the CPU, small")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    every = (rehearsed if options.rehearse else measured)(options.out)
    failed = 0
    for name in options.only.split(",") if options.only else every:
        started = time.monotonic()
        status = done(every[name], options.out / f"{name}.txt", options.seconds)
        failed += status != 0
        print(f"{name}: exit status {status}, {time.monotonic() - started:.0f} s", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
