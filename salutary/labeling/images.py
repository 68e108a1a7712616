"""Columns and folders of pictures: what opens their tables, and what encodes them."""

from __future__ import annotations

from pathlib import Path

from salutary.encoders import FeatureCache
from salutary.encoders.image_columns import FrozenImages
from salutary.encoders.vision import frozen
from salutary.labeling.on_ray.rules import copied
from salutary.labeling.settings import LabelSettings
from salutary.system.device import Device
from salutary.tables.features import Features
from salutary.tables.files import TableFile, open_table
from salutary.tables.pictures import BadPicture, PictureFolder, WithoutBad, located

ADVICE = "; skip_bad=true goes on without it"
# Pictures that are left out are told one by one, up to so many of a file.
TOLD = 20


def encoder_of(name: str, cache_dir: str | None, device: Device) -> FrozenImages:
    """Raises SalutaryError for one that is not here, before any row is read."""
    encoder = frozen(name)
    encoder.check()
    return FrozenImages(encoder, name, FeatureCache(cache_dir, device.name), device.name, ADVICE)


def opened(role: str, asked: LabelSettings) -> TableFile:
    """The table of a setting, without rows of bad pictures if they are to be skipped.

    The columns of folders have the names that were asked for. The folders within one of a pool are
    classes if they are all called as those of the labelled rows are; else their names mean nothing.
    """
    table = _open(role, asked)
    if isinstance(table, PictureFolder) and asked.images:
        table.call(asked.images[0], asked.target, role != "pool" or _same_classes(table, asked))
    return WithoutBad(table, asked.images) if asked.skip_bad and asked.images else table


def _open(role: str, asked: LabelSettings) -> TableFile:
    return open_table(asked.files[role], asked.separator, asked.reading, copied(role, asked.backend))


def _same_classes(pool: PictureFolder, asked: LabelSettings) -> bool:
    labeled = _open("labeled", asked)
    return isinstance(labeled, PictureFolder) and pool.classes <= labeled.classes


def files_of(asked: LabelSettings) -> list[Path]:
    """The pictures, as far as they are there, that tables name and the labels depend on."""
    found = []
    for role in asked.files if asked.images else ():
        table = _open(role, asked)
        if role == "test" or isinstance(table, PictureFolder):
            continue
        for block in table.blocks(asked.images):
            for value in block.to_numpy().ravel():
                try:
                    found.append(located(value, table.folder))
                except BadPicture:
                    continue
    return [path for path in found if path.is_file()]


def findings(features: Features) -> list[str]:
    """A line that says what reads the pictures."""
    encoder, groups = features.image_encoder, features.column_groups
    if encoder is None:
        return []
    read = ", ".join(f"{name} ({len(groups[name])} features)" for name in features.schema.images)
    return [f"image_encoder={encoder.name} reads {read}"]


def skipped(table: TableFile) -> list[str]:
    """A line for each picture that is left out, or for the first ones and how many there are."""
    lines = table.skipped
    more = (
        [f"{table.path}: {len(lines):,} rows are left out; facts.json names all"] if len(lines) > TOLD else []
    )
    return [*lines[:TOLD], *more]


def pace(features: Features) -> list[str]:
    """A line that says how many pictures were encoded since it was last asked, and how fast; none for
    none.
    """
    encoder = features.image_encoder
    if not isinstance(encoder, FrozenImages) or not encoder.counted.n:
        return []
    found = encoder.count()
    rate = found.n / found.seconds
    return [f"image_encoder={encoder.name}: {found.n:,} pictures encoded, {rate:.0f} a second"]
