"""Networks that are trained in no time."""

import numpy as np
import torch

from salutary.models.cnn import Cnn
from salutary.models.network import Network


def network(**settings):
    settings = {"epochs": 3, "max_steps": 12, "learning_rate": 3e-3, **settings}
    return Network(10, Cnn(width=16), **settings)


def rng():
    return np.random.default_rng(0)


def weights(model):
    return torch.cat([each.flatten() for each in model.module_.state_dict().values()]).double()
