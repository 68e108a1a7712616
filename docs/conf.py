"""The documentation site: ``make docs``. Sphinx reads pages where they are, from the top of the checkout."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
sys.path.insert(0, str(HERE.parent))

import salutary  # noqa: E402

project = "salutary"
author = "the salutary authors"
version = release = salutary.__version__
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "myst_parser",
    "sphinx_design",
    "house_docstrings",
    "generated_pages",
]
root_doc = "docs/index"
include_patterns = [
    *("docs/**/*.md", "docs/*.md", "benchmarks/*.md", "examples/*.md", "CHANGELOG.md", "CONTRIBUTING.md"),
]
exclude_patterns = [".*", "build", "dist", "outputs", "shared", "**/__pycache__"]
nitpicky = True
# Types of other libraries, whose inventories are not fetched, and of the house's inner rooms, in signatures.
nitpick_ignore_regex = [
    ("py:class", r"(collections|pathlib|np|numpy|torch|pandas|scipy|sklearn|skactiveml|matplotlib)\..*")
]
nitpick_ignore = [
    ("py:class", "Tensor"),
    ("py:class", "dict[str"),  # Sphinx cuts the types of attributes at commas
    ("py:class", "tuple[str"),
    ("py:class", "salutary.analysis.metrics.Metric"),
    ("py:class", "salutary.analysis.statistics.Ranks"),
    ("py:class", "salutary.engine.objective.Buckets"),
    ("py:class", "salutary.engine.soft_loss.SoftLoss"),
    ("py:class", "salutary.integrations.run._Ended"),
    ("py:class", "salutary.strategies.M"),
    ("py:class", "salutary.strategies.track.Rows"),
    ("py:class", "salutary.system.device.Device"),
    ("py:class", "salutary.tables.columns.Columns"),
    ("py:class", "salutary.tables.features.Features"),
    ("py:class", "salutary.tables.groups.Groups"),
    ("py:class", "salutary.tables.picture_features.ImageEncoder"),
    ("py:class", "salutary.tables.text_features.TextEncoder"),
]

autosummary_generate = False  # tables on top of each page; what they list is on the page itself
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 100
add_module_names = False
toc_object_entries_show_parents = "hide"
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 5
highlight_language = "text"  # of blocks that name none: commands and what they print

html_theme = "pydata_sphinx_theme"
html_title = f"salutary {release}"
html_static_path = ["_static"]
html_extra_path = ["_extra"]
html_css_files = ["site.css"]
templates_path = ["_templates"]
html_sidebars = {page: [] for page in ("docs/tutorial/index", "CHANGELOG")}  # sections of none
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": f"salutary {release}"},
    "show_prev_next": False,
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "header_links_before_dropdown": 6,
    "footer_start": ["version"],
    "footer_end": ["theme-version"],
}
