"""``salutary-run``, which is also ``python -m salutary``."""

import sys

from salutary import help
from salutary.config_dir import config_dir


def main() -> None:
    """Entry point. ``--help`` is answered without importing Hydra."""
    if help.is_wanted(sys.argv[1:]):
        print(help.text(sys.argv[1:], config_dir()))
        return
    from salutary import cli

    cli.main()


if __name__ == "__main__":
    main()
