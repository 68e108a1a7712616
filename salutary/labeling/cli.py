"""``salutary-label``: read the tables, label, write. The only file here that sees a DictConfig."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from hydra import compose, initialize_config_dir
from hydra.utils import get_class
from omegaconf import DictConfig, ListConfig, OmegaConf

from salutary.errors import SalutaryError
from salutary.labeling.card_settings import CardSettings
from salutary.labeling.settings import LabelSettings
from salutary.system.commands import build, one_line_errors, resolved
from salutary.system.conf import config_dir, documented
from salutary.system.overrides import is_quoted, quoted, with_lists_quoted

if TYPE_CHECKING:  # mistakes are told before PyTorch is there
    from salutary.labeling.aim import Aim
    from salutary.models.logistic import LogisticRegression

USAGE = """\
salutary-label: the best model that needs no new label, what is wrong with its rows, labels for a pool

  salutary-label labeled=train.csv validation=val.csv pool=pool.parquet target=outcome output=labels.parquet
  salutary-label labeled=train.csv validation=val.csv target=outcome audit=true

The first writes labels.parquet and the folder labels/ (audit.html, the model to use, its card, all others);
pool= may be left out. The second writes audit.csv and audit/: which labels are likely wrong, which rows hurt
the validation loss, and what label would help.

Settings (name=value):
"""
# Settings whose value is taken as it is, whatever Hydra would make of it.
TEXTS = (
    *("labeled", "validation", "pool", "test", "answers", "target", "id", "source", "group", "output"),
    *("predictions", "combine", "separator", "sheet", "decimal", "thousands"),
    *("encoder", "image_encoder", "cache_dir"),
)

# Settings that are lists of such texts.
LISTS = (
    *("numeric", "categorical", "ignore", "text", "pair", "images", "missing", "units", "remedies", "export"),
)


def main() -> None:
    """Entry point."""
    arguments = sys.argv[1:]
    if not arguments or {"--help", "-h"} & set(arguments):
        print(USAGE + _documented())
        return
    sys.path.append(os.getcwd())  # where a user's own strategy may be
    one_line_errors(label_or_audit, "salutary-label")(arguments)


def label_or_audit(arguments: list[str]) -> None:
    """Label, or audit, as the arguments say; raises SalutaryError for what is wrong with them."""
    shown = "--cfg" in arguments
    flags = [each for each in arguments if each.startswith("-") and each != "--cfg"]
    if flags:
        raise SalutaryError(f"{flags[0]} is no setting: they are written name=value; see --help")
    with initialize_config_dir(config_dir(), version_base="1.3"):
        texts = [as_text(each) for each in arguments if each != "--cfg"]
        cfg = compose("label", _without_rerank(with_lists_quoted(texts, LISTS)))
    if shown:
        print(OmegaConf.to_yaml(cfg, resolve=True))
        return
    command = resolved(cfg)
    settings = LabelSettings.of(command)
    CardSettings.of(command)
    from salutary.labeling import audit, pipeline, state
    from salutary.labeling.labeler import check_kind
    from salutary.remedies.base_models import candidates

    check_kind(_kind(cfg))
    device, model_of = build(cfg, "device"), partial(_model, cfg)
    settings.check_free(state.was_writing(settings.partial))  # for sure when nobody else writes there
    if settings.audit:
        if settings.group or _aim(cfg).criterion:
            raise SalutaryError("audit=true is of the mean loss: leave objective and group out")
        audit.audit_labels(settings, device, model_of, command)
    else:
        strategy, bases = build(cfg, "strategy"), candidates(_candidates(cfg))
        pipeline.label_pool(settings, device, model_of, strategy, bases, _aim(cfg), command)


def _without_rerank(texts: list[str]) -> list[str]:
    """With strategy.rerank taken away where the strategy's file has no such setting, and nobody asked."""
    chosen = [text.partition("=")[2] for text in texts if text.startswith("strategy=")]
    file = Path(config_dir()) / "strategy" / f"{chosen[-1] if chosen else ''}.yaml"
    asked = any(text.lstrip("+~").startswith("strategy.rerank") for text in texts)
    if asked or not file.is_file() or "rerank" in yaml.safe_load(file.read_text()):
        return texts
    return [*texts, "~strategy.rerank"]


def _kind(cfg: DictConfig) -> type:
    """The strategy's class; what is said of another than ours is said before it is built."""
    target = str(OmegaConf.select(cfg, "strategy._target_"))
    try:
        return get_class(target)
    except (ImportError, ValueError) as error:
        raise SalutaryError(f"strategy._target_={target} is no class") from error


def _model(cfg: DictConfig, n_classes: int) -> LogisticRegression:
    """The linear model, not fitted."""
    settings = OmegaConf.masked_copy(cfg.model, [name for name in cfg.model if name != "candidates"])
    return build(OmegaConf.create({"model": settings}), "model", n_classes=n_classes)


def _aim(cfg: DictConfig) -> Aim:
    """What the model is to be good at."""
    from salutary.labeling.aim import Aim

    objective = OmegaConf.masked_copy(cfg.objective, [name for name in cfg.objective if name != "at_most"])
    criterion = build(OmegaConf.create({"objective": objective}), "objective")
    return Aim.of(criterion, OmegaConf.select(cfg, "objective.at_most", default=None))


def _candidates(cfg: DictConfig) -> list:
    """Names, and classifiers of those with a ``_target_``. Raises SalutaryError for anything else."""
    chosen = OmegaConf.select(cfg, "model.candidates", default=None)
    if chosen is None:
        return ["logistic"]
    if not isinstance(chosen, ListConfig):
        raise SalutaryError(f"model.candidates must be a list such as [logistic], not {chosen!r}")
    built = []
    for each in chosen:
        is_class = isinstance(each, DictConfig)
        if not (isinstance(each, str) or (is_class and "_target_" in each)):
            raise SalutaryError(f"model.candidates: {each!r} is neither a name nor has it a _target_")
        built.append(build(OmegaConf.create({"candidate": each}), "candidate") if is_class else each)
    return built


def as_text(argument: str) -> str:
    """``pool=a file (1).csv`` such that Hydra takes the value as it is, or, of one in quotes, what they hold:
    ``target='null'`` is a column.
    """
    name, equals, value = argument.partition("=")
    if name not in TEXTS or not equals or value == "null":
        return argument
    text = argument if is_quoted(value) else quoted(name, value)
    return text.replace("${", "\\${")  # no interpolation


def _documented() -> str:
    """The settings of conf/label.yaml with their comments, as that file has them."""
    lines, section, group = [], "", ""
    for setting in documented(Path(config_dir()) / "label.yaml"):
        if setting.name.startswith("protocol."):  # what it holds is a setting of the strategy, too
            continue
        prefix, _, name = setting.name.rpartition(".")
        if prefix != group:
            lines += ["", f"{prefix}:"]
        elif setting.section != section:
            lines.append(f"# {setting.section}")
        section, group = setting.section, prefix
        value = f"{'  ' * bool(prefix)}{name}: {setting.value}"
        lines.append(f"{value:<24}# {setting.about}" if setting.about else value)
    return "".join(f"  {line}".rstrip() + "\n" for line in lines)
