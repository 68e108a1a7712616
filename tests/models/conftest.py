"""Real images."""

import pytest
import torch
from compositions import composed

from salutary.system.commands import build


@pytest.fixture(scope="session")
def digits(data_dir):
    """Real digits: pixels (6000, 1, 28, 28) and classes."""
    table = build(composed("dataset=mnist_small", "inputs=images", f"data_dir={data_dir}"), "dataset").load()
    return torch.tensor(table.X), torch.tensor(table.y)
