"""Pages as files: what is in them without a browser; tests/labeling/test_pages_in_browser.py opens them."""

import base64
import hashlib
import re

import pytest
from markupsafe import Markup

from salutary.system.html import anchor, arranged, document


def test_the_policy_names_the_one_script_that_there_is():
    page = document("A & B", "<h1>Title</h1>")
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    assert "default-src 'none'; img-src data:;" in page
    assert "<title>A &amp; B</title>" in page
    assert not re.search(r"<link|src=\"(?!data:)|url\(|@import", page)


def test_sections_are_listed_and_tables_named():
    body = "<h1>T</h1><h2>One &amp; two</h2><table>1</table><h3>Within</h3><table>2</table><h2>Three</h2>"
    region = '<div class="table" role="region" tabindex="0" aria-label='
    assert arranged(Markup(body)) == (
        '<h1>T</h1>\n<nav aria-label="Contents"><ul><li><a href="#one--two">One &amp; two</a></li>'
        '<li><a href="#three">Three</a></li></ul></nav><h2 id="one--two">One &amp; two</h2>'
        f'{region}"table 1, One &amp; two"><table>1</table></div>'
        '<h3 id="within">Within</h3>'
        f'{region}"table 2, Within"><table>2</table></div>'
        '<h2 id="three">Three</h2>'
    )


def test_headings_of_one_name_have_ids_of_their_own():
    found = re.findall(r'id="([^"]*)"', arranged("<h2>Cat</h2><h3>Cat</h3><h2>!</h2><h2>?</h2>"))
    assert len(found) == len(set(found)) == 4 and found[0] == "cat" and all(found)


def test_a_heading_without_words_is_read_out():
    shown = arranged('<table><thead><tr><th scope="col"></th><th>a</th></tr></thead></table>')
    assert '<th scope="col"><span class="unseen">row</span></th><th>a</th>' in shown


def test_a_body_without_sections_has_no_contents():
    assert "<nav" not in arranged("<h1>T</h1><p>x</p>")


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Tables 1 and 4, figure 2: ten", "tables-1-and-4-figure-2-ten"),
        ("L + V", "l--v"),
        ("Äpfel_x", "äpfel_x"),
    ],
)
def test_anchors_are_those_of_github(title, name):
    assert anchor(title) == name
