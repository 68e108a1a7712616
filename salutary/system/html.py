"""Pages that are one file each: nothing is loaded from anywhere, and no script runs but the page's own."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from importlib.resources import files

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

HEADING = re.compile(r"<h([23])>(.*?)</h\1>", re.DOTALL)
EMPTY = re.compile(r"(<th[^>]*>)(</th>)")
TAG = re.compile(r"<[^>]*>")
PARTS = re.compile(r"(<h[23]>.*?</h[23]>|<table>.*?</table>)", re.DOTALL)


def anchor(title: str) -> str:
    """The id of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")


def document(title: str, body: str) -> str:
    """A whole page. ``body``: HTML, a level-one heading first."""
    return page_environment().get_template("page.html").render(title=title, body=Markup(body))


def page_environment(package: str | None = None) -> Environment:
    """Where templates of pages are found: those of ``package``, which extend ``page.html``, and ours.

    Whatever values hold is shown as text. ``page.html`` arranges its body (:func:`arranged`), brings the
    styles and the script for tables, and forbids the browser all else by a content security policy.
    """
    names = [package] if package else []
    loader = ChoiceLoader([PackageLoader(name) for name in (*names, "salutary.system")])
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"arranged": arranged, "digest": _digest}
    environment.globals |= {"style": _file("page.css"), "script": _file("page.js")}
    return environment


def arranged(body: str) -> Markup:
    """A body whose sections are listed after its first heading, and whose tables stand each in a region of
    its own, which a keyboard can scroll and a screen reader names.
    """
    made, contents, n_tables, latest = [], [], 0, ""
    names: set[str] = set()
    for part in PARTS.split(str(body)):
        if heading := HEADING.fullmatch(part):
            level, words = heading.groups()
            latest = TAG.sub("", words)
            name = _unique(anchor(Markup(latest).unescape()) or "section", names)
            part = f'<h{level} id="{name}">{words}</h{level}>'
            if level == "2":
                contents.append(f'<li><a href="#{name}">{latest}</a></li>')
        elif part.startswith("<table>"):
            n_tables += 1
            label = escape(Markup(f"table {n_tables}, {latest}").unescape())
            part = EMPTY.sub(r'\1<span class="unseen">row</span>\2', part)
            part = f'<div class="table" role="region" tabindex="0" aria-label="{label}">{part}</div>'
        made.append(part)
    shown = f'</h1>\n<nav aria-label="Contents"><ul>{"".join(contents)}</ul></nav>' if contents else "</h1>"
    return Markup("".join(made).replace("</h1>", shown, 1))


def _unique(name: str, names: set[str]) -> str:
    """A name that is new among ``names``, to which it is added; numbered if it was there, as on GitHub."""
    numbered = (f"{name}-{number}" for number in itertools.count(1))
    new = next(each for each in itertools.chain([name], numbered) if each not in names)
    names.add(new)
    return new


def _file(name: str) -> Markup:
    return Markup((files("salutary.system") / "templates" / name).read_text(encoding="utf-8"))


def _digest(script: str) -> str:
    """What a policy names a script by."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"
