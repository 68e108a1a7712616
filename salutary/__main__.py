"""``salutary-run``, which is also ``python -m salutary``."""

import os
import sys

from salutary.experiments import help
from salutary.system.conf import config_dir


def main() -> None:
    """Entry point. ``--help`` is answered without importing Hydra."""
    if help.is_wanted(sys.argv[1:]):
        try:
            print(help.text(sys.argv[1:], config_dir()), flush=True)
        except BrokenPipeError:  # the reader has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    from salutary.experiments import cli

    cli.main()


if __name__ == "__main__":
    main()
