"""What is around runs and sweeps, whichever sweeper of Hydra's starts them: who tells of the jobs, and where.

Hydra calls :class:`Around` at their start, but not at an end by a mistake: :func:`ended` is around all.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from salutary.errors import SalutaryError
from salutary.experiments.journal import Watch, duration
from salutary.experiments.settings import RULES
from salutary.system.overrides import quoted

OURS = "hydra_plugins.salutary_sweeper.GridSweeper"  # which tells of its jobs by itself
RESULTS = "optimization_results.yaml"  # of Optuna's sweeper
# An interpolation that may be another for each job of a sweep.
MAY_VARY = r"\$\{(?!(?:oc\.env|now):)"
_at_end = contextlib.ExitStack()


class Around(Callback):
    """Has no state of its own: Hydra copies it into every worker."""

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Note which folders Hydra is going to make, to take away those that stay empty."""
        folder = Path(config.hydra.run.dir).absolute()
        made = [each for each in (folder, *folder.parents) if not each.exists()]
        _at_end.callback(_remove_empty, made)

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """All jobs note what becomes of them in one folder, and are told of whichever sweeper starts them."""
        # What is wrong with the folder the sweeper finds, too, and says it.
        with contextlib.suppress(SalutaryError, OmegaConfBaseException):
            _share_folder(config)
            if config.hydra.sweeper.get("_target_") != OURS:
                _go_on_after_failures(config)
                _at_end.enter_context(_told(config))


@contextlib.contextmanager
def ended() -> Iterator[None]:
    """Whatever :class:`Around` began ends with this."""
    with _at_end:
        yield


def shared_folder(config: DictConfig) -> str:
    """The part of ``output_dir`` that the jobs of a sweep share: it may depend on what they differ in.

    Raises SalutaryError if it is no text.
    """
    typed = OmegaConf.to_container(config, resolve=False)["output_dir"]  # type: ignore[call-overload, index]
    varies = re.search(MAY_VARY, str(typed))
    if not varies:
        folder = config.output_dir
        if not RULES["output_dir"].accepts(folder):
            raise SalutaryError(RULES["output_dir"].complaint("output_dir", folder))
        return folder
    shared = typed[: varies.start()].rpartition("/")[0] or "."
    return OmegaConf.create({"folder": shared})["folder"]


def _share_folder(config: DictConfig) -> None:
    """The folder of a sweep must be one: what its jobs would make of ``${output_dir}`` may be several."""
    if any(each.startswith("hydra.sweep.dir=") for each in config.hydra.overrides.hydra):
        return
    common = OmegaConf.merge(config, {"output_dir": shared_folder(config)})
    folder = str(common.hydra.sweep.dir)
    with read_write(config.hydra), open_dict(config.hydra):
        config.hydra.sweep.dir = folder
        config.hydra.overrides.hydra.append(quoted("hydra.sweep.dir", folder))


def _go_on_after_failures(config: DictConfig) -> None:
    """Where a sweeper has a rate of failures, as Optuna's, it is all of them, if the command says nothing."""
    name = "max_failure_rate"
    is_said = any(each.startswith(f"hydra.sweeper.{name}=") for each in config.hydra.overrides.hydra)
    if config.hydra.sweeper.get(name) == 0 and not is_said:
        with read_write(config.hydra):
            config.hydra.sweeper[name] = 1.0


@contextlib.contextmanager
def _told(config: DictConfig) -> Iterator[None]:
    """Show the jobs of another sweeper, then what became of them; raises SalutaryError if all failed."""
    from salutary.experiments.collect import collect_all

    folder, started = Path(config.hydra.sweep.dir), time.perf_counter()
    watch = Watch(folder, config.hydra.sweeper.get("n_trials"))
    try:
        with watch.watching():
            yield
    except Exception:
        if not watch.failed or len(watch.failed) < len(watch.ended):
            raise
        last = list(watch.failed.values())[-1].text
        raise SalutaryError(f"all {len(watch.failed)} jobs failed; the last: {last}") from None
    finally:
        print(f"{watch.summary()} in {duration(time.perf_counter() - started)}")
        for said in collect_all(watch.folders):
            print(said)
        _tell_best(folder / RESULTS)


def _tell_best(results: Path) -> None:
    if not results.exists():
        return
    found = OmegaConf.load(results)
    if "best_params" in found:
        best = " ".join(f"{name}={value}" for name, value in found.best_params.items())
        print(f"best: {best} ({found.best_value:g}); see {results}")


def _remove_empty(folders: list[Path]) -> None:
    with contextlib.suppress(OSError):  # something is in it
        for each in folders:
            os.rmdir(each)
