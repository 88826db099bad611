"""Images that are broken by what the project brings.

No secret stands here as it is looked for: what scans this repository must stay quiet.
"""

import base64
import json
import random
import string
from collections.abc import Callable
from pathlib import Path

from tests.e2e.broken import Case, leave_out, make_project
from tests.native import SUFFIX, core_dump, extension
from tests.project.projects import write_tree

type Content = str | bytes | Callable[[Path], bytes]
"""Of a file; a function is given a directory for what the compiler needs."""

_RANDOM = random.Random(6)  # noqa: S311 - the same at every run, and no secret
_UPPER = string.ascii_uppercase + "234567"


def _text(length: int, letters: str = string.ascii_letters + string.digits) -> str:
    return "".join(_RANDOM.choices(letters, k=length))


def _private_key() -> str:
    """An Ed25519 key as RFC 8410 writes it, of which nobody has the other half."""
    der = bytes.fromhex("302e020100300506032b657004220420") + _RANDOM.randbytes(32)
    label = "PRIVATE " + "KEY"
    return f"-----BEGIN {label}-----\n{base64.b64encode(der).decode()}\n-----END {label}-----\n"


def _service_account() -> str:
    account = {"type": "service_account", "project_id": "demo", "private_key": _private_key()}
    return json.dumps(account, indent=2)


def _kubeconfig() -> str:
    user = f"- name: me\n  user:\n    token: {_text(40)}\n"
    return f"apiVersion: v1\nkind: Config\ncurrent-context: prod\nusers:\n{user}"


def _docker_login() -> str:
    login = base64.b64encode(f"robot:{_text(20)}".encode()).decode()
    return json.dumps({"auths": {"ghcr.io": {"auth": login}}})


def _netrc() -> str:
    return f"machine index.acme-shop.net login me password {_text(20)}\n"


def _npmrc() -> str:
    return f"//npm.acme-shop.net/:_authToken={_text(36)}\n"


def _pypirc() -> str:
    return f"[pypi]\nusername = me\npassword = {_text(24)}\n"


def _literal(value: str) -> str:
    return f'VALUE = "{value}"\n'


def _with_file(
    path: str, content: Content, *, rules: str = "", checks: str = ""
) -> Callable[[Path], None]:
    def make(project: Path) -> None:
        data = content(project.parent / "scratch") if callable(content) else content
        files = {path: data, **({".dockerignore": rules} if rules else {})}
        make_project(project, files, checks=checks)

    return make


def _secret(name: str, path: str, content: str, advice: str) -> Case:
    """A file of credentials; where it would stay out, a line lets it in, as people write them."""
    return Case(
        name=name,
        check="secret",
        place=f"/app/{path}",
        advice=(advice, f"add **/{path.rpartition('/')[2]} to .dockerignore"),
        make=_with_file(path, content, rules=f"!{path}\n"),
        repair=leave_out,
    )


def _in_code(name: str, content: str) -> Case:
    path = "src/demo/settings_local.py"

    def repair(project: Path, _said: str) -> None:
        write_tree(project, {path: 'import os\n\nVALUE = os.environ.get("VALUE")\n'})

    return Case(
        name=name,
        check="secret",
        place=f"/app/{path}",
        advice=(f"{name} (line 1)", "read it from an environment variable"),
        make=_with_file(path, content),
        repair=repair,
    )


def _junk(  # noqa: PLR0913, PLR0917 - a line for each
    name: str, check: str, path: str, content: Content, advice: str, checks: str = ""
) -> Case:
    """A file that nobody meant to ship, let in by a line where it would stay out."""
    return Case(
        name=name,
        check=check,
        place="/app/src/",
        advice=(advice, " to .dockerignore"),
        make=_with_file(path, content, rules=f"!{path}\n", checks=checks),
        repair=leave_out,
    )


def _linked_elsewhere() -> Case:
    """A module of the project's own, compiled with a run path of the machine that did it."""

    def repair(project: Path, _said: str) -> None:
        write_tree(project, {"src/_own.so": extension("_own", project.parent / "scratch")})

    stale = "/build/demo/lib"
    return Case(
        name="run path of another machine",
        check="stale-rpath",
        place="/app/src/_own.so (layer project)",
        advice=(stale, "patchelf --remove-rpath"),
        make=_with_file(
            "src/_own.so",
            lambda scratch: extension("_own", scratch, flags=[f"-Wl,-rpath,{stale}"]),
            checks='refuse = ["stale-rpath"]',
        ),
        repair=repair,
    )


SOURCES = (
    _secret("key file", "src/demo/deploy.key", _private_key(), "a private key"),
    _secret("service account", "src/google.json", _service_account(), "service-account key"),
    _secret("env file", "src/demo/.env", "DEBUG=1\n", "a .env file"),
    _secret("netrc", "src/.netrc", _netrc(), "a password"),
    _secret("npmrc", "src/.npmrc", _npmrc(), "npm token"),
    _secret("pypirc", "src/.pypirc", _pypirc(), "a password"),
    _secret("kubeconfig", "src/kube.yaml", _kubeconfig(), "Kubernetes token"),
    _secret("Docker login", "src/.docker/config.json", _docker_login(), "registry password"),
    _in_code("AWS access key", _literal("AK" + "IA" + _text(16, _UPPER))),
    _in_code("GitHub token", _literal("gh" + "p_" + _text(36))),
    _in_code("GitLab token", _literal("glp" + "at-" + _text(20))),
    _in_code("Slack token", _literal("xo" + "xb-" + _text(11, "246813579") + "-" + _text(24))),
    _in_code("password in a URL", _literal(f"amqp://app:{_text(16)}@mq.prod.acme-shop.net")),
    _junk("repository", "junk", "src/.git/config", "[core]\n", "a Git repository"),
    _junk("core dump", "junk", "src/core.4711", core_dump(), "a program that crashed"),
    _junk("swap file", "junk", "src/demo/.main.py.swp", b"b0VIM 9.0\0", "that an editor made"),
    _junk(
        "host build",
        "host-build",
        f"src/demo/_fast{SUFFIX}",
        lambda scratch: extension("_fast", scratch),
        "as its developer's machine compiled it",
    ),
    _junk(
        "large file",
        "large-file",
        "src/demo/model.bin",
        bytes(3_000_000),
        "is 3.0 MB, and a file of the project may be 2.0 MB",
        checks='max-file-size = "2MB"',
    ),
    _linked_elsewhere(),
)
