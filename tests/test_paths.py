"""Places for files, and who may write to them."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest

from inbedder_cli.errors import InbedderError, UsageError
from inbedder_cli.paths import (
    cache_dir,
    check_private_file,
    check_private_folder,
    expand,
    explain_full_temp,
    make_private_folder,
    no_space,
)

posix = pytest.mark.skipif(os.name == "nt", reason="owners and modes are of POSIX")


@posix
def test_folders_are_made_private_and_existing_ones_stay_as_they_are(tmp_path):
    tmp_path.chmod(0o755)
    before = os.umask(0)
    try:
        make_private_folder(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    modes = [path.stat().st_mode & 0o777 for path in (tmp_path, tmp_path / "a", tmp_path / "a" / "b")]
    assert modes == [0o755, 0o700, 0o700]
    check_private_folder(tmp_path / "a" / "b")
    make_private_folder(tmp_path / "a" / "b")


@posix
@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777, 0o1777, 0o2775])
def test_a_folder_that_others_can_write_to_is_refused(tmp_path, mode):
    folder = tmp_path / "a folder"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(InbedderError, match="other users can write to") as caught:
        check_private_folder(folder)
    assert f"chmod go-w '{folder}'" in caught.value.hint
    folder.chmod(0o755)
    check_private_folder(folder)


@posix
def test_a_link_that_another_user_made_is_refused_though_it_names_ones_own_folder(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can give links away")
    (tmp_path / "own").mkdir()
    link = tmp_path / "link"
    link.symlink_to("own")
    check_private_folder(link)
    os.lchown(link, 12345, 12345)
    with pytest.raises(InbedderError, match="belongs to another user"):
        check_private_folder(link)


@posix
def test_what_another_user_owns_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.touch(0o600)
    check_private_file(file)
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    with pytest.raises(InbedderError, match=f"belongs to another user .uid {mine}."):
        check_private_file(file)


def test_a_full_disk_is_told_with_its_space(tmp_path):
    message = no_space(tmp_path / "missing" / "file", 2_500_000)
    assert message.startswith(f"no space left on the disk of {tmp_path / 'missing' / 'file'} (")
    assert "MB free, about 2.5 MB needed)" in message


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_temporary_folder_is_named(code):
    with pytest.raises(InbedderError) as caught, explain_full_temp():
        raise OSError(code, "full")
    assert f"no space left on the disk of {tempfile.gettempdir()}" in str(caught.value)
    assert "set TMPDIR" in caught.value.hint


def test_no_usable_temporary_folder_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "missing")])
    with pytest.raises(InbedderError, match="No usable temporary directory found") as caught, explain_full_temp():
        tempfile.mkdtemp()
    assert "set TMPDIR" in caught.value.hint


def test_other_errors_stay_as_they_are():
    with pytest.raises(FileNotFoundError), explain_full_temp():
        raise FileNotFoundError(errno.ENOENT, "no such file")
    with pytest.raises(PermissionError), explain_full_temp():
        raise PermissionError(errno.EACCES, "denied")


def test_the_home_folder_is_expanded():
    assert expand("~/models") == Path.home() / "models"
    assert expand("a/~") == Path("a/~")


def test_an_unknown_user_is_a_usage_error(monkeypatch, inbedder):
    with pytest.raises(UsageError, match="~no-such-user/x: there is no such user"):
        expand("~no-such-user/x")
    monkeypatch.setenv("INBEDDER_CACHE", "~no-such-user/x")
    with pytest.raises(UsageError):
        cache_dir()
    result = inbedder("cache", "path")
    assert result.exit_code == 2
    assert "there is no such user" in result.stderr
