"""Which names are URLs, and what of a URL may be shown."""

from __future__ import annotations

import re
from typing import Any

REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
# Of a URL, with its password.
USER = re.compile(r"(?<=://)[^/]*@")
# A URL within a text: protocol, user and password, place, query; "+" and a further URL are not of it.
CHARACTER = r"""(?:(?!\+[A-Za-z][A-Za-z0-9+.-]+://)[^\s'"])"""
URL = re.compile(
    rf"([A-Za-z][A-Za-z0-9+.-]+)(://)(?:(?:(?!/){CHARACTER})*@)?((?:(?!\?){CHARACTER})*)(\?{CHARACTER}*)?"
)
# Protocols of files here, which are files like any other.
LOCAL = ("file", "local")


def is_remote(name: str) -> bool:
    return bool(REMOTE.match(name)) and name.partition("://")[0].lower() not in LOCAL


def without_protocol(name: str) -> str:
    """The path of file:///data/pool.csv and the like; other names as they are."""
    return name if is_remote(name) or not REMOTE.match(name) else name.partition("://")[2]


def public(name: str) -> str:
    """A URL without user, password and query, where signatures and keys stand; other names as they are.

    Without the users and passwords of further URLs in it, too.
    """
    return USER.sub("", name.partition("?")[0]) if is_remote(name) else name


def without_secrets(text: str) -> str:
    """A text, such as a message or an override, whose URLs are :func:`public`; blanks and quotes end one."""
    return URL.sub(lambda url: url[0] if url[1].lower() in LOCAL else url[1] + url[2] + url[3], text)


def public_values(node: Any) -> Any:
    """Mappings and lists whose texts are :func:`public`."""
    if isinstance(node, dict):
        return {name: public_values(each) for name, each in node.items()}
    if isinstance(node, list):
        return [public_values(each) for each in node]
    return public(node) if isinstance(node, str) else node
