"""Commands in copies of this process, which may be killed: all is imported already, so that what is killed is
the work and not the imports.
"""

import os
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

from hydra.core.global_hydra import GlobalHydra

OUTPUT = "output.txt"


def forked(
    folder: Path,
    main: Callable[[], object],
    arguments: list[str],
    environment: Mapping[str, str] | None = None,
    prepare: Callable[[], object] | None = None,
) -> int:
    """Start ``main`` from ``folder`` in a copy; its process id. What it prints is added to output.txt there,
    or to where ``prepare``, called before it, leads it.
    """
    folder.mkdir(exist_ok=True)
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        os.chdir(folder)
        os.environ.update(environment or {})
        output = os.open(OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(output, 1), os.dup2(output, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        sys.argv = arguments
        GlobalHydra.instance().clear()
        if prepare:
            prepare()
        main()
        status = 0
    except SystemExit as stop:
        if isinstance(stop.code, str):
            print(stop.code)
        status = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(status)


def status_of(pid: int) -> int:
    """Wait for its end; negative if a signal was that."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
