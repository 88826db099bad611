"""Who answers for a file decides what is said of it."""

from pathlib import Path

import pytest

from builder.checks.finding import Severity
from builder.store.layout import Layout
from layers.entries import Entry, FileEntry, SymlinkEntry
from tests.examine.looking import annotated, file, found, image_of, key, setuid, told, with_history

SITE = "usr/local/lib/python3.12/site-packages"
SU = ("setuid", "/usr/bin/su")
TITLE = "org.opencontainers.image.title"


def record(name: str, *paths: str, site: str = SITE) -> FileEntry:
    lines = [f"{path},sha256=x,1" for path in (*paths, f"{name}.dist-info/RECORD")]
    return file(f"{site}/{name}.dist-info/RECORD", "\n".join(lines))


def test_a_program_that_nobody_answers_for_is_told(tmp_path: Path) -> None:
    assert told(tmp_path, [setuid("usr/bin/su")]) == [SU]


@pytest.mark.parametrize(
    "database",
    [
        file("var/lib/dpkg/info/util-linux.list", "/.\n/usr\n/usr/bin\n/usr/bin/su\n"),
        # Where it was before /usr was merged.
        file("var/lib/dpkg/info/util-linux.list", "/bin\n/bin/su\n"),
        file("var/lib/dpkg/info/libc6:amd64.list", "/usr/bin/su\n"),
        # A distroless image has sums alone.
        file("var/lib/dpkg/status.d/util-linux.md5sums", "0123  usr/bin/su\n"),
        file("lib/apk/db/installed", "P:shadow\nF:usr/bin\nR:passwd\nR:su\na:0:0:4755\n"),
        file("usr/lib/apk/db/installed", "P:shadow\nF:usr/bin\nR:su\n"),
        file("var/lib/rpm/rpmdb.sqlite"),
        file("usr/lib/sysimage/rpm/rpmdb.sqlite"),
    ],
    ids=lambda entry: entry.path,
)
def test_a_system_package_s_is_its_maintainer_s(database: FileEntry, tmp_path: Path) -> None:
    assert told(tmp_path, [setuid("usr/bin/su"), database]) == []


def test_what_was_copied_over_a_package_s_file_is_the_user_s(tmp_path: Path) -> None:
    database = file("var/lib/dpkg/info/util-linux.list", "/usr/bin/su\n")
    assert told(tmp_path, [database, file("usr/bin/su")], [setuid("usr/bin/su")]) == [SU]


def test_a_key_that_a_package_s_script_made_is_not_for_an_ignore_file(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    database = file("var/lib/dpkg/info/openssh-server.list", "/usr/sbin/sshd\n")
    image = image_of(layout, [database, key("etc/ssh/ssh_host_rsa_key")], [key("app/a.key")])
    made, copied = found(image, layout)
    assert made.fix.startswith("delete it in the command that makes it")
    assert copied.fix.startswith("add **/a.key to .dockerignore")


def test_rpm_does_not_answer_for_what_lies_elsewhere(tmp_path: Path) -> None:
    database = file("var/lib/rpm/rpmdb.sqlite")
    paths = ["app/x", "usr/local/bin/x"]
    assert told(tmp_path, [database, *map(setuid, paths)]) == [
        ("setuid", "/app/x"),
        ("setuid", "/usr/local/bin/x"),
    ]


def test_rpm_does_not_answer_for_secrets(tmp_path: Path) -> None:
    """Its lists are not read, so they may be the user's."""
    layout = Layout(tmp_path)
    secret = [key("etc/a.key"), file("usr/share/app/.env", "A=1"), key("var/cache/dnf/a.key")]
    others = [file("var/lib/rpm/rpmdb.sqlite"), setuid("usr/bin/su"), file("usr/lib/a.swp", "1")]
    findings = found(image_of(layout, [*secret, *others]), layout)
    assert [(each.check, each.path, each.distribution) for each in findings] == [
        ("secret", "/etc/a.key", ""),
        ("secret", "/usr/share/app/.env", ""),
    ]
    assert {each.severity for each in findings} == {Severity.WARNING}
    assert all(each.fix.startswith("delete it in the command") for each in findings)


def test_a_distribution_s_key_is_a_warning_that_names_it(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    image = image_of(layout, [key(f"{SITE}/x/a.pem"), record("My_Pkg-1.0", "x/a.pem")])
    [finding] = found(image, layout)
    assert finding.severity is Severity.WARNING
    assert (finding.check, finding.distribution) == ("secret", "my-pkg 1.0")


def test_a_record_names_files_beyond_site_packages(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    names = ("../../../bin/x", "/usr/local/share/x")
    entries = [setuid("usr/local/bin/x"), setuid("usr/local/share/x"), record("x-1.0", *names)]
    of = [finding.distribution for finding in found(image_of(layout, entries), layout)]
    assert of == ["x 1.0", "x 1.0"]


@pytest.mark.parametrize("name", ["../../../../../app/.env", "/app/.env"])
def test_a_record_does_not_answer_for_what_lies_elsewhere(name: str, tmp_path: Path) -> None:
    entries = [file("app/.env", "A=1"), record("x-1.0", name)]
    assert told(tmp_path, entries) == [("secret", "/app/.env")]


@pytest.mark.parametrize("how", ["direct_url.json", "title"])
def test_the_project_s_own_distribution_is_the_user_s(how: str, tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    entries = [key(f"{SITE}/demo/a.pem"), record("my_demo-1.0", "demo/a.pem")]
    if how == "title":
        image = annotated(image_of(layout, entries), {TITLE: "My.Demo"})
    else:
        url = '{"url": "file:///app", "dir_info": {}}'
        local = file(f"{SITE}/my_demo-1.0.dist-info/direct_url.json", url)
        image = image_of(layout, [*entries, local])
    [finding] = found(image, layout)
    assert finding.severity is Severity.ERROR
    assert finding.distribution == "my-demo 1.0"


@pytest.mark.parametrize(
    ("steps", "severity"),
    [
        (("image-builder: dependencies", "image-builder: project"), Severity.ERROR),
        (("image-builder: project", "image-builder: dependencies"), Severity.WARNING),
        (("COPY . .", "image-builder: project", "ENV A=1"), Severity.WARNING),
    ],
)
def test_distributions_in_the_project_s_layer_are_the_user_s(
    steps: tuple[str, ...], severity: Severity, tmp_path: Path
) -> None:
    layout = Layout(tmp_path)
    entries = [key(f"{SITE}/lib/a.pem"), record("lib-1.0", "lib/a.pem")]
    [finding] = found(with_history(image_of(layout, [], entries), *steps), layout)
    assert (finding.severity, finding.distribution) == (severity, "lib 1.0")


@pytest.mark.parametrize("text", ['{"url": "https://x/a.git", "vcs_info": {}}', "{", "[]"])
def test_a_distribution_from_elsewhere_is_not_the_user_s(text: str, tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    url = file(f"{SITE}/x-1.0.dist-info/direct_url.json", text)
    image = image_of(layout, [key(f"{SITE}/x/a.pem"), record("x-1.0", "x/a.pem"), url])
    [finding] = found(image, layout)
    assert finding.severity is Severity.WARNING


def interpreter(prefix: str) -> list[Entry]:
    return [
        file(f"{prefix}/lib/python3.12/os.py"),
        key(f"{prefix}/lib/python3.12/test/a.pem"),
        setuid(f"{prefix}/bin/python3.12"),
        setuid(f"{prefix}/lib/libpython3.12.so.1.0"),
        key(f"{prefix}/include/python3.12/a.pem"),
    ]


@pytest.mark.parametrize("prefix", ["usr/local", "root/.local/share/uv/python/cpython-3.12.1"])
def test_the_interpreter_s_own_tree_is_its_publisher_s(prefix: str, tmp_path: Path) -> None:
    assert told(tmp_path, interpreter(prefix)) == []


def test_what_lies_beside_an_interpreter_s_directories_is_not_its(tmp_path: Path) -> None:
    entries = [*interpreter("opt/python"), key("opt/python/share/a.pem")]
    beside = [key("opt/python/a.pem"), key("opt/python/app/b.pem")]
    assert told(tmp_path, [*entries, *beside]) == [
        ("secret", "/opt/python/a.pem"),
        ("secret", "/opt/python/app/b.pem"),
    ]


def test_what_lies_beside_a_shared_interpreter_is_not_its(tmp_path: Path) -> None:
    beside = ["usr/local/lib/python3.12/site-packages/a.pem", "usr/local/etc/b.pem"]
    findings = told(tmp_path, [*interpreter("usr/local"), *map(key, beside)])
    assert sorted(findings) == [("secret", f"/{path}") for path in sorted(beside)]


@pytest.mark.parametrize(
    ("target", "is_told"), [("/start", False), ("/home/me/.pyenv/bin/python", True)]
)
def test_a_virtual_environment_from_elsewhere_is_told(
    target: str, tmp_path: Path, *, is_told: bool
) -> None:
    link = SymlinkEntry(path="app/.venv/bin/python", target=target)
    lock = file("app/.venv/.lock", mode=0o666)
    findings = told(tmp_path, [file("app/.venv/pyvenv.cfg", "home = /usr/bin\n"), lock, link])
    venv = [("junk", "/app/.venv"), ("world-writable", "/app/.venv/.lock")]
    assert findings == (venv if is_told else [])


@pytest.mark.parametrize(
    "cache", ["root/.cache/uv", "home/me/.cache/pip", "var/lib/apt/lists", "var/cache/apk"]
)
def test_an_installer_s_cache_is_one_warning(cache: str, tmp_path: Path) -> None:
    downloads = [key(f"{cache}/{number}/a.pem") for number in range(21)]
    assert told(tmp_path, [file(f"{cache}/.git"), *downloads]) == [("junk", f"/{cache}")]


def test_a_few_marks_of_an_installer_are_nothing(tmp_path: Path) -> None:
    marks = ["root/.cache/uv/sdists-v9/.git", "var/lib/apt/lists/lock"]
    assert told(tmp_path, [file(path) for path in marks]) == []
