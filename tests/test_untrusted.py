"""Files that somebody else may have made."""

from __future__ import annotations

import os

import pytest

from inbedder_cli.errors import InbedderError
from inbedder_cli.untrusted import (
    UnsafeFileError,
    check_folders_above,
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
    with pytest.raises(UnsafeFileError, match="x: is larger than"):
        read_regular(path, 4)


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


@pytest.fixture
def cache(tmp_path):
    """A cache folder below another one."""
    folder = tmp_path / "above" / "between" / "cache"
    folder.mkdir(parents=True)
    return folder


@posix
@pytest.mark.parametrize("mode", [0o777, 0o757, 0o2777])
def test_a_folder_above_that_others_can_write_to_is_refused(cache, mode):
    above = cache.parents[1]
    check_folders_above(cache)
    above.chmod(mode)
    with pytest.raises(
        InbedderError, match=f"other users can replace {cache}: they can write to {above}"
    ) as caught:
        check_folders_above(cache)
    assert caught.value.hint == f"chmod go-w {above}, or set INBEDDER_CACHE to another folder"
    above.chmod(mode | 0o1000)
    check_folders_above(cache)  # in a sticky folder only owners rename


@posix
@pytest.mark.parametrize("members", [[], ["me"], ["root", "me"], ["me", "other"]])
@pytest.mark.parametrize("first", ["me", "other"])
def test_a_group_of_ones_own_may_write_to_a_folder_above(cache, monkeypatch, members, first):
    """As where each user has a group of the same name, and the umask is 002."""
    import grp
    import pwd
    from types import SimpleNamespace

    if os.geteuid() == 0:
        os.chown(cache.parent, -1, 4242)  # the group of root is fine for everybody
    cache.parent.chmod(0o775)
    state = cache.parent.stat()
    users = [("root", 0, 0), ("me", state.st_uid, 1), ("other", 4321, state.st_gid if first == "other" else 5)]
    listed = [SimpleNamespace(pw_name=name, pw_uid=uid, pw_gid=gid) for name, uid, gid in users]
    monkeypatch.setattr(pwd, "getpwall", lambda: listed)
    monkeypatch.setattr(grp, "getgrgid", lambda gid: SimpleNamespace(gr_mem=members))
    if "other" in members or first == "other":
        with pytest.raises(InbedderError, match="they can write to"):
            check_folders_above(cache)
    else:
        check_folders_above(cache)


@posix
def test_links_on_the_way_to_the_cache_are_looked_at(cache, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "link").symlink_to("../above/between")
    check_folders_above(shared / "link" / "cache")
    shared.chmod(0o777)
    with pytest.raises(InbedderError, match=f"they can write to {shared}"):
        check_folders_above(shared / "link" / "cache")
    (tmp_path / "mine").symlink_to("shared/link")
    with pytest.raises(InbedderError, match=f"they can write to {shared}"):
        check_folders_above(tmp_path / "mine" / "cache")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give folders away")
def test_a_folder_above_of_another_user_is_refused_but_to_root(cache, monkeypatch):
    os.chown(cache.parent, 12345, 12345)
    check_folders_above(cache)  # root in a container, in a folder of the user who started it
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    with pytest.raises(InbedderError, match=r"which belongs to another user \(uid 12345\)"):
        check_folders_above(cache)
    os.chown(cache.parent, 54321, 12345)
    check_folders_above(cache)
