"""Files that are for credentials, and passwords where their place tells them.

Names are judged in the project alone: what a published package calls ``.env`` is no secret of the
user's.
"""

from __future__ import annotations

import base64
import binascii
import re
from fnmatch import fnmatchcase

from builder.checks.placeholders import is_password, is_random
from builder.checks.private_keys import KEY_STORE, RING, SSH_KEY
from builder.checks.subject import Clue

URL_PASSWORD = "password in a URL"  # noqa: S105 - words for it

# Of the whole path, the first that matches counts. None: it is no such file after all.
_NAMES: tuple[tuple[str, str | None], ...] = (
    ("*/.env.example", None),
    ("*/.env.sample", None),
    ("*/.env.template", None),
    ("*/.env.dist", None),
    ("*/.env.defaults", None),
    ("*/.env", ".env file"),
    ("*/.env.*", ".env file"),
    ("*/.ssh/*.pub", None),
    *((f"*/id_{name}", SSH_KEY) for name in ("rsa", "dsa", "ecdsa", "ed25519")),
    *((f"*/id_{name}_sk", SSH_KEY) for name in ("ecdsa", "ed25519")),
    *((f"*.{end}", KEY_STORE) for end in ("pfx", "p12", "jks", "keystore", "kdbx", "ppk")),
    ("*/.gnupg/private-keys-v1.d/*", RING),
    ("*/secring.gpg", RING),
    ("*/.git-credentials", "file of Git credentials"),
    ("*/.aws/credentials", "file of AWS credentials"),
    ("*/.azure/*token*", "file of Azure credentials"),
    ("*/.azure/service_principal_entries.*", "file of Azure credentials"),
    ("*/gcloud/application_default_credentials.json", "file of Google credentials"),
    ("*/.kube/config", "kubeconfig"),
    ("*.tfstate", "Terraform state"),
    ("*.tfstate.backup", "Terraform state"),
    ("*/.htpasswd", "password file"),
    ("*/.pgpass", "password file"),
    ("*/.my.cnf", "password file"),
    ("*/.vault-token", "Vault token"),
    ("*/wallet.dat", "wallet"),
)
# One regular expression says for most files that none of them matches.
_SUSPECT = re.compile(
    r"/\.(env|ssh|gnupg|git-credentials|aws|azure|kube|htpasswd|pgpass|my\.cnf|vault-token)"
    r"|/id_|/secring\.gpg|gcloud/|\.tfstate|/wallet\.dat"
    r"|\.(pfx|p12|jks|keystore|kdbx|ppk)$"
)


def clue_of_name(path: str) -> Clue | None:
    """What a file's path tells, relative to the root."""
    whole = f"/{path}"
    if _SUSPECT.search(whole) is None:
        return None
    kind = next((kind for pattern, kind in _NAMES if fnmatchcase(whole, pattern)), None)
    return Clue(kind=kind) if kind else None


_LOGIN = re.compile(
    rb"://(?P<user>[^\s:,/?#@\"'<>]{0,64}):(?P<password>[^\s:,/?#@\"'<>]{1,128})"
    rb"@(?P<host>[A-Za-z0-9.-]+)"
)
_LOCAL = re.compile(
    rb"(?:.*\.)?(?:localhost|local|test|invalid|example(?:\.\w+)?|host\.docker\.internal)"
    rb"|127\..*|0\.0\.0\.0|[Hh][Oo][Ss][Tt](?:[Nn][Aa][Mm][Ee])?(?:\..*)?"
)
_STRONG_PASSWORD = 10


def url_password(data: bytes, at: int) -> tuple[int, str] | None:
    """A URL with a password, ``://`` of which is at ``at``.

    Those of the developer's own machine are let go, and those of a neighbouring container unless
    their password was chosen with care: everybody's ``app:letmein@db`` is no secret.
    """
    login = _LOGIN.match(data, at)
    if login is None or not is_password(login["password"], login["user"]):
        return None
    host, password = login["host"].rstrip(b"."), login["password"]
    if _LOCAL.fullmatch(host):
        return None
    if b"." not in host:
        has_both = re.search(rb"\d", password) and re.search(rb"[A-Za-z]", password)
        if len(password) < _STRONG_PASSWORD or not has_both or not is_random(password):
            return None
    return at, URL_PASSWORD


_DOCKER = re.compile(rb'"(?P<name>auth|identitytoken)"\s*:\s*"(?P<value>[^"]{8,})"')
_KUBERNETES = re.compile(rb"\n\s+(?:token|password): *[\"']?(?P<value>[^\s\"'<${]{8,})")


def docker_login(data: bytes, at: int) -> tuple[int, str] | None:
    """A registry's password in a Docker configuration, ``"auths"`` of which is at ``at``."""
    for found in _DOCKER.finditer(data, at):
        value = found["value"]
        login = _decoded(value) if found["name"] == b"auth" else b":" + value
        user, _, password = login.partition(b":")
        if is_password(password, user):
            return found.start("value"), "registry password"
    return None


def kubernetes_login(data: bytes, _at: int) -> tuple[int, str] | None:
    """A token or password in a kubeconfig, which has ``current-context:`` somewhere."""
    for found in _KUBERNETES.finditer(data):
        if is_password(found["value"]):
            return found.start("value"), "Kubernetes token"
    return None


# How a line of a file of this name holds a password.
_LINES: dict[str, tuple[str, re.Pattern[bytes]]] = {
    ".netrc": ("password", re.compile(rb"\bpassword\s+(?P<value>\S+)")),
    "_netrc": ("password", re.compile(rb"\bpassword\s+(?P<value>\S+)")),
    ".pypirc": ("password", re.compile(rb"(?m)^\s*password\s*[:=]\s*(?P<value>\S+)")),
    ".npmrc": ("npm password", re.compile(rb"(?m)(?:_auth|_password)\s*=\s*(?P<value>\S+)")),
}


def passwords_of_lines(path: str, data: bytes) -> list[tuple[int, str]]:
    """Passwords in a file whose name says how it is written: where they begin, and their kinds."""
    kind, pattern = _LINES.get(path.rpartition("/")[2], ("", None))
    found = pattern.finditer(data) if pattern else ()
    return [(each.start("value"), kind) for each in found if is_password(each["value"])]


_NPM = re.compile(rb"(?:_authToken\s*=|npmAuthToken:)\s*[\"']?(?P<value>[^\s\"']{8,})")


def npm_login(data: bytes, at: int) -> tuple[int, str] | None:
    """A token in a configuration of npm or yarn, the name of which is at ``at``."""
    found = _NPM.match(data, at)
    return (found.start("value"), "npm token") if found and is_password(found["value"]) else None


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""
