"""A socket's file is its owner's alone from its first moment, and no other is touched."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest

from kitetui.engine.door.unix_socket import bound


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_the_file_is_its_owners_alone_whatever_the_mask(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        bound(tmp_path / "s").close()
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600


LINUX = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the mask is the only way")


@LINUX
def test_folders_that_other_threads_make_meanwhile_keep_their_modes(tmp_path: Path) -> None:
    made: list[int] = []

    def write() -> None:
        path = tmp_path / "folder"
        while len(made) < 200:
            path.mkdir(0o700)
            made.append(path.stat().st_mode & 0o777)
            path.rmdir()

    writing = threading.Thread(target=write)
    writing.start()
    while writing.is_alive():
        bound(tmp_path / "s").close()
        (tmp_path / "s").unlink()
    assert set(made) == {0o700} and len(made) == 200


@LINUX
def test_a_path_that_is_taken_is_an_error_and_leaks_no_file(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("")
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="in use"):
        bound(tmp_path / "s")
    assert len(os.listdir("/proc/self/fd")) == before
