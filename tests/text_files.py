"""Reviews, the files that hold them, and a tiny RoBERTa with random weights and a tokenizer of its own."""

import csv

import pytest
import torch

GOOD = ["superb", "film", "with", "great", "songs", "and", "a", "fine", "cast"]
BAD = ["awful", "plot", "with", "dull", "jokes", "and", "a", "poor", "end"]


def write_csv(path, rows, header=("review", "rating")):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def write_parquet(path, rows, header=("review", "rating")):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    columns = ([value or None for value in column] for column in zip(*rows, strict=True))
    write_table(pyarrow.table(dict(zip(header, columns, strict=True))), path)
    return path


def write_tiny_roberta(folder):
    """A RoBERTa of 2 layers and 16 features that takes 64 tokens, with words as tokens."""
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

    special = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    words = Tokenizer(models.WordLevel(unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.WordLevelTrainer(special_tokens=list(special.values()), show_progress=False)
    words.train_from_iterator([*GOOD, *BAD, "The it he she was of to in not that is 's . ,"], trainer)
    words.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, model_input_names=["input_ids", "attention_mask"], **special
    )
    tokenizer.save_pretrained(folder)
    config = transformers.RobertaConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=66, type_vocab_size=1, pad_token_id=1,
        initializer_range=0.3,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.RobertaModel(config, add_pooling_layer=False).save_pretrained(folder)
