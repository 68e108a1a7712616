"""``salutary-run --help``, at once: the choices and their first comment line, without starting Hydra."""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

USAGE = """\
salutary-run: active learning without a human

  salutary-run dataset=bank strategy=salutary
  salutary-run -m dataset=bank,wine strategy=salutary,margin 'seed=range(5)'      all combinations
  salutary-run dataset=wine protocol=standard model.l2=1 rounds=20
  salutary-run dataset=wine --cfg job --resolve      shows every setting, with its value for this command
"""

SETTINGS = """\
Settings (name=value)

  seed        splits, draws and strategies
  rounds      rounds of querying; 50%: until half of the pool has been added
  budget      points added a round, or a share of the pool: 1%
  n_init      labelled points before the first round
  data_dir    folder of the raw data files [$SALUTARY_DATA_DIR, else the user's cache]
  baselines_use_validation
              train every strategy but the salutary ones on the validation set too
  force       run again what is finished
  output_dir  where each run gets a directory of its own
  n_validation, n_pool
              validation and pool rows, drawn per seed from those there are; all of them by default
  label_noise share of the initial labels that are wrong
  model.l2    penalty of logistic regression; cv or validation: tuned by cross-validation, on that set

Your own data sets and strategies: --config-dir FOLDER (see README).
Flags of the command line itself: --hydra-help."""


def is_wanted(arguments: list[str]) -> bool:
    return "--help" in arguments or "-h" in arguments


def text(arguments: list[str], conf: str) -> str:
    """The help for a command line; ``conf``: the folder of YAML files that the program brings."""
    folders = [Path(conf), *map(Path, _config_dirs(arguments))]
    groups = sorted({p.parent.name for f in folders for p in f.glob("*/*.yaml")} - {"hydra"})
    defaults = _defaults(Path(conf) / "config.yaml")
    return "\n".join([USAGE, *(_group(name, folders, defaults) for name in groups), SETTINGS])


def _config_dirs(arguments: list[str]) -> Iterator[str]:
    """Values of ``--config-dir``, which Hydra also takes as ``-cd``."""
    for argument, following in itertools.pairwise([*arguments, ""]):
        name, equals, value = argument.partition("=")
        if name in ("--config-dir", "-cd"):
            yield value if equals else following


def _defaults(config: Path) -> dict[str, str]:
    return dict(re.findall(r"^  - (\w+): (\w+)$", config.read_text(), re.MULTILINE))


def _group(name: str, folders: list[Path], defaults: dict[str, str]) -> str:
    by_name = {file.stem: file for f in reversed(folders) for file in (f / name).glob("*.yaml")}
    files = [by_name[stem] for stem in sorted(by_name)]
    width = max(len(file.stem) for file in files) + 2
    lines = [f"{name}="]
    for file in files:
        about = textwrap.shorten(_first_comment(file), 86, placeholder=" ...")
        lines.append(f"  {file.stem:{width}}{about}{' [default]' * (defaults.get(name) == file.stem)}")
    return "\n".join([*lines, ""])


def _first_comment(file: Path) -> str:
    """The first sentence of the comment at the top of a YAML file."""
    lines = file.read_text(errors="replace").splitlines()
    comment = itertools.takewhile(lambda line: line.startswith("#"), lines)
    words = (line.lstrip("# ") for line in comment if "@package" not in line)
    return re.split(r"\. (?=[A-Z])|\.$", " ".join(words))[0]
