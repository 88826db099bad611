import pytest

from builder.debian.effects.effects import Unhandled, effects
from builder.debian.root import Root
from builder.debian.unpack.deb import Deb
from layers.entries import DirEntry, Entry, FileEntry, Owner, SymlinkEntry
from tests.debian.effects.mutable_roots import of
from tests.debian.roots import a_root

_ACCOUNTS = {
    "etc/passwd": b"root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/usr/sbin/nologin\n",
    "etc/group": b"root:x:0:\nshadow:x:42:\nusers:x:100:\nnogroup:x:65534:\n",
    "etc/shadow": b"root:*:19000:0:99999:7:::\n",
    "etc/gshadow": b"root:*::\n",
}


def deb(name: str, postinst: str = "", **more: str) -> Deb:
    """A package with a script; ``depends`` is a field, the rest are other control files."""
    members = {key: value.encode() for key, value in more.items() if key != "depends"}
    if postinst:
        members["postinst"] = f"#!/bin/sh\nset -e\n{postinst}\n".encode()
    control = {"Package": name, "Version": "1.0-1", "Architecture": "amd64"}
    control["Depends"] = more.get("depends", "")
    return Deb(control=control, members=members, files=())


def content(entries: tuple[Entry, ...], path: str) -> str:
    entry = next(entry for entry in entries if entry.path == path)
    assert isinstance(entry, FileEntry)
    with entry.content.open() as stream:
        return stream.read().decode()


def test_packages_are_configured_after_what_they_need() -> None:
    debs = [
        deb("aa", "echo a >> /order", depends="zz (>= 1) | yy, cc:any"),
        deb("base-files", "echo files >> /order", depends="zz"),
        deb("base-passwd", "echo passwd >> /order"),
        deb("cc", "echo c >> /order", depends="aa"),
        deb("zz", "echo z >> /order"),
    ]
    for given in (debs, debs[::-1]):
        done = effects(given, {}, Root())
        assert content(done.entries, "order").split() == ["passwd", "files", "z", "c", "a"]


def test_accounts_get_the_next_free_numbers() -> None:
    script = """
adduser --system --quiet --home /nonexistent --no-create-home --group first
addgroup --system second
adduser --system --ingroup second --home /var/lib/third --shell /bin/sh --gecos "Third,," third
adduser third users
adduser --system first
getent group second | grep -q '^second:[^:]*:102' && useradd -r -g second -d /srv fourth
groupadd --system fifth"""
    done = effects([deb("p", script)], {}, a_root(files=_ACCOUNTS))
    assert done.unhandled == ()
    assert content(done.entries, "etc/passwd").split("\n")[2:] == [
        "first:x:100:101::/nonexistent:/usr/sbin/nologin",
        "third:x:101:102:Third:/var/lib/third:/bin/sh",
        "fourth:x:102:102::/srv:/usr/sbin/nologin",
        "",
    ]
    group = content(done.entries, "etc/group")
    assert group.split("\n")[2:] == [
        "users:x:100:third",
        "nogroup:x:65534:",
        "first:x:101:",
        "second:x:102:",
        "fifth:x:103:",
        "",
    ]
    assert content(done.entries, "etc/shadow").split("\n")[1] == "first:!:::::::"
    assert content(done.entries, "etc/gshadow").split("\n")[1] == "first:!::"
    assert DirEntry(path="var/lib/third", owner=Owner(101, 102)) in done.entries
    shadow = next(entry for entry in done.entries if entry.path == "etc/shadow")
    assert isinstance(shadow, FileEntry)
    assert shadow.owner == Owner(0, 42)


def test_accounts_listed_for_systemd_are_made() -> None:
    text = b'# x\ng audio 29\nu own - "An Account" /var/lib/own\nm own audio\n'
    files = dict(of({"usr/lib/sysusers.d/own.conf": text}).packed)
    done = effects([deb("p", "systemd-sysusers own.conf")], files, a_root(files=_ACCOUNTS))
    last = "own:x:100:101:An Account:/var/lib/own:/usr/sbin/nologin"
    assert content(done.entries, "etc/passwd").split("\n")[2] == last
    assert "audio:x:29:own" in content(done.entries, "etc/group")


def test_passwords_move_to_their_own_files() -> None:
    files = dict(of({"etc/passwd": b"root:*:0:0::/:/x\n", "etc/group": b"shadow:*:42:\n"}).packed)
    done = effects([deb("passwd", "shadowconfig on")], files, Root())
    assert content(done.entries, "etc/passwd") == "root:x:0:0::/:/x\n"
    assert content(done.entries, "etc/shadow") == "root:*::0:99999:7:::\n"
    assert content(done.entries, "etc/group") == "shadow:x:42:\n"
    assert content(done.entries, "etc/gshadow") == "shadow:*::\n"
    secret = next(entry for entry in done.entries if entry.path == "etc/shadow")
    assert isinstance(secret, FileEntry)
    assert (secret.mode, secret.owner) == (0o640, Owner(0, 42))


def test_answers_are_the_defaults_and_what_config_scripts_set() -> None:
    templates = "Template: p/zone\nType: select\nDefault: UTC\n\nTemplate: p/area\nType: select\n"
    config = "#!/bin/sh\n. /usr/share/debconf/confmodule\ndb_set p/area Etc\necho no > /etc/asked\n"
    postinst = ". /usr/share/debconf/confmodule\ndb_get p/area; A=$RET\ndb_get p/zone\n"
    postinst += "ln -nsf /usr/share/zoneinfo/$A/$RET /etc/localtime\ndb_get p/none || db_stop"
    done = effects([deb("p", postinst, templates=templates, config=config)], {}, Root())
    zone = SymlinkEntry(path="etc/localtime", target="/usr/share/zoneinfo/Etc/UTC")
    assert done.entries == (zone,)


def test_an_upgrade_is_told_from_an_installation() -> None:
    script = 'echo "<$2>" > /etc/old; if dpkg --compare-versions "$2" lt 1; then touch /up; fi'
    status = b"Package: q\nVersion: 9\n\nPackage: p\nStatus: install ok installed\nVersion: 1:0-1\n"
    for root, version in ((Root(), ""), (a_root(files={"var/lib/dpkg/status": status}), "1:0-1")):
        done = effects([deb("p", script)], {"etc": DirEntry(path="etc")}, root)
        assert content(done.entries, "etc/old") == f"<{version}>\n"
        assert any(entry.path == "up" for entry in done.entries) == (not version)


def test_what_matters_and_is_not_done_is_told() -> None:
    debs = [
        deb("b", "update-rc.d b defaults\nfrobnicate --all\nfrobnicate --all"),
        deb("a", postinst="", preinst="#!/usr/bin/perl\nprint 1;\n"),
        deb("c", "if open"),
        deb("e", "f() { f; }; f"),
        deb("f", "ln -s ../../out /etc/link"),
        deb("d", "ldconfig; fc-cache -f; py3compile -p d; invoke-rc.d d start"),
        deb("ca-certificates-java", "exit 0"),
    ]
    done = effects(debs, {}, Root())
    assert done.unhandled == (
        Unhandled(package="a", wants=("preinst: #!/usr/bin/perl",)),
        Unhandled(package="b", wants=("frobnicate --all",)),
        Unhandled(package="c", wants=("postinst cannot be followed: expected then, got ''",)),
        Unhandled(package="ca-certificates-java", wants=("keytool > /etc/ssl/certs/java/cacerts",)),
        Unhandled(
            package="e", wants=("postinst cannot be followed: its functions call themselves",)
        ),
        Unhandled(
            package="f",
            wants=(
                (
                    "postinst cannot be followed: symbolic link etc/link -> ../../out "
                    "leaves the image root"
                ),
            ),
        ),
    )


def test_a_script_before_unpacking_takes_nothing_of_the_package_away() -> None:
    script = "#!/bin/sh\nrm -f /etc/p.conf\nif [ ! -e /etc/made ]; then echo x > /etc/made; fi\n"
    files = dict(of({"etc/p.conf": b"p"}).packed)
    done = effects([deb("p", preinst=script)], files, Root())
    assert [entry.path for entry in done.entries] == ["etc/made"]


@pytest.mark.parametrize(
    ("watch", "path", "want"),
    [
        (
            "/usr/share/glib-2.0/schemas libglib2.0-0/noawait",
            "usr/share/glib-2.0/schemas/x.xml",
            "glib-compile-schemas /usr/share/glib-2.0/schemas",
        ),
        (
            "/usr/lib/x/gdk-pixbuf-2.0/2.10.0/loaders libgdk",
            "usr/lib/x/gdk-pixbuf-2.0/2.10.0/loaders/x.so",
            "gdk-pixbuf-query-loaders > loaders.cache",
        ),
        ("/usr/share/fonts fontconfig/noawait", "usr/share/fonts/x.ttf", None),
        ("/usr/share/mime/packages mime", "usr/share/mimes/x.xml", None),
    ],
)
def test_packages_of_the_base_that_watch_are_told_of(watch: str, path: str, want: str) -> None:
    root = a_root(files={"var/lib/dpkg/triggers/File": f"{watch}\n".encode()})
    done = effects([deb("p")], dict(of({path: b""}).packed), root)
    package = watch.split()[1].partition("/")[0]
    assert done.unhandled == ((Unhandled(package=package, wants=(want,)),) if want else ())


def test_diversions_and_overrides_are_kept_as_dpkg_does() -> None:
    script = """
if [ -z "$(dpkg-divert --listpackage /bin/tool)" ]; then
    dpkg-divert --package p --divert /bin/tool.real --rename --add /bin/tool
fi
ln -s p /bin/tool
dpkg-divert --truename /bin/tool > /etc/true
if ! dpkg-statoverride --list /bin/p > /dev/null; then
    dpkg-statoverride --update --add root shadow 2755 /bin/p
fi"""
    files = dict(of({"bin/tool": b"t", "bin/p": b"p"}).packed)
    done = effects([deb("p", script)], files, a_root(files=_ACCOUNTS))
    assert done.unhandled == ()
    assert content(done.entries, "var/lib/dpkg/diversions") == "/bin/tool\n/bin/tool.real\np\n"
    assert content(done.entries, "var/lib/dpkg/statoverride") == "root shadow 2755 /bin/p\n"
    assert content(done.entries, "bin/tool.real") == "t"
    assert content(done.entries, "etc/true") == "/bin/tool.real\n"
    tool = next(entry for entry in done.entries if entry.path == "bin/p")
    assert isinstance(tool, FileEntry)
    assert (tool.mode, tool.owner) == (0o2755, Owner(0, 42))


def test_configuration_made_from_a_template_stays_where_one_stands() -> None:
    files = dict(of({"usr/share/p/a": b"new\n", "etc/old": b"old\n"}).packed)
    script = "for to in new old; do ucf --three-way /usr/share/p/a /etc/$to; ucfr p /etc/$to; done"
    done = effects([deb("p", script)], files, Root())
    assert content(done.entries, "etc/new") == "new\n"
    assert "etc/old" not in {entry.path for entry in done.entries}


def test_shells_of_packages_are_listed_by_all_their_paths() -> None:
    files = dict(
        of(
            {
                "bin": "usr/bin",
                "etc/x": b"",
                "usr/bin/sh": b"",
                "usr/share/debianutils/shells": b"# shells\n/bin/sh\n",
                "usr/share/debianutils/shells.d/bash": b"/bin/bash\n",
            }
        ).packed
    )
    script = "cp -p /usr/share/debianutils/shells /etc/shells; update-shells"
    done = effects([deb("p", script)], files, Root())
    shells = "/bin/sh\n/usr/bin/sh\n/bin/bash\n/usr/bin/bash\n"
    assert content(done.entries, "etc/shells") == f"# shells\n{shells}"
    assert content(done.entries, "var/lib/shells.state") == shells


def test_pam_stacks_are_made_from_the_profiles() -> None:
    profile = b"Name: Unix\nDefault: yes\nPriority: 256\nAuth-Type: Primary\nAuth:\n"
    profile += b"\t[success=end default=ignore]\tpam_unix.so try_first_pass\nAuth-Initial:\n"
    profile += b"\t[success=end default=ignore]\tpam_unix.so nullok\nSession-Type: Additional\n"
    profile += b"Session:\n\trequired\tpam_unix.so\n"
    other = profile.replace(b"256", b"9").replace(b"pam_unix", b"pam_own").replace(b"Unix", b"Own")
    kinds = ("account", "auth", "password", "session", "session-noninteractive")
    texts = {
        f"usr/share/pam/common-{kind}": f"# {kind}\n${name}_primary\nX\n${name}_additional\n"
        for kind in kinds
        for name in [kind.replace("-noninteractive", "_nonint")]
    }
    texts |= {"usr/share/pam-configs/own": other.decode(), "usr/share/pam-configs/unix": ""}
    files = of(
        {path: text.encode() for path, text in texts.items()}
        | {
            "usr/share/pam-configs/unix": profile,
            "usr/share/pam-configs/off": profile.replace(b"yes", b"no"),
        }
    )
    done = effects([deb("p", "pam-auth-update --package")], dict(files.packed), Root())
    assert content(done.entries, "etc/pam.d/common-auth") == (
        "# auth\n"
        "auth\t[success=2 default=ignore]\tpam_unix.so nullok\n"
        "auth\t[success=1 default=ignore]\tpam_own.so try_first_pass\n"
        "X\n"
    )
    assert content(done.entries, "etc/pam.d/common-session") == (
        "# session\nsession\t[default=1]\t\t\tpam_permit.so\nX\n"
        "session\trequired\tpam_unix.so \nsession\trequired\tpam_own.so \n"
    )
