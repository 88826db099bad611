from typing import Any

import pytest

from builder.checks.finding import Finding, Severity
from builder.checks.start.config import check_config
from builder.checks.subject import FileFacts, Inspected, Origin
from builder.rootfs.file_index import FileIndex
from layers.entries import DirEntry

PATH = "PATH=/app/.venv/bin:/usr/local/bin:/usr/bin"
SOUND: dict[str, Any] = {
    "User": "1001:1001",
    "Env": [PATH, "LANG=C.UTF-8"],
    "Cmd": ["uvicorn", "demo:app"],
    "WorkingDir": "/app",
    "ExposedPorts": {"8000/tcp": {}},
}
BASE = FileIndex.of_nodes(
    {
        "bin": "usr/bin",
        "usr": DirEntry(path="usr"),
        "usr/bin": DirEntry(path="usr/bin"),
        "usr/bin/dash": 0o755,
        "usr/bin/sh": "dash",
        "usr/bin/README": 0o644,
        "tmp": DirEntry(path="tmp", mode=0o1777),
        "loop": "loop",
    }
)
NEW = ("app/.venv/bin/uvicorn", "app/.venv/bin/python")


def part(mode: int, path: str = "app/start", origin: Origin = Origin.PROJECT) -> Inspected:
    facts = FileFacts(mode=mode, size=1)
    return Inspected(origin=origin, layer="project", files={path: facts})


def checked(
    *parts: Inspected, files: FileIndex | None = BASE, **run: Any
) -> list[tuple[str, Severity]]:
    return [(found.check, found.severity) for found in findings(*parts, files=files, **run)]


def findings(*parts: Inspected, files: FileIndex | None = BASE, **run: Any) -> list[Finding]:
    return check_config(SOUND | run, files, parts, paths=NEW)


def test_nothing_is_said_of_a_sound_image() -> None:
    assert findings(part(0o755), part(0o644, "app/main.py")) == []
    assert check_config({"User": "app", "Entrypoint": ["sh"], "Cmd": None}, BASE, ()) == []


@pytest.mark.parametrize("user", ["", None, "0", "0:0", "root", "root:root", "0:1001"])
def test_root_is_told(user: str | None) -> None:
    assert checked(User=user) == [("root-user", Severity.WARNING)]


@pytest.mark.parametrize("user", ["1001", "app", "1001:0"])
def test_others_are_not_root(user: str) -> None:
    assert checked(User=user) == []


def test_a_low_port_is_told_when_the_user_is_not_root() -> None:
    (finding,) = findings(ExposedPorts={"80/tcp": {}, "443": {}, "1024/udp": {}, "8000-8010": {}})
    assert finding.check == "privileged-port"
    assert finding.message.startswith("port 80, 443 is below 1024: ")
    assert checked(ExposedPorts={"80/tcp": {}}, User="0") == [("root-user", Severity.WARNING)]


def test_what_all_may_write_is_told_outside_of_sticky_directories() -> None:
    assert checked(part(0o666)) == [("world-writable", Severity.WARNING)]
    assert checked(part(0o666, "tmp/lock")) == []
    assert checked(part(0o1777)) == []
    assert checked(part(0o666, "tmp/lock"), files=None) == [("world-writable", Severity.WARNING)]


@pytest.mark.parametrize("mode", [0o4755, 0o2755, 0o6755])
@pytest.mark.parametrize(
    ("origin", "severity"),
    [
        (Origin.PROJECT, Severity.ERROR),
        (Origin.DISTRIBUTION, Severity.ERROR),
        (Origin.SYSTEM, Severity.WARNING),
    ],
)
def test_a_system_package_alone_may_have_setuid_programs(
    mode: int, origin: Origin, severity: Severity
) -> None:
    (finding,) = findings(part(mode, "usr/bin/su", origin))
    assert (finding.check, finding.severity) == ("setuid", severity)
    assert (finding.path, finding.layer) == ("/usr/bin/su", "project")


def test_of_one_path_the_last_file_counts() -> None:
    assert checked(part(0o4755), part(0o755)) == []
    assert checked(part(0o755), part(0o4755)) == [("setuid", Severity.ERROR)]


def test_a_directory_that_is_not_there_is_told() -> None:
    (finding,) = findings(WorkingDir="/srv")
    assert (finding.check, finding.severity) == ("missing-directory", Severity.WARNING)
    assert finding.path == "/srv"
    assert checked(WorkingDir="/loop") == [("missing-directory", Severity.WARNING)]
    assert checked(WorkingDir="/bin") == checked(WorkingDir="/") == checked(WorkingDir="") == []


def test_nothing_is_missing_where_the_files_are_not_known() -> None:
    assert checked(files=None, Cmd=["nowhere"], WorkingDir="/srv") == []


def test_known_modes_of_new_files_count() -> None:
    run = SOUND | {"Cmd": ["/app/start"]}
    assert check_config(run, BASE, [], paths=["app/start"]) == []
    (finding,) = check_config(run, BASE, [part(0o644)], paths=["app/start"])
    assert finding.message == "the image would run /app/start, and /app/start may not be executed"
    (finding,) = check_config(run | {"Cmd": ["/bin/sh"]}, BASE, [], paths=["app2/start"])
    assert finding.check == "missing-directory"


def test_what_a_new_command_begins_with_counts() -> None:
    facts = FileFacts(mode=0o755, size=1, script="/usr/bin/fish")
    new = Inspected(origin=Origin.PROJECT, files={"app/start": facts})
    run = SOUND | {"Cmd": ["/app/start"]}
    (finding,) = check_config(run, BASE, [new], paths=["app/start"])
    assert "#!/usr/bin/fish" in finding.message
