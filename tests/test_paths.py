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
    make_private_folder(tmp_path / "a" / "b")


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
