"""A checkpoint is read as tensors and numbers: what could run when it is read is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from heimdall.errors import InputError
from heimdall.learning.run.checkpoint import AtomicCheckpointIO, read_checkpoint


class _Poison:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (str(self.mark),)


def test_a_poisoned_checkpoint_is_refused_and_nothing_of_it_runs(tmp_path: Path) -> None:
    path, mark = tmp_path / "last.ckpt", tmp_path / "ran"
    torch.save({"state_dict": {"weight": torch.ones(2)}, "callbacks": _Poison(mark)}, path)
    for read in (read_checkpoint, AtomicCheckpointIO().load_checkpoint):
        with pytest.raises(InputError, match="not a checkpoint that heimdall wrote"):
            read(path)
    assert not mark.exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 torn"])
def test_a_damaged_checkpoint_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "last.ckpt"
    path.write_bytes(content)
    with pytest.raises(InputError, match="restore the file"):
        read_checkpoint(path)
