"""Saved models with the encoders of their texts and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from salutary.tables import saved_model
from salutary.tables.picture_features import ImageEncoder
from salutary.tables.saved_model import SavedModel
from salutary.tables.text_features import TextEncoder


def load_model(
    path: str | Path,
    trusted: Sequence[str] = (),
    encoder: str | None = None,
    image_encoder: str | None = None,
) -> SavedModel:
    """The model in ``model.skops``, or in the folder that ``salutary-label`` has written.

    Nothing but arrays and estimators of scikit-learn is loaded, and no pickle; further types, of a model that
    you have chosen yourself, if their names are in ``trusted``. Forests and boosting are loaded, too: trust a
    file with trees only if it is of your own making. scikit-learn does not check what trees point at, and a
    file that was made for it can crash the process; skops leaves them untrusted on purpose.

    A model that reads texts holds its encoder if that is ``tfidf``, and else the name and checksum of a
    network, which has to be here; ``encoder``: the folder, or the name on the Hugging Face Hub, if it
    is elsewhere now. ``image_encoder``: the same of pictures; paths in rows in memory are relative to
    the working directory, those in a file to its folder. Raises SalutaryError for a file that is not
    there, is damaged, holds anything else or is no model of ``salutary-label``, and for an encoder that
    is not here or has other weights.
    """

    def encoder_of(noted: Mapping[str, Any]) -> TextEncoder:
        from salutary.encoders.columns import encoder_of  # PyTorch, which models of tables do without

        return encoder_of(noted, encoder)

    def image_encoder_of(noted: Mapping[str, Any]) -> ImageEncoder:
        from salutary.encoders.image_columns import encoder_of

        return encoder_of(noted, image_encoder)

    return saved_model.load_model(path, trusted, encoder_of, image_encoder_of)
