"""Whatever ``registries.conf`` says, skopeo asks the same repositories in the same order."""

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from builder.errors import SettingsError
from builder.oci.reference import Reference
from builder.registry.hosts import Hosts
from builder.settings import RegistrySettings
from tests.registry_client.serving import Handler, Server, running

pytestmark = pytest.mark.engine

DIGEST = f"sha256:{64 * '0'}"
MANIFEST = re.compile(r"/v2/(.+)/manifests/[^/]+")
# HERE is a server on this machine that has no image at all.
CONFS = {
    "mirrors": """
        [[registry]]
        prefix = "r.test/foo"
        location = "HERE/moved"
        insecure = true
        [[registry.mirror]]
        location = "HERE/always"
        insecure = true
        [[registry.mirror]]
        location = "HERE/by-digest"
        insecure = true
        pull-from-mirror = "digest-only"
        [[registry.mirror]]
        location = "HERE/by-tag"
        insecure = true
        pull-from-mirror = "tag-only"
        """,
    "digests": """
        [[registry]]
        prefix = "r.test"
        location = "HERE"
        insecure = true
        mirror-by-digest-only = true
        [[registry.mirror]]
        location = "HERE/mirror"
        insecure = true
        """,
    "prefixes": """
        [[registry]]
        prefix = "r.test"
        location = "HERE/short"
        insecure = true
        [[registry]]
        prefix = "r.test/foo/app"
        location = "HERE/long"
        insecure = true
        [[registry]]
        prefix = "*.r.test"
        location = "HERE/wild"
        insecure = true
        """,
    "itself": """
        [[registry]]
        location = "HERE"
        insecure = true
        [[registry.mirror]]
        location = "HERE/mirror"
        insecure = true
        """,
    "blocked": """
        [[registry]]
        location = "r.test/foo"
        blocked = true
        [[registry]]
        prefix = "*.test"
        location = "HERE/wild"
        insecure = true
        """,
}
NAMES = [
    *("r.test/foo/app:1", f"r.test/foo/app@{DIGEST}", "r.test/foo/application:1"),
    *("r.test/other:1", "a.r.test/foo/app:1", "HERE/foo/app:1"),
]


@dataclass(slots=True)
class Site:
    host: str = ""
    repositories: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    found = Site()

    class Empty(Handler):
        def do_GET(self) -> None:  # noqa: N802 - the name that the base class looks for
            if asked := MANIFEST.fullmatch(self.path):
                found.repositories.append(asked[1])
            self.answer(200 if self.path == "/v2/" else 404, {}, b"{}")

    server = Server(Empty, None)
    found.host = server.host
    with running(server):
        yield found


def asked_by_skopeo(site: Site, conf: Path, name: str) -> list[str]:
    site.repositories.clear()
    environ = {"PATH": os.environ["PATH"], "HOME": str(conf.parent)}
    subprocess.run(
        ["skopeo", "--registries-conf", conf, "inspect", "--raw", f"docker://{name}"],
        check=False,
        capture_output=True,
        env=environ,
        timeout=60,
    )
    return list(site.repositories)


def asked_by_us(conf: Path, name: str) -> list[str]:
    hosts = Hosts.read(RegistrySettings(conf=str(conf)), {}, etc=conf.parent)
    try:
        endpoints = hosts.pull_endpoints(Reference.parse(name))
    except SettingsError:
        return []
    # Without a word that it is insecure, skopeo speaks TLS with a host on this machine too.
    return [endpoint.repository for endpoint in endpoints if not endpoint.tls.verify]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("said", CONFS)
def test_the_same_is_asked(site: Site, tmp_path: Path, said: str, name: str) -> None:
    conf = tmp_path / "registries.conf"
    conf.write_text(CONFS[said].replace("HERE", site.host))
    name = name.replace("HERE", site.host)
    assert asked_by_us(conf, name) == asked_by_skopeo(site, conf, name)
