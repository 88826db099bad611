"""What only a run would show is told, and nothing is done that depends on it."""

import pytest

from builder.debian.effects.mutable_root import MutableRoot
from builder.debian.effects.package_queries import Packages
from builder.debian.effects.scripts import Subject, follow
from layers.entries import DirEntry, FileEntry, HardLinkEntry, SymlinkEntry
from tests.debian.effects.mutable_roots import of

_PACKAGES = Packages(
    versions={"p": "2-1", "other": "1.5"}, before={"p": "1-1"}, listed={"p": ["/usr/bin/p"]}
)


def tree() -> MutableRoot:
    files: dict[str, bytes | str] = {
        "etc/list": b"b:1\na:2\n",
        "etc/loop": "loop",
        "etc/latin": b"\xe9\n",
        "etc/wait": "wait…\n".encode(),
        "etc/passwd": b"root:x:0:0::/:/bin/sh\n",
        "usr/bin/y": b"y",
        "usr/lib/sysusers.d/p.conf": b"u foo - Foo's\n",
        "var/lib/foo/sub/f": b"f",
    }
    return of(files, DirEntry(path="tmp"), DirEntry(path="run"))


def run(script: str, files: MutableRoot, head: str = "#!/bin/sh") -> tuple[str, ...]:
    subject = Subject(
        package="p",
        architecture="arm64",
        members={"postinst": f"{head}\n{script}\n".encode()},
        packages=_PACKAGES,
    )
    return follow("postinst", ["configure", "1-1"], subject, files)


def after(script: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Wants, and the texts of files that were written (``->`` before targets of links)."""
    files = tree()
    wants = run(script, files)
    found: dict[str, str] = {}
    for entry in files.added:
        if isinstance(entry, FileEntry):
            found[entry.path] = files.text(entry.path)
        else:
            found[entry.path] = f"-> {entry.target}" if isinstance(entry, SymlinkEntry) else "gone"
            assert not isinstance(entry, HardLinkEntry)
    return wants, found


@pytest.mark.parametrize(
    ("script", "want"),
    [
        ('if [ "$(date)" = x ]; then rm -rf /var/lib/foo; fi', "depends on: [ … = x ]"),
        ('[ -z "$(date)" ] || rm -rf /var/lib/foo', "depends on: [ -z … ]"),
        ('[ -n "$(date)" ] && rm -rf /var/lib/foo', "depends on: [ -n … ]"),
        ('case "$(date)" in a) rm /etc/list;; *) touch /etc/x;; esac', "depends on: case …"),
        ("[ $(($(date) + 1)) -gt 3 ] && rm /etc/list", "depends on: [ … -gt 3 ]"),
        ("for f in $(date); do rm /etc/list; done", "depends on: for f in …"),
        ("while date; do rm /etc/list; done", "depends on: date"),
        ("date | while read x; do rm $x; done", "depends on: read x"),
        ("date | grep -q x && rm /etc/list", "depends on: grep -q x"),
        ("if stat -c %i /etc/list | grep -q 1; then rm /etc/list; fi", "depends on: grep -q 1"),
        ("find /usr -newer /etc/list | xargs rm", "xargs rm"),
        ("find /usr/bin -name y -exec rm {} +", "find /usr/bin -name y -exec rm {} +"),
        ("find /usr/bin -delete", "find /usr/bin -delete"),
        ("cat /proc/uptime > /etc/list", "> /etc/list"),
        ("useradd --system --uid ² foo", "useradd --system --uid ² foo"),
        ("systemd-sysusers p.conf", "systemd-sysusers u foo - Foo's"),
        ("[ -e /etc/loop ] && rm /etc/list", "postinst cannot be followed: /etc/loop: its"),
        ("x=aaaa; while :; do x=$x$x; done", "postinst cannot be followed: a text grows too long"),
        ("seq 1 10000000000", "postinst cannot be followed: seq 1 10000000000 is too long"),
        ("echo aa | grep -E '^(a+)+$'", "postinst cannot be followed: the expression"),
        ("set -e; false; rm /etc/list", "would have failed here: false"),
        ("set -e; cd /none; rm -rf var", "would have failed here: cd /none"),
        ("exec frobnicate; rm /etc/list", "frobnicate"),
        ("exec 3> /etc/list", "exec > /etc/list"),
        ("frobnicate && rm /etc/list", "frobnicate"),
        ("cp -b /etc/list /etc/latin", "cp -b /etc/list /etc/latin"),
        ("chown -h 5 /etc/list", "chown -h 5 /etc/list"),
        ("dpkg-maintscript-helper rm_conffile /etc/list 1~ p -- x", "dpkg-maintscript-helper rm_"),
        ("mv -n /etc/list /etc/latin", "mv -n /etc/list /etc/latin"),
        ("[ /etc/list -nt /etc/latin ] && rm /etc/list", "depends on: [ /etc/list -nt"),
    ],
)
def test_what_depends_on_a_run_is_told_and_not_done(script: str, want: str) -> None:
    wants, changed = after(script)
    assert any(one.startswith(want) for one in wants), wants
    assert changed == {}


def test_after_a_doubt_nothing_is_taken_away() -> None:
    wants, changed = after('[ "$(date)" = x ] && exit 0\nrm /etc/list\nmv /etc/latin /etc/m')
    assert wants == ("depends on: [ … = x ]", "rm /etc/list", "mv /etc/latin /etc/m")
    assert changed == {}


@pytest.mark.parametrize(
    "script",
    [
        'if [ "$(date)" = x ]; then systemctl reload p || true; fi',
        'if [ "$(date)" = x ]; then echo hello; exit 1; fi',
        "date || true",
        'x="$(date)"; echo "$x" > /dev/null',
    ],
)
def test_a_doubt_that_changes_nothing_is_not_told(script: str) -> None:
    assert after(script) == ((), {})


@pytest.mark.parametrize(
    ("script", "output"),
    [
        ("uname -m", "aarch64\n"),
        ("uname; uname -s", "Linux\nLinux\n"),
        ("dpkg --print-architecture", "arm64\n"),
        ("dpkg -s none 2>/dev/null || echo no; dpkg-query -W other", "no\nother\t1.5\n"),
        ("dpkg-query -W -f '${Status}:${Version}\\n' other", "install ok installed:1.5\n"),
        ("dpkg -s other | grep -q ^Version: && echo yes", "yes\n"),
        ("dpkg-query -l none* || echo no; dpkg -L p", "no\n/usr/bin/p\n"),
        ("dpkg-maintscript-helper rm_conffile /etc/none 1~ p -- x && echo done", "done\n"),
        ("stat -c '%a %U' /etc/list", "644 root\n"),
        ("find /var/lib/foo -type f; find /none || echo none", "/var/lib/foo/sub/f\nnone\n"),
        ("ls /var/lib/foo; ls /none || echo none", "sub\nnone\n"),
        ("cat /etc/wait; cat /dev/null", "wait…\n"),
        ("sh -c 'echo $1' x y", "y\n"),
        ("for one in /usr/*/y; do echo $one; done", "/usr/bin/y\n"),
    ],
)
def test_what_can_be_known_is_answered(script: str, output: str) -> None:
    wants, changed = after(f"{{ {script}; }} > /etc/out")
    assert (wants, changed.get("etc/out", "")) == ((), output)


@pytest.mark.parametrize(
    ("script", "changed"),
    [
        ('t=$(mktemp); sed s/b/c/ /etc/list > "$t"; cat "$t" > /etc/n', {"etc/n": "c:1\na:2\n"}),
        ("t=$(mktemp); u=$(mktemp); [ $t != $u ] && echo a > $t && mv $t /etc/n", {"etc/n": "a\n"}),
        ("echo a > /run/x; cat /run/x > /etc/n", {"etc/n": "a\n"}),
        ("t=$(mktemp -d); date > $t/x; echo a > $t/y; rm -rf $t", {}),
        ("sed -i -e s/b:/c:/ -e /a/d /etc/list", {"etc/list": "c:1\n"}),
        ("sort -u /etc/list > /etc/n", {"etc/n": "a:2\nb:1\n"}),
        ("echo /etc/list | xargs rm", {"etc/list": "gone"}),
        ("exec rm /etc/list; rm /usr/bin/y", {"etc/list": "gone"}),
        ("echo x > /etc || echo no > /etc/n", {"etc/n": "no\n"}),
        ("trap 'echo end > /etc/n' EXIT; exit 0", {"etc/n": "end\n"}),
        ("rm -rf /var/lib/foo; [ -d /var/lib/foo/sub ] && touch /etc/n",
         dict.fromkeys(("var/lib/foo", "var/lib/foo/sub", "var/lib/foo/sub/f"), "gone")),
        ("rmdir /var/lib/foo || touch /etc/n", {"etc/n": ""}),
        ("install --mode 644 /dev/null /etc/n", {"etc/n": ""}),
        ("cat /etc/latin > /etc/n; update-shells", {"etc/n": "\udce9\n"}),
    ],
)  # fmt: skip
def test_files_are_left_as_a_run_leaves_them(script: str, changed: dict[str, str]) -> None:
    assert after(script) == ((), changed)


def test_options_of_bash_are_no_arguments() -> None:
    files = tree()
    script = 'set -euo pipefail\nif [ "$1" = configure ]; then touch /etc/n; fi'
    assert run(script, files, "#!/bin/bash") == ()
    assert [entry.path for entry in files.added] == ["etc/n"]


def test_programs_share_one_budget() -> None:
    files = tree()
    for name, called in ("ab", "bc", "cd"):
        body = f"#!/bin/sh\n{f'{called}x' * 1}\n" + f"{called}x\n" * 900
        files.put(FileEntry.of(f"usr/bin/{name}x", body.encode(), mode=0o755))
    files.put(FileEntry.of("usr/bin/dx", b"#!/bin/sh\n:\n", mode=0o755))
    assert run("ax", files) == ("postinst cannot be followed: it does not come to an end",)


def test_modes_recurse_into_directories() -> None:
    files = tree()
    run("chmod -R 0700 /var/lib/foo; chmod -R 4755 /usr/bin; chmod -s,o-r /usr/bin/y", files)
    run("chmod -s /usr/bin/y", files)
    assert files.files.directories["var/lib/foo/sub"].mode == 0o700
    assert files.files.files["usr/bin/y"] == 0o751
