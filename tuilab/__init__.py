"""tuilab: a laboratory for neural-network architecture that lives in a terminal."""

__version__ = "0.1.0"
