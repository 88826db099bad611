"""Images with ELF files that are broken on purpose, and what the ABI check says of them."""

from collections.abc import Collection, Mapping
from typing import Any

from builder.checks.finding import Finding
from builder.checks.native.abi import check_abi
from builder.checks.subject import FileFacts, Ground, Inspected, Origin, Subject
from builder.elf import Elf
from builder.oci.platform import Platform
from builder.rootfs.file_index import FileIndex
from builder.rootfs.libraries import Libraries
from builder.target import Libc, Python, Target

SITE = "app/.venv/lib/python3.12/site-packages"
SYSTEM = "usr/lib/x86_64-linux-gnu"
TARGET = Target(
    platform=Platform("linux", "amd64"),
    python=Python(version=(3, 12), path="/usr/local/bin/python3.12"),
    libc=Libc(name="glibc", version=(2, 36)),
)
GLIBC = ("GLIBC_2.2.5", "GLIBC_2.35", "GLIBC_2.36")


def an_elf(*needed: str, **facts: Any) -> Elf:
    facts = {"machine": 62, "architecture": "amd64", "kind": "shared", **facts}
    return Elf(bits=64, little_endian=True, flags=0, is_dynamic=True, needed=needed, **facts)


LIBRARIES = {
    f"{SYSTEM}/libc.so.6": an_elf(soname="libc.so.6", offered_versions=GLIBC),
    f"{SYSTEM}/ld-linux-x86-64.so.2": an_elf(soname="ld-linux-x86-64.so.2"),
    f"{SYSTEM}/libstdc++.so.6.0.30": an_elf(
        "libc.so.6", soname="libstdc++.so.6", offered_versions=("GLIBCXX_3.4.9", "GLIBCXX_3.4.30")
    ),
    "usr/local/bin/python3.12": an_elf("libc.so.6", is_program=True),
}
LINKS = {
    "lib": "usr/lib",
    "lib64": "usr/lib/x86_64-linux-gnu",
    f"{SYSTEM}/libstdc++.so.6": "libstdc++.so.6.0.30",
}


def a_part(
    files: Mapping[str, Elf],
    distribution: str = "demo 1.0",
    *,
    origin: Origin = Origin.DISTRIBUTION,
    links: Mapping[str, str] | None = None,
) -> Inspected:
    return Inspected(
        origin=origin,
        layer="dependencies" if distribution else "project",
        distribution=distribution,
        files={path: FileFacts(mode=0o644, size=1, elf=elf) for path, elf in files.items()},
        links=links or {},
    )


def found(
    *parts: Inspected,
    target: Target | None = TARGET,
    libraries: Mapping[str, Elf] | None = None,
    packages: Mapping[str, str] | None = None,
    env: Collection[str] = (),
) -> list[Finding]:
    files = {**LIBRARIES, **(libraries or {})}
    ground = Ground(
        files=FileIndex(symlinks=LINKS, files=dict.fromkeys(files, 0o644)),
        libraries=Libraries(files=files, directories=("lib/x86_64-linux-gnu", "usr/lib")),
    )
    subject = Subject(
        parts=parts,
        ground=ground,
        target=target,
        run={"Env": list(env)},
        packages=(lambda sonames: {n: packages.get(n, "") for n in sonames})
        if packages is not None
        else None,
    )
    return check_abi(subject)


def told(findings: Collection[Finding]) -> list[str]:
    return [f"{finding.severity} {finding.check}" for finding in findings]


def module(name: str, tag: str = "cpython-312-x86_64-linux-gnu") -> str:
    return f"{SITE}/demo/{name}.{tag}.so"


ARM = {"machine": 183, "architecture": "arm64"}
