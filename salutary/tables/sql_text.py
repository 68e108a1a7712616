"""What the text of a query says: where it ends, whether it orders its rows, and what is new each time."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Texts, names in quotes, and comments: what is in them is no word of the query. Lists of DuckDB, which hold
# texts, stand in brackets, too.
_TOKEN = re.compile(
    r"(?P<text>\b[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|(?P<tag>\$(?:[A-Za-z_]\w*)?\$).*?(?P=tag))"
    r"|(?P<name>\"(?:[^\"]|\"\")*\"|`[^`]*`)"
    r"|(?P<bracket>\[[^\]'\"]*\])"
    r"|(?P<comment>--[^\n]*|/\*.*?(?:\*/|\Z))",
    re.DOTALL,
)
_CALL = re.compile(r"(\w+)[\"`]?\s*\(")
_SAMPLE = re.compile(r"\b(tablesample|using\s+sample)\b", re.IGNORECASE)
# What DuckDB calls consistent, as it is within a query, and takes from the clock.
CLOCK = {
    *("age", "now", "today", "current_date", "current_time", "current_timestamp", "current_localtime"),
    *("current_localtimestamp", "get_current_time", "get_current_timestamp", "localtime", "localtimestamp"),
    *("transaction_timestamp", "txid_current"),
}
# Of these, words that need no parentheses.
_WORD = re.compile(
    r"(?<![\w\"`.])(current_(?:date|time|timestamp)|localtime(?:stamp)?)(?![\w\"`])", re.IGNORECASE
)
# How functions of SQLite ask for the time: by its name, or by no time at all.
_NOW = re.compile(
    r"'now'|\b(?:date|time|datetime|julianday|unixepoch)[\"`\]]?\s*\(\s*(?:'subsec(?:ond)?'\s*)?\)"
    r"|\bstrftime[\"`\]]?\s*\(\s*(?:'[^']*'\s*|[^(),]*)\)",
    re.IGNORECASE,
)


def has_order(query: str) -> bool:
    """Whether the rows of a query are in an order that it says."""
    text, before = _without(query, "text", "name", "bracket", "comment"), ""
    while text != before:
        text, before = re.sub(r"\([^()]*\)", " ", text), text
    return bool(re.search(r"\border\s+by\b", text, re.IGNORECASE))


def without_end(query: str) -> str:
    """A query without comments before and after it, and the semicolon that ends it."""
    text = _without(query, "comment")
    return query[len(text) - len(text.lstrip()) : len(text.rstrip(" \t\r\n;"))]


def has_nested_comment(query: str) -> bool:
    """Whether a comment is in another: where it ends differs between databases."""
    return any("/*" in found[0][2:] for found in _TOKEN.finditer(query) if found["comment"])


def with_definitions(query: str, definitions: Iterable[tuple[str, str]]) -> str:
    """A query, and what the views and macros are that it names, and that those name."""
    text, left = query, list(definitions)
    while found := [each for each in left if re.search(rf"(?<!\w){re.escape(each[0])}(?!\w)", text, re.I)]:
        left = [each for each in left if each not in found]
        text = "\n".join([text, *(definition for _, definition in found)])
    return text


def asks_for_time(text: str) -> bool:
    """Whether a function of times would take it from the clock, in SQLite."""
    return bool(_NOW.search(_without(text, "comment")))


def new_each_time(text: str, volatile: set[str]) -> str | None:
    """What a query of DuckDB draws, or takes from the clock: a word of it, if anything."""
    bare = _TOKEN.sub(_unless_words, text)
    called = [name for name in _CALL.findall(bare) if name.lower() in volatile | CLOCK]
    return next(iter([*called, *_WORD.findall(bare), *_SAMPLE.findall(bare)]), None)


def _without(query: str, *kinds: str) -> str:
    """With spaces in their places."""
    return _TOKEN.sub(lambda found: " " * len(found[0]) if found.lastgroup in kinds else found[0], query)


def _unless_words(found: re.Match[str]) -> str:
    is_word = found["bracket"] or re.fullmatch(r"[\"`]\w+[\"`]", found[0])
    return found[0] if is_word else " "
