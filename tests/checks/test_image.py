from builder.checks.finding import Finding
from builder.checks.image import check_image
from builder.checks.start.application import check_application
from builder.checks.subject import Clue, FileFacts, Ground, Inspected, Origin, Subject
from builder.elf import Elf
from builder.oci.platform import Platform
from builder.rootfs.file_index import FileIndex
from builder.rootfs.libraries import Libraries
from builder.settings import ChecksSettings, Settings
from builder.target import Libc, Python, Target

SITE = "/app/.venv/lib/python3.12/site-packages"
TARGET = Target(
    platform=Platform("linux", "amd64"),
    python=Python(version=(3, 12), path="/usr/local/bin/python3.12"),
    libc=Libc(name="glibc", version=(2, 36)),
)
NATIVE = Elf(
    bits=64,
    little_endian=True,
    machine=62,
    flags=0,
    architecture="amd64",
    kind="shared",
    is_dynamic=True,
    needed=("libpq.so.5",),
)
FILES: dict[str, FileFacts] = {
    "app/src/key.pem": FileFacts(mode=0o644, size=9, clues=(Clue(kind="private key", line=1),)),
    "app/src/.git/config": FileFacts(mode=0o644, size=9),
    "app/src/movie.mp4": FileFacts(mode=0o644, size=60_000_000),
    "app/src/start": FileFacts(mode=0o4755, size=9),
}
MODULE = {f"{SITE[1:]}/psycopg2/_psycopg.so": FileFacts(mode=0o755, size=9, elf=NATIVE)}
GROUND = Ground(files=FileIndex(), libraries=Libraries())
RUN = {"User": "0", "Cmd": ["uvicorn", "demo:app"], "WorkingDir": "/app"}


def subject(**values: object) -> Subject:
    fields = {
        "parts": (
            Inspected(origin=Origin.DISTRIBUTION, distribution="psycopg2 2.9", files=MODULE),
            Inspected(origin=Origin.PROJECT, layer="project", files=FILES),
        ),
        "ground": GROUND,
        "target": TARGET,
        "run": RUN,
        "layers": (("project", 70_000_000),),
    }
    return Subject(**(fields | values))  # type: ignore[arg-type]


def names(findings: list[Finding]) -> list[str]:
    return sorted({finding.check for finding in findings})


def test_every_kind_of_check_has_its_say() -> None:
    checks = ChecksSettings(max_size=1)
    found = check_image(subject(), checks)
    assert names(found) == [
        "junk", "large-file", "max-size", "missing-library", "root-user", "secret", "setuid",
    ]  # fmt: skip


def test_nothing_is_said_of_an_image_in_which_nothing_is_wrong() -> None:
    run = RUN | {"User": "1001"}
    sound = subject(parts=(), run=run | {"Cmd": ["/app/start"]})
    checks = ChecksSettings(max_size=70_000_000)
    assert check_image(sound, checks, files=FileIndex(), paths=["app/start"]) == []


def test_a_command_that_is_missing_is_told_once_by_who_knows_more() -> None:
    files = FileIndex(files={"app/main.py": 0o644})
    wanted = check_application(Settings(app="main:app"), ["app/main.py"], SITE)
    assert names(wanted) == ["missing-command"]
    found = check_image(subject(), ChecksSettings(), files=files, application=wanted)
    assert [each for each in found if each.check == "missing-command"] == wanted
    alone = check_image(subject(), ChecksSettings(), files=files)
    assert sum(each.check == "missing-command" for each in alone) == 1
    assert "missing-command" not in names(check_image(subject(), ChecksSettings()))
