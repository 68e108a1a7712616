"""What submitit asks of Slurm, on this machine: ``sbatch``, ``srun``, ``sacct``, ``scontrol``.

Jobs of an array run one after the other, as scripts that submitit wrote. The job SLURM_HERE_STOPS, a number,
is told once that its time is over when its first round is written.
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

NAMES = ("sbatch", "srun", "sacct", "scontrol")


def install(folder: Path, **variables: str) -> dict[str, str]:
    """The commands in ``folder/bin``; the environment that finds them."""
    (folder / "bin").mkdir(parents=True)
    for name in NAMES:
        (folder / "bin" / name).write_text(f'#!/bin/sh\nexec {sys.executable} {__file__} {name} "$@"\n')
        (folder / "bin" / name).chmod(0o755)
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "SLURM_HERE": str(folder), **variables}


def sbatch(here: Path, script: str) -> None:
    number = str(1 + len(list(here.glob("*.sh"))))
    (here / f"{number}.sh").write_text(Path(script).read_text())
    log = (here / f"{number}.log").open("w")
    command = [sys.executable, __file__, "array", number]
    subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    print(f"Submitted batch job {number}")


def array(here: Path, number: str) -> None:
    script = (here / f"{number}.sh").read_text()
    last = int(re.search(r"--array=0-(\d+)%", script)[1])
    for index in range(last + 1):
        while _ran_to_its_end(here, number, index):
            pass


def _ran_to_its_end(here: Path, number: str, index: int) -> bool:
    """Run one job; true if it is to be run again."""
    name = f"{number}_{index}"
    own = {"ARRAY_JOB_ID": number, "ARRAY_TASK_ID": str(index), "JOB_ID": name, "NTASKS": "1"}
    own |= {"JOB_NUM_NODES": "1", "NODEID": "0", "PROCID": "0", "LOCALID": "0"}
    environment = {**os.environ, **{f"SLURM_{key}": value for key, value in own.items()}}
    job = subprocess.Popen(["bash", here / f"{number}.sh"], env=environment)
    if os.environ.get("SLURM_HERE_STOPS") == str(index) and not (here / f"{name}.again").exists():
        while not any(b"\n" in f.read_bytes() for f in Path.cwd().glob("outputs/*.partial/queries.csv")):
            time.sleep(0.01)
        os.kill(int((here / f"{name}.pid").read_text()), signal.SIGUSR2)
    job.wait()
    again = here / f"{name}.again"
    asked = again.exists() and again.read_text() == "asked"
    again.write_text("done")
    (here / f"{name}.state").write_text("PENDING" if asked else "FAILED" if job.returncode else "COMPLETED")
    return asked


def srun(here: Path, *arguments: str) -> None:
    """Its own options end where Python begins."""
    start = next(i for i, each in enumerate(arguments) if "python" in each.rpartition("/")[2])
    name = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    (here / f"{name}.pid").write_text(str(os.getpid()))
    os.execvp(arguments[start], arguments[start:])


def sacct(here: Path, *_: str) -> None:
    print("JobID|State|NodeList")
    for file in here.glob("*.state"):
        print(f"{file.stem}|{file.read_text()}|here")


def scontrol(here: Path, order: str, name: str) -> None:
    assert order == "requeue"
    (here / f"{name}.again").write_text("asked")


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(os.environ["SLURM_HERE"]), *sys.argv[2:])
