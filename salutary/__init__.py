"""Active learning without a human: salutary labelling and the strategies it is compared with."""

__version__ = "0.2.0"
