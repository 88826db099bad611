"""Scripts followed here print what a real ``sh`` prints."""

import subprocess
from collections.abc import Mapping

import pytest

from builder.debian.effects.condition import CONDITIONS
from builder.debian.effects.file_commands import FILE_COMMANDS
from builder.debian.effects.listing_commands import LISTING_COMMANDS
from builder.debian.effects.package_queries import Packages, package_queries
from builder.debian.effects.shell import Shell
from builder.debian.effects.shell_builtins import SHELL_BUILTINS
from builder.debian.effects.shell_call import Command
from builder.debian.effects.shell_parse import parse
from builder.debian.effects.shell_words import ScriptError
from builder.debian.effects.text_commands import TEXT_COMMANDS
from layers.entries import DirEntry, FileEntry
from tests.debian.effects.mutable_roots import of

_COMMANDS: Mapping[str, Command] = {
    **FILE_COMMANDS,
    **TEXT_COMMANDS,
    **LISTING_COMMANDS,
    **CONDITIONS,
    **SHELL_BUILTINS,
}
_COMMANDS = {**_COMMANDS, **package_queries("p", "arm64", Packages(versions={"p": "2", "q": "1"}))}

_SCRIPTS = [
    "echo one; echo two # three",
    "a=1 b='two words'; echo $a $b \"$b\" '$b' \"\\$b\" \\$b",
    "a='x  y'; for w in $a \"$a\" z; do echo \"<$w>\"; done",
    "f() { echo \"$# $1 $2\"; return 3; }; f a 'b c' || echo $?",
    "set -- a 'b c' d; for w in \"$@\"; do echo \"$w\"; done; for w; do echo $w; done; echo \"$*\"",
    "set -- a b c; shift; echo $1 $#; shift 2; echo $#",
    "if false; then echo 1; elif true; then echo 2; else echo 3; fi",
    "case configure in install|upgrade) echo 1;; conf*) echo 2;; *) echo 3;; esac",
    "case x in (y) echo 1 ;; esac; case 'a*' in 'a*') echo quoted;; esac",
    "case ab in 'a*') echo no;; a*) echo yes;; esac",
    "i=0; while [ $i -lt 3 ]; do i=$(expr $i + 1); [ $i = 2 ] && continue; echo $i; done",
    'until test -n "$x"; do x=1; echo once; done',
    "for i in 1 2 3; do [ $i = 2 ] && break; echo $i; done; echo end",
    "cat <<EOF\nvalue $HOME_NOT \\$x `echo in` $(echo out)\nEOF\necho after",
    "x=1; cat <<'EOF'; echo same\n$x \\$x\nEOF\necho next",
    "cat <<-EOF\n\ttabs\n\tgo\n\tEOF\necho done",
    "echo ${u:-unset} ${u-u} ${u:=now} $u ${u:+then} ${#u}",
    "p=/a/b.tar.gz; echo ${p##*/} ${p%.*} ${p%%.*} ${p#*/} ${q%x}.",
    '(x=1; echo $x); echo "[$x]"; { y=2; }; echo $y',
    'x=$(echo a; echo b); echo "$x"; echo $x; echo `echo back`',
    "true && echo a || echo b; false && echo a || echo b; ! true || echo c",
    "printf '%s-%s\\n' a b; printf 'no newline'; echo",
    'echo a b c | while read x y; do echo "$y $x"; done',
    "printf 'a:1\\nb:2\\n' | grep '^b' | cut -d: -f2",
    "echo root | grep -q roo && echo found; echo x | grep -v x || echo none",
    "echo 'a+b' | grep 'a+b'; echo ab | grep -E 'a|c'",
    "echo 'a.b' | grep -F a.b; echo ab | grep -x a || echo no",
    "[ -z '' ] && [ ! -n '' ] && [ a != b ] && [ 2 -gt 1 -a 1 -le 1 ] && echo yes",
    "[ a = b -o c = c ] && echo or; test ! a = a || echo not; [ '(' = '(' ] && echo same",
    "basename /a/b.c .c; dirname /a/b/c; basename /a/b/",
    "eval 'x=5; echo $x'; export Y=6; echo $Y; unset Y; echo [$Y]",
    "echo one > /dev/null; echo two >&2; echo three 2>/dev/null",
    "f() { local v=1; echo $v; }\nf\ng () (\n echo sub\n)\ng",
    "if [ x = x ] &&\n   [ y = y ]; then\n echo joined \\\n  line\nfi",
    "echo a#b '#c' # d\necho \"e # f\"",
    "seq 3 -1 1; seq 2",
    'echo "$(echo "in)ner")" "${x:-"a b"}"',
    "exit_early() { exit 4; }; echo before; (exit_early; echo no); echo $?; exit 0; echo never",
    "printf 'x y z\\n' | awk '{print $2}'; printf abc | md5sum",
    "echo $((1+2*3)) $(( (7 - 2) / 2 )) $((7 % 3)) $((2 > 1)) $((-7 / 2)) $((010 + 0x1f))",
    "i=2; echo $((i * i)) $(($i + 1)) $((i == 2 ? 5 : 6)) $((!i)) $((1 << 4 | 1))",
    "printf '%s\\n' a b c; printf '%s-%d;' x 1 y 2",
    "printf '%5s|%-4s|%03d\\n' a b 7; printf '%%\\n'",
    "printf 'abc\\nabd\\n' | grep -c a; echo abab | grep -o b; echo abc | grep -w a || echo none",
    "printf 'a.b\\nab\\n' | grep -Fx a.b; printf 'A\\nb\\n' | grep -ivq b && echo other",
    "echo 'a{2}' | grep 'a{2}'",
    "echo aa | grep -E '^a{2}$'; echo 'x]' | grep '[]]'; echo a | grep '^*a' || echo no",
    "echo a:b | cut -d: -f5; echo ab | cut -d: -f2",
    "echo ab | cut -s -d: -f2; echo a:b:c | cut -d: -f2-",
    "echo abcd | cut -c2-3",
    "expr 2 '*' 3; expr 7 / 2; expr 3 - 3 || echo zero; expr 2 '<' 10; expr b = b",
    "printf 'b\\na\\nb\\n' | sort | uniq",
    "printf '10\\n9\\n' | sort -n; printf 'a\\nb\\n' | sort -r",
    "seq 5 | head -n 2; seq 5 | tail -n 2; seq 5 | tail -n +4; seq 5 | head -1; seq 3 | wc -l",
    "echo aBc | tr a-z A-Z; echo a-b | tr -d -; echo 'a  b' | tr -s ' '; echo a b | tr ' ' '\\n'",
    "echo abcb | sed 's/b/x/'; echo abcb | sed -e 's|b|[&]|g' -e 's/^/> /'",
    "seq 4 | sed -n '2p;/4/p'",
    "seq 4 | sed '/2/d;$d'; seq 3 | sed '2!d'; echo 'k = v' | sed -E 's/(.*) = (.*)/\\2-\\1/'",
    "m=a; f() { local m=b; }; f; echo $m; g() { local m; m=c; h; }; h() { echo $m; }; g; echo $m",
    "echo a | while read l; do exit 3; done; echo $?; x=1 | x=2; echo [$x]; (exit 4); echo $?",
    "set -e; if true; then false && true; fi; { false && true; }; ! true; echo here",
    "f() { false; echo in; }; set -e; f || echo or; f && echo and",
    "IFS=:; set -- $(echo a:b::c); echo $#; IFS=: read x y <<EOF\na:b:c\nEOF\necho $x $y",
    "X=1 eval 'echo $X'; cd /no/such 2>/dev/null || echo missing; cd /; pwd",
    "for i in 1 2; do for j in 1 2; do [ $j = 2 ] && continue 2; echo $i$j; done; done",
    "x=abc; echo 'a\\tb'; trap 'echo bye' EXIT; echo [ ${x%c} ]",
    "[ x -eq 1 ] 2>/dev/null || echo $?",
    'while read a b; do echo "$b"; done <<EOF\n1 2 3\n4  5\nEOF',
    "echo a | (read x; echo $x); dirname /a; dirname a; dirname /a/b/; basename /; cat </dev/null",
    "set -e; umask 022; : nothing; trap 'echo' EXIT INT; trap - EXIT; echo fine",
]  # fmt: skip


def follow(script: str, **environment: str) -> Shell:
    files = of({"etc/passwd": b"root:x:0:0::/:/bin/sh\n"}, DirEntry(path="tmp"))
    shell = Shell(files=files, commands=_COMMANDS, environment=environment)
    shell.run(script)
    return shell


@pytest.mark.parametrize("script", _SCRIPTS)
def test_a_script_prints_what_sh_prints(script: str) -> None:
    real = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    shell = Shell(files=of(), commands=_COMMANDS)
    assert shell.run(script) == real.stdout
    assert shell.wants == []


@pytest.mark.parametrize(
    "script",
    [
        *("if true; then echo", "echo 'open", 'echo "open', "case x in", "cat <<EOF\nno end"),
        *("fi", "echo $(open", "for 1 in a; do :; done", "}", ")"),
    ],
)
def test_what_sh_refuses_is_refused(script: str) -> None:
    shells = [
        subprocess.run([name, "-n", "-c", script], capture_output=True, check=False)
        for name in ("sh", "bash")
    ]
    assert any(real.returncode != 0 or b"warning" in real.stderr for real in shells)
    with pytest.raises(ScriptError):
        parse(script)


@pytest.mark.parametrize(
    ("versions", "holds"),
    [
        *(("1.0 lt 2.0", True), ("1.0-1 ge 1.0-2", False), ("1:1 gt 2", True), ("1~ lt 1", True)),
        *(("'' lt 1", True), ("'' lt-nl 1", False), ("'' le 1", True), ("'' ge-nl 1", True)),
        *(("'' eq ''", True), ("1 eq 1", True), ("1 '<<' 2", True), ("2 '>=' 3", False)),
    ],
)
def test_versions_compare_as_dpkg_does(versions: str, holds: bool) -> None:  # noqa: FBT001
    real = subprocess.run(["sh", "-c", f"dpkg --compare-versions {versions}"], check=False)
    assert (real.returncode == 0) == holds
    assert (follow(f"dpkg --compare-versions {versions}").status == 0) == holds


def test_an_unknown_command_is_written_down_with_its_words() -> None:
    shell = follow('x="a b"; frobnicate --now "$x" $x | cat')
    assert shell.wants == ["frobnicate --now a b a b"]


def test_what_an_unknown_command_prints_is_unknown_where_it_is_used() -> None:
    shell = follow("for one in $(frobnicate); do tell $one; done; echo $(frobnicate) > /etc/x")
    assert shell.wants == ["frobnicate", "depends on: for one in …", "> /etc/x"]
    assert shell.files.added == ()


def test_what_is_not_reached_is_not_wanted() -> None:
    shell = follow('if [ "$1" = triggered ]; then frobnicate; fi; false && frobnicate; exit; x')
    assert shell.wants == []


def test_a_loop_without_end_is_given_up() -> None:
    for endless in ("while true; do :; done", "f() { f; }; f", "until false; do echo; done"):
        with pytest.raises((ScriptError, RecursionError)):
            follow(endless)


def test_a_program_that_is_a_script_is_followed_too() -> None:
    program = b"#!/bin/sh\nset -e\necho $1 > /etc/it\nfrobnicate\n"
    files = of({"etc/x": b""}, FileEntry.of("usr/sbin/configure-it", program, mode=0o755))
    shell = Shell(files=files, commands=_COMMANDS)
    shell.run("configure-it now")
    assert files.read("etc/it") == b"now\n"
    assert shell.wants == ["frobnicate"]
