"""``salutary-run``: build the parts that the configuration names, run the loop, write the records."""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from typing import TYPE_CHECKING

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from salutary.config import Settings, build, one_line_errors
from salutary.config_dir import config_dir

if TYPE_CHECKING:
    from salutary.datasets import Table


@hydra.main(version_base="1.3", config_path=config_dir(), config_name="config")
@one_line_errors
def run(cfg: DictConfig) -> None:
    """One run. Heavy imports wait until here, so that mistakes in the command line are told at once."""
    from salutary import loop, terminal
    from salutary.problem import Problem, noisy_labels
    from salutary.records import Identity, RunDirectory
    from salutary.references import reference_lines

    started = time.perf_counter()
    config = OmegaConf.to_container(cfg, resolve=True)
    settings = Settings.of(config)
    choices = HydraConfig.get().runtime.choices
    names = (choices[group] for group in ("dataset", "strategy", "model", "protocol"))
    identity = Identity(*names, settings.seed)

    with RunDirectory(
        settings.output_dir, identity, config, OmegaConf.to_yaml(cfg, resolve=True)
    ) as directory:
        device, strategy = build(cfg, "device"), build(cfg, "strategy")
        study = build(cfg, "study") if cfg.get("study") else None
        table = shared_table(json.dumps(config["dataset"]), identity.dataset)
        split = build(cfg, "protocol.splitter").split(table.y, settings.n_init, settings.seed)
        if settings.n_validation is not None:
            split = split.with_fewer_validation_rows(table.y, settings.n_validation, settings.seed)
        if settings.n_pool is not None:
            split = split.with_fewer_pool_rows(table.y, settings.n_pool, settings.seed)
        given = noisy_labels(table.y, table.n_classes, split.initial, settings.label_noise, settings.seed)
        if settings.baselines_use_validation and strategy.is_baseline:
            split = split.with_validation_as_labels()
        problem = Problem.prepare(table, split, device, given)
        model = build(cfg, "model", n_classes=table.n_classes)

        settings = settings.sized(len(split.pool))
        rounds = loop.run(problem, model, strategy, settings.rounds, settings.budget, settings.seed)
        records = []
        for record in terminal.progress(rounds, settings.rounds, identity):
            records.append(record)
            directory.append(record)
        if study:
            directory.add_tables(study.measure(problem, model, strategy, settings.budget, settings.seed))
        references = reference_lines(problem, model, records[0].test)
        seconds = time.perf_counter() - started
        directory.finish(references, table, device.description, seconds)
    twins = strategy.same_on_two_classes if table.n_classes == 2 else ()
    terminal.summarise(identity, records, references, twins, seconds, directory.path)


@functools.lru_cache(maxsize=16)
def shared_table(dataset: str, name: str) -> Table:
    """The table of a resolved configuration, as JSON; the runs of a sweep load it once."""
    from salutary.datasets import load

    return load(build(OmegaConf.create({"dataset": json.loads(dataset)}), "dataset"), name)


def main() -> None:
    """Hand the command line to Hydra; see ``__main__`` for ``--help``."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then leaves its errors to one_line_errors
    sys.path.append(os.getcwd())  # where a user's own strategies and data sets are
    one_line_errors(run)()
