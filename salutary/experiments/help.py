"""``salutary-run --help``, at once: the choices and settings with their comments, without starting Hydra."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

from salutary.system import conf
from salutary.system.conf import Setting

USAGE = """\
salutary-run: active learning without a human

  salutary-run dataset=bank strategy=salutary
  salutary-run -m dataset=bank,wine strategy=salutary,margin 'seed=range(5)'      all combinations
  salutary-run dataset=wine protocol=standard model.l2=1 rounds=20
  salutary-run dataset=wine --cfg job --resolve      shows every setting, with its value for this command
"""
CLOSING = """\
Your own data sets and strategies: --config-dir FOLDER (docs/strategies.md, docs/your_data.md).
Flags of the command line itself: --hydra-help."""
WIDTH = 110
MARGIN = " " * 24  # before what is said of a setting


def is_wanted(arguments: list[str]) -> bool:
    return "--help" in arguments or "-h" in arguments


def text(arguments: list[str], folder: str) -> str:
    """The help for a command line; ``folder``: of the YAML files that the program brings."""
    config = Path(folder) / "config.yaml"
    defaults, groups = conf.default_choices(config), conf.choices([Path(folder), *config_dirs(arguments)])
    model = Path(folder) / "model" / f"{defaults['model']}.yaml"
    of_model = [Setting(f"model.{each.name}", each.value, each.about) for each in conf.settings(model)]
    return "\n".join(
        [
            USAGE,
            *(_group(name, files, defaults.get(name)) for name, files in groups.items()),
            "Settings (name=value)\n",
            *_settings([*conf.settings(config), *(each for each in of_model if each.about)]),
            f"\n{CLOSING}",
        ]
    )


def config_dirs(arguments: list[str]) -> Iterator[Path]:
    """Values of ``--config-dir``, which Hydra also takes as ``-cd``."""
    for argument, following in itertools.pairwise([*arguments, ""]):
        name, equals, value = argument.partition("=")
        if name in ("--config-dir", "-cd"):
            yield Path(value if equals else following)


def _group(name: str, files: dict[str, Path], default: str | None) -> str:
    width = max(map(len, files)) + 2
    lines = [f"{name}="]
    for choice, file in files.items():
        about = textwrap.shorten(conf.first_sentence(file), 86, placeholder=" ...")
        lines.append(f"  {choice:{width}}{about}{' [default]' * (choice == default)}")
    return "\n".join([*lines, ""])


def _settings(each: Iterable[Setting]) -> Iterator[str]:
    for setting in each:
        value = "" if setting.value.startswith("${") else f": {setting.value}"
        name = f"  {setting.name}{value}"
        if len(name) >= len(MARGIN):
            yield name
            name = MARGIN
        yield textwrap.fill(
            setting.about, WIDTH, initial_indent=name.ljust(len(MARGIN)), subsequent_indent=MARGIN
        )
