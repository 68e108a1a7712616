"""What is to be told of a pool, gathered by many processes: each chunk's, as JSON, in any order."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable

from salutary.tables.features import Features
from salutary.tables.findings import Findings
from salutary.tables.reading import Reading

COUNTED = ("values", "unseen", "empty")


def of_chunk(features: Features, found: Findings, start: int) -> bytes:
    """Of the rows from number ``start`` on that ``features`` has transformed, and what was ``found``."""
    facts: dict = {name: dict(getattr(features, name)) for name in COUNTED}
    facts["n_rows"] = features.n_rows
    facts["examples"] = {name: [start, text] for name, text in features.examples.items()}
    facts["first_empty"] = features.first_empty
    return json.dumps(facts | {"met": found.as_lists()}).encode()


def merged(facts: Iterable[bytes]) -> bytes:
    """Of all chunks together."""
    every = [json.loads(each) for each in facts]
    together: dict = {name: dict(sum((Counter(each[name]) for each in every), Counter())) for name in COUNTED}
    together["n_rows"] = sum(each["n_rows"] for each in every)
    for name in ("examples", "first_empty"):
        pairs = [pair for each in every for pair in each[name].items()]
        together[name] = dict(sorted(pairs, key=lambda pair: pair[1], reverse=True))  # the last one stays
    met = Findings("", Reading())
    for each in every:
        met.add_lists(each["met"])
    together["met"] = met.as_lists()
    return json.dumps(together).encode()


def told(facts: bytes, features: Features, found: Findings) -> Features:
    """Fill in ``found``; gives the features as if they had transformed all rows."""
    every, features = json.loads(facts), features.fresh()
    for name in COUNTED:
        getattr(features, name).update(every[name])
    features.n_rows, features.first_empty = every["n_rows"], every["first_empty"]
    features.examples = {name: text for name, (_, text) in every["examples"].items()}
    found.add_lists(every["met"])
    return features
