"""Commands on files leave what the real ones leave in a directory of this machine."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from builder.debian.effects.mutable_root import MutableRoot
from builder.debian.effects.scripts import Subject, follow
from layers.entries import DirEntry, FileEntry, HardLinkEntry, Owner, SymlinkEntry, WhiteoutEntry
from tests.debian.effects.mutable_roots import of, of_directory
from tests.debian.roots import a_root

_SCRIPTS = [
    "mkdir -p $R/a/b; mkdir -m 1777 $R/a/c; mkdir $R/a/c || echo no > $R/x",
    "install -d -m 2755 $R/d/e; install -m 600 $R/etc/conf $R/d/copy; install -d $R/etc",
    "chmod 4755 $R/bin/tool; chmod u-s,g+w,o=r $R/bin/tool; chmod a+x $R/etc/conf",
    "chmod go-rwx $R/etc; chmod +X $R/etc/conf; chmod -R g+w $R/share",
    "ln -s ../etc/conf $R/bin/link; ln -sf other $R/bin/link; ln -s $R/x $R/bin/link || :",
    "ln -s here $R/share; ln -nsf new $R/to-share; ln -sf into $R/to-share",
    "cp -p $R/etc/conf $R/etc/copy; cp $R/bin/tool $R/share; cp -n $R/bin/tool $R/etc/copy",
    "mv $R/etc/conf $R/etc/moved; mv -f $R/etc/moved $R/share; mv $R/to-share $R/moved-link",
    "rm -f $R/nothing $R/etc/conf; rm -rf $R/share; rm $R/to-share; rmdir $R/share || :",
    "touch $R/new $R/etc/conf; umask 077; touch $R/secret; echo x > $R/hidden; mkdir $R/mine",
    "echo one > $R/n; echo two >> $R/n; cat $R/n $R/etc/conf > $R/m; : > $R/n",
    "cat > $R/doc <<EOF\nvalue $(basename $R/etc/conf)\nEOF\nprintf 'a\\tb\\n' >> $R/doc",
    "cd $R/etc && touch relative && mkdir -p sub/dir && echo $(cat conf) > sub/dir/text",
    "for f in $R/share/*.txt; do echo $(basename $f) >> $R/list; done",
    "[ -L $R/to-share ] && [ -d $R/to-share ] && [ ! -L $R/etc ] && echo yes > $R/answer",
    "[ -x $R/bin/tool ] && [ ! -x $R/etc/conf ] && [ -s $R/etc/conf ] && touch $R/tested",
    "if cmp -s $R/etc/conf $R/share/a.txt; then touch $R/same; else touch $R/other; fi",
    "echo link > $R/share/linked; touch $R/share/dangling; readlink $R/to-share > $R/target",
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for directory in ("etc", "bin", "share"):
        (root / directory).mkdir(parents=True)
        (root / directory).chmod(0o755)
    for name, mode in (("etc/conf", 0o644), ("bin/tool", 0o755), ("share/a.txt", 0o640)):
        (root / name).write_text(f"{name}\n")
        (root / name).chmod(mode)
    (root / "share/b.txt").write_text("")
    (root / "share/b.txt").chmod(0o644)
    (root / "to-share").symlink_to("share")
    (root / "share/linked").symlink_to("../etc/conf")
    return root


def told(files: MutableRoot) -> dict[str, object]:
    found: dict[str, object] = dict(files.files.symlinks)
    for path, mode in files.files.files.items():
        found[path] = (mode, files.read(path))
    for path, entry in files.files.directories.items():
        found[path] = entry.mode
    return found


def there(root: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for path in root.rglob("*"):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if path.is_symlink():
            value: object = str(path.readlink()).replace(str(root), "")
        else:
            value = mode if path.is_dir() else (mode, path.read_bytes())
        found[str(path.relative_to(root))] = value
    return found


def run(script: str, files: MutableRoot) -> tuple[str, ...]:
    subject = Subject(
        package="p",
        architecture="amd64",
        members={"postinst": b"#!/bin/sh\n" + script.encode()},
    )
    return follow("postinst", ["configure", ""], subject, files)


@pytest.mark.parametrize("script", _SCRIPTS)
def test_a_script_leaves_what_sh_leaves(tree: Path, script: str) -> None:
    files = of_directory(tree)
    assert run(script, files) == ()
    environment = {"R": str(tree), "PATH": os.environ["PATH"]}
    subprocess.run(
        ["sh", "-c", f"umask 022; {script}"], env=environment, check=False, capture_output=True
    )
    assert told(files) == there(tree)


def test_what_is_unchanged_is_not_written_again(tree: Path) -> None:
    files = of_directory(tree)
    run("chmod 755 /bin/tool; ln -sf share /to-share/../to-share; mkdir -p /etc", files)
    assert [entry.path for entry in files.added] == ["share/share"]


def test_a_change_of_owner_takes_set_id_bits_away() -> None:
    accounts = {"etc/passwd": b"app:x:7:8::/:/bin/sh\n", "etc/group": b"app:x:8:\nlp:x:9:\n"}
    tool = FileEntry.of("bin/tool", b"", mode=0o6755)
    files = of(accounts, DirEntry(path="bin"), tool)
    assert run("chown app:lp /bin/tool; chgrp app /bin; chown 5 /bin", files) == ()
    first, second = files.added
    assert first == DirEntry(path="bin", owner=Owner(5, 8))
    assert isinstance(second, FileEntry)
    assert (second.mode, second.owner) == (0o755, Owner(7, 9))


def test_all_names_of_a_file_change_together() -> None:
    link = HardLinkEntry(path="bin/z", target="bin/a", mode=0o755)
    files = of({"etc/x": b""}, FileEntry.of("bin/a", b"a", mode=0o755), link)
    run("chmod 4755 /bin/z", files)
    assert [(entry.path, getattr(entry, "mode", None)) for entry in files.added] == [
        ("bin/a", 0o4755),
        ("bin/z", 0o4755),
    ]


def test_what_a_base_or_a_package_has_is_taken_away_by_a_whiteout() -> None:
    files = MutableRoot(a_root(files={"etc/old": b""}), {"etc/new": FileEntry.of("etc/new", b"")})
    run("rm /etc/old /etc/new; touch /etc/own; rm /etc/own", files)
    assert files.added == (WhiteoutEntry(path="etc/new"), WhiteoutEntry(path="etc/old"))
    assert not files.has("etc/old")


def test_what_would_be_done_to_files_of_the_base_with_unknown_content_is_told() -> None:
    base = a_root(files={"etc/x": b""})
    files = MutableRoot(base, {})
    assert run("chmod 600 /etc/x; sed -i y/a/b/ /etc/x; cp -r /etc /y", files) == (
        "chmod 600 /etc/x",
        "sed -i y/a/b/ /etc/x",
        "cp -r /etc /y",
    )
    assert files.added == ()


def test_a_link_of_the_base_is_written_through() -> None:
    files = of({"run/real": b"a"}, SymlinkEntry(path="etc", target="run"))
    run("echo b > /etc/real; ln -s x /etc/link", files)
    assert files.read("run/real") == b"b\n"
    assert files.target("run/link") == "x"
