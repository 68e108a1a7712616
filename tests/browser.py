"""A real browser for pages: Chromium, driven by Playwright; `make test-browser` brings all but Chromium."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
AXE = Path(__file__).parents[1] / ".venv" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
WIDE, NARROW = {"width": 1200, "height": 900}, {"width": 360, "height": 740}


@contextmanager
def chromium() -> Iterator:
    """Playwright's browser; the test is skipped where something is missing."""
    playwright = pytest.importorskip("playwright.sync_api")
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None or not AXE.exists():
        pytest.skip("Chromium or axe-core is missing: `make test-browser`")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Seen:
    """A page that is open, what it said on the console and what it asked for beside itself."""

    page: object
    told: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@contextmanager
def opened(browser, path: Path, **context) -> Iterator[Seen]:
    """The page from file://, in a context of its own."""
    made = browser.new_context(**{"viewport": WIDE, **context})
    try:
        seen = Seen(made.new_page())
        seen.page.on("console", lambda message: seen.told.append(message.text))
        seen.page.on("pageerror", lambda error: seen.told.append(str(error)))
        seen.page.on("request", lambda request: seen.requests.append(request.url))
        seen.page.goto(path.as_uri())
        own = path.as_uri()
        seen.requests = [url for url in seen.requests if url != own and not url.startswith("data:")]
        yield seen
    finally:
        made.close()


def violations(browser, path: Path, **context) -> list[str]:
    """What axe-core finds on a page, moderate findings and worse."""
    with opened(browser, path, bypass_csp=True, **context) as seen:
        seen.page.evaluate(AXE.read_text())
        found = seen.page.evaluate("axe.run()")["violations"]
    return [
        f"{each['impact']}: {each['id']}: {each['nodes'][0]['html']}"
        for each in found
        if each["impact"] != "minor"
    ]


def opens_by_itself(browser, path: Path) -> str:
    """The page's title. It asks for nothing and complains of nothing, its script runs under its own policy,
    and its contents lead to its sections.
    """
    with opened(browser, path) as seen:
        assert seen.page.locator("th button").count()
        assert seen.told == [] and seen.requests == []
        for link in seen.page.locator("nav a").all():
            link.click()
            assert seen.page.locator(":target").inner_text() == link.inner_text()
        return seen.page.title()


def table(page, heading: str):
    """The region of the only table below a heading, and its controls if there are any."""
    region = page.locator(f'.table[aria-label$=", {heading}"]')
    return region, page.locator(".controls").filter(has=page.get_by_label(f", {heading}"))


def shown(region) -> list[list[str]]:
    """The cells of the rows that can be seen."""
    rows = "rows => rows.filter(r => r.offsetParent).map(r => [...r.cells].map(c => c.innerText.trim()))"
    return region.locator("tbody tr").evaluate_all(rows)


def not_on_paper(browser, path: Path, folder: Path) -> tuple[list[str], int]:
    """Words of a page, in all rows of its tables, that its PDF lacks inside the edges of its sheets; and how
    many words there are.
    """
    pdfium = pytest.importorskip("pypdfium2")
    with opened(browser, path) as seen:
        words = seen.page.locator("h1, h2, h3, p:not(.gallery), li, th, td, figcaption").evaluate_all(
            "parts => parts.map(part => part.textContent)"
        )
        seen.page.pdf(path=folder / "page.pdf")
    document = pdfium.PdfDocument(folder / "page.pdf")
    printed = "".join(sheet.get_textpage().get_text_bounded() for sheet in document)
    there = _letters(printed)
    wanted = [word for text in words for word in text.split()]
    return [word for word in wanted if _letters(word) not in there], len(wanted)


def _letters(text: str) -> str:
    """Without spaces and hyphens, which a PDF tells otherwise at the ends of lines."""
    return "".join(re.sub("[-\ufffe\x02\xad]", "", text).split())
