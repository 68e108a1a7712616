"""What settings may be: a table of rules per class, and one checker that makes its one-line message.

    RULES = {"budget": Whole(1), "rounds": Choice("auto") | Whole(0), "pool": Text("a file") | NULL}
    check(self, RULES)                       # raises: budget must be a whole number >= 1, not 0

Of alternatives (``|``) one is enough. A rule's text is what a message says a setting must be.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real

from salutary.errors import SalutaryError


class Rule(ABC):
    """Which values a setting may have."""

    @abstractmethod
    def accepts(self, value: object) -> bool: ...

    @abstractmethod
    def __str__(self) -> str:
        """What the setting must be."""

    def complaint(self, name: str, value: object) -> str:
        """What is said of a value that is not accepted."""
        return f"{name} must be {self}, not {value!r}"

    def __or__(self, other: Rule) -> Rule:
        return _Either(self, other)


@dataclass(frozen=True)
class _Either(Rule):
    first: Rule
    second: Rule

    def accepts(self, value: object) -> bool:
        return self.first.accepts(value) or self.second.accepts(value)

    def __str__(self) -> str:
        return f"{self.first} or {self.second}"


@dataclass(frozen=True)
class Unless(Rule):
    """``rule``, unless the value is ``special``, a text such as ``auto`` or None.

    A message names the special text where a text was given, and not where a number was.
    """

    special: str | None
    rule: Rule

    def accepts(self, value: object) -> bool:
        return (type(value) is type(self.special) and value == self.special) or self.rule.accepts(value)

    def __str__(self) -> str:
        return f"{'null' if self.special is None else self.special} or {self.rule}"

    def complaint(self, name: str, value: object) -> str:
        if isinstance(value, str) and isinstance(self.special, str):
            return super().complaint(name, value)
        return self.rule.complaint(name, value)


@dataclass(frozen=True)
class Whole(Rule):
    """A whole number from ``smallest`` on; a truth value is none."""

    smallest: int

    def accepts(self, value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= self.smallest

    def __str__(self) -> str:
        return f"a whole number >= {self.smallest}"


@dataclass(frozen=True)
class Number(Rule):
    """A finite number in [``low``, ``high``], or without ``low`` itself if that is ``excluded``."""

    low: float
    high: float = math.inf
    excluded: bool = False

    def accepts(self, value: object) -> bool:
        if not isinstance(value, Real) or isinstance(value, bool) or not math.isfinite(value):
            return False
        return self.low <= float(value) <= self.high and not (self.excluded and value == self.low)

    def __str__(self) -> str:
        return f"a number in {'(' if self.excluded else '['}{self.low:g}, {self.high:g}]"


class Flag(Rule):
    """True or false, and not 0 or 1."""

    def accepts(self, value: object) -> bool:
        return isinstance(value, bool)

    def __str__(self) -> str:
        return "true or false"


class Choice(Rule):
    """One of some texts."""

    def __init__(self, *options: str):
        self.options = options

    def accepts(self, value: object) -> bool:
        return isinstance(value, str) and value in self.options

    def __str__(self) -> str:
        *others, last = self.options
        return f"{', '.join(others)} or {last}" if others else last


@dataclass(frozen=True)
class Text(Rule):
    """A text that is not empty; ``what`` it is."""

    what: str

    def accepts(self, value: object) -> bool:
        return isinstance(value, str) and bool(value)

    def __str__(self) -> str:
        return self.what


@dataclass(frozen=True)
class Needed(Text):
    """A text that has to be given; None gets a line of its own."""

    def complaint(self, name: str, value: object) -> str:
        return f"set {name}: {self}" if value is None else super().complaint(name, value)


@dataclass(frozen=True)
class Quoted(Text):
    """A text that the command line would take for a number unless it is quoted, and quoted for the shell."""

    def complaint(self, name: str, value: object) -> str:
        return f"{super().complaint(name, value)} (quote numbers twice)"


class Character(Rule):
    """A text of length one."""

    def accepts(self, value: object) -> bool:
        return isinstance(value, str) and len(value) == 1

    def __str__(self) -> str:
        return "one character"


@dataclass(frozen=True)
class ListOf(Rule):
    """A list of what another rule accepts, ``smallest`` of it or more; ``what`` it is."""

    rule: Rule
    what: str
    smallest: int = 0

    def accepts(self, value: object) -> bool:
        if not isinstance(value, Sequence) or isinstance(value, str) or len(value) < self.smallest:
            return False
        return all(self.rule.accepts(each) for each in value)

    def __str__(self) -> str:
        return self.what


class Texts(ListOf):
    """A list of texts; ``what`` it is."""

    def __init__(self, what: str):
        super().__init__(_Any(), what)


class _Any(Rule):
    """Any text, the empty one too."""

    def accepts(self, value: object) -> bool:
        return isinstance(value, str)

    def __str__(self) -> str:
        return "a text"


@dataclass(frozen=True)
class Worded(Rule):
    """Another rule, said in ``words`` of one's own."""

    rule: Rule
    words: str

    def accepts(self, value: object) -> bool:
        return self.rule.accepts(value)

    def __str__(self) -> str:
        return self.words


class _Null(Rule):
    def accepts(self, value: object) -> bool:
        return value is None

    def __str__(self) -> str:
        return "null"


NULL = _Null()


class _Mapping(Rule):
    def accepts(self, value: object) -> bool:
        return value is None or (isinstance(value, Mapping) and all(isinstance(name, str) for name in value))

    def __str__(self) -> str:
        return "names and values such as {k: 10}"


MAPPING = _Mapping()


def check(settings: object, rules: Mapping[str, Rule], prefix: str = "") -> None:
    """Raises SalutaryError for the first attribute of ``settings`` that breaks its rule.

    ``prefix``: what stands before the names on the command line, such as ``strategy.``.
    """
    for name, rule in rules.items():
        value = getattr(settings, name)
        if not rule.accepts(value):
            raise SalutaryError(rule.complaint(f"{prefix}{name}", value))
