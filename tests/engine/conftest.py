import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Small products are faster on one thread, and round the same way everywhere."""
    torch.set_num_threads(1)
