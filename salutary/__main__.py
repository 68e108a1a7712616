"""``python -m salutary`` is ``salutary-run``."""

from salutary.cli import main

if __name__ == "__main__":
    main()
