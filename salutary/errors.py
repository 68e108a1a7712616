"""The one exception that means "the input is wrong", as opposed to "the program is"."""

from __future__ import annotations


class SalutaryError(ValueError):
    """A mistake the user can mend; its text is one line that names the setting, file or row.

    A ValueError, so that callers from Python catch it as they catch scikit-learn's.
    """


class Interruption(SalutaryError):
    """What may go right the next time, such as a network that fails: what is done stays, to go on with."""


def needs(package: str, extra: str) -> SalutaryError:
    """The error for an extra that is not installed."""
    return SalutaryError(f"{package} is not installed: pip install 'salutary[{extra}]'")


def require_bool(name: str, value: object) -> None:
    """Raises SalutaryError unless the setting is true or false."""
    if not isinstance(value, bool):
        raise SalutaryError(f"{name} must be true or false, not {value!r}")


def require_whole(name: str, value: object, smallest: int) -> None:
    """Raises SalutaryError unless the setting is a whole number >= ``smallest``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < smallest:
        raise SalutaryError(f"{name} must be a whole number >= {smallest}, not {value!r}")
