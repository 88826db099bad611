"""A build where a hardened CI runner would do it: in a container that may do nothing."""

import subprocess
from pathlib import Path

import pytest

from tests.cache import REPOSITORY, cache_root
from tests.e2e.conftest import Built
from tests.e2e.test_formats import run
from tests.interpreter import world_cpython, world_python
from tests.registry import Registry
from tests.standin import TAG as STANDIN_TAG
from tests.standin import standin_layout

pytestmark = [pytest.mark.engine, pytest.mark.index]


def test_builds_without_any_privilege_from_a_read_only_project(
    built: Built, registry_with_base: Registry, tmp_path: Path
) -> None:
    """No capabilities, no_new_privs, no user namespaces (seccomp), a uid without a name."""
    runner = run("podman", "pull", "--quiet", f"oci:{standin_layout()}:{STANDIN_TAG}").split()[-1]
    certificates = Path("/etc/ssl/certs/ca-certificates.crt")
    python = world_python()
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    workspace.chmod(0o777)
    script = (
        "set -eu; grep -q '^CapEff:.0*$' /proc/self/status; grep -q '^NoNewPrivs:.1$' "
        "/proc/self/status; ! unshare --user true 2>/dev/null; ! touch /project/x 2>/dev/null; "
        f"exec {python} -m builder build /project --no-load --output oci-archive:/workspace/app.tar"
    )
    argv = [
        *("podman", "run", "--rm", "--network=host", "--read-only", "--user=12345:12345"),
        *("--cap-drop=ALL", "--security-opt=no-new-privileges"),
        *("--volume", f"{REPOSITORY / 'backend'}:/project:ro"),
        *("--volume", f"{REPOSITORY}:{REPOSITORY}:ro"),
        *("--volume", f"{cache_root()}:{cache_root()}:ro"),
        *("--volume", f"{certificates}:{certificates}:ro"),
        *("--volume", f"{workspace}:/workspace"),
        *("--env", "HOME=/workspace", "--env", f"SSL_CERT_FILE={certificates}"),
        *("--env", f"BUILDER_BASE_MIRROR={registry_with_base.url}"),
        *("--env", "SOURCE_DATE_EPOCH=1700000000"),
        *("--env", f"PATH={world_cpython()}/bin:/usr/local/bin:/usr/bin:/bin"),
        *(runner, "sh", "-c", script),
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"@{built.image.digest}\n")
    assert (workspace / "app.tar").stat().st_size > 1_000_000
