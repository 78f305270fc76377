"""Files that somebody else may have made."""

from __future__ import annotations

import os

import pytest

from inbedder_cli.errors import InbedderError
from inbedder_cli.untrusted import (
    UnsafeFileError,
    check_private,
    check_private_file,
    check_regular,
    open_regular,
    read_regular,
)

posix = pytest.mark.skipif(os.name == "nt", reason="owners, modes and pipes are of POSIX")


def test_a_file_is_read_up_to_its_limit(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"12345")
    assert read_regular(path, 5) == b"12345"
    assert check_regular(path) == 5
    for read in (read_regular, check_regular):
        with pytest.raises(UnsafeFileError, match="x: is larger than"):
            read(path, 4)


@posix
def test_only_regular_files_are_opened_and_none_is_waited_for(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link to a pipe").symlink_to("pipe")
    with pytest.raises(UnsafeFileError, match="link: is a link"):
        check_regular(tmp_path / "link")
    with open_regular(tmp_path / "link", follow_links=True) as stream:
        assert stream.read() == b"12345"
    for odd in (tmp_path, tmp_path / "pipe", tmp_path / "link to a pipe", tmp_path.joinpath("/dev/zero")):
        with pytest.raises(UnsafeFileError, match="is not a regular file"):
            check_regular(odd, follow_links=True)
    with pytest.raises(FileNotFoundError):
        check_regular(tmp_path / "missing")


@posix
@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777, 0o1777, 0o2775])
def test_a_folder_that_others_can_write_to_is_refused(tmp_path, mode):
    folder = tmp_path / "a folder"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(InbedderError, match="other users can write to") as caught:
        check_private(folder)
    assert f"chmod -R go-w '{folder}'" in caught.value.hint
    folder.chmod(0o755)
    check_private(folder)


@posix
def test_a_link_that_another_user_made_is_refused_though_it_names_ones_own_folder(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can give links away")
    (tmp_path / "own").mkdir()
    link = tmp_path / "link"
    link.symlink_to("own")
    check_private(link)
    os.lchown(link, 12345, 12345)
    with pytest.raises(InbedderError, match="belongs to another user"):
        check_private(link)


@posix
def test_what_another_user_owns_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.touch(0o600)
    check_private_file(file)
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    with pytest.raises(InbedderError, match=f"belongs to another user .uid {mine}."):
        check_private_file(file)
