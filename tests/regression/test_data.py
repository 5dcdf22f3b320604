"""What is said of archives that do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgelearn.data import load_dataset
from edgelearn.errors import InputError
from tests.support.nets import Net


@pytest.mark.parametrize(
    ("rows", "advice"),
    [(np.eye(3)[[0, 1, 2, 0]], "argmax"), (np.linspace(-2.5, 3, 12).reshape(4, 3), "--loss mse trains on such rows")],
)
def test_rows_of_real_numbers_are_no_labels_in_disguise(rows: np.ndarray, advice: str, tmp_path: Path) -> None:
    """Whoever came with a regression was told to take the argmax of what should be predicted."""
    net = Net((5,))
    net.dense(3)
    x, y = np.zeros((4, 5), np.float32), rows.astype(np.float32)
    path = tmp_path / "rows.npz"
    np.savez(path, x_train=x, y_train=y, x_test=x, y_test=y)
    with pytest.raises(InputError) as caught:
        load_dataset(path, net.graph(), "cross-entropy")
    said = " ".join(caught.value.details)
    assert advice in said
    assert ("argmax" in said) != ("mse" in said)
