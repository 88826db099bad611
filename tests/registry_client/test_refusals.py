"""What registries say when they say no, and what the user is told to do about it."""

import io
import json

import pytest

from builder.errors import RegistryError
from builder.registry.auth import Authorization
from builder.registry.client import RegistryClient
from builder.registry.credential import Credential
from builder.registry.endpoint import mirror_endpoint
from builder.registry.refusal import Asker, refusal
from builder.retry import Retry
from builder.transport import Headers, HttpTransport, Request, Response
from tests.registry_client.fake import FaultyServer, refused

LOGIN = "python -m builder login reg.example.com"
PULLING = Asker(host="reg.example.com", is_known=True, pushes=False)
PUSHING = Asker(host="reg.example.com", is_known=True, pushes=True)


def told(
    status: int, code: str = "", message: str = "", asker: Asker | None = PUSHING
) -> RegistryError:
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    answer = Response(status=status, headers=Headers({}), body=io.BytesIO(body))
    return refusal(answer, "trying", asker)


# Statuses, codes and messages as the registries named give them.
@pytest.mark.parametrize(
    ("status", "code", "message", "hint"),
    [
        pytest.param(
            400,
            "TAG_INVALID",
            "The image tag '1' already exists in the 'app' repository and cannot be overwritten "
            "because the tag is immutable.",
            "push under another tag",
            id="ecr-immutable",
        ),
        pytest.param(
            412,
            "PRECONDITION",
            "Failed to process request due to 'app:1' configured as immutable.",
            "push under another tag",
            id="harbor-immutable",
        ),
        pytest.param(
            409,
            "UNKNOWN",
            "tag is immutable and cannot be overwritten",
            "push under another tag",
            id="quay-immutable",
        ),
        pytest.param(
            403,
            "DENIED",
            "adding 151.7 MiB of storage resource, which when updated to current usage of "
            "100.0 GiB will exceed the configured upper limit of 100.0 GiB.",
            "ask for a larger quota",
            id="harbor-quota",
        ),
        pytest.param(
            403, "DENIED", "Quota has been exceeded on namespace", "larger quota", id="quay-quota"
        ),
        pytest.param(
            404,
            "NAME_UNKNOWN",
            "The repository with name 'app' does not exist in the registry with id '1'",
            "there is no such repository: some registries want it to be made first",
            id="ecr-missing",
        ),
        pytest.param(404, "", "", "some registries want it to be made first", id="missing"),
        pytest.param(400, "NAME_INVALID", "", "a user or a project", id="name"),
        pytest.param(
            403,
            "DENIED",
            "requested access to the resource is denied",
            "the registry knows who asks, and does not let them push there",
            id="denied",
        ),
        pytest.param(400, "DENIED", "no", "does not let them push there", id="denied-by-code"),
        pytest.param(429, "TOOMANYREQUESTS", "Rate exceeded", "push again", id="too-many"),
        pytest.param(404, "MANIFEST_BLOB_UNKNOWN", "", "push again", id="lost-blob"),
        pytest.param(404, "BLOB_UPLOAD_UNKNOWN", "", "push again", id="lost-upload"),
        pytest.param(400, "BLOB_UPLOAD_INVALID", "", "something on the way", id="upload-changed"),
        pytest.param(400, "DIGEST_INVALID", "", "something on the way", id="digest-changed"),
        pytest.param(400, "MANIFEST_INVALID", "", "no manifests of this kind", id="kind"),
        pytest.param(405, "UNSUPPORTED", "", "it may be a mirror only", id="mirror"),
        pytest.param(413, "", "", "its limit has to be raised", id="too-large"),
        pytest.param(500, "UNKNOWN", "write: no space left on device", "disk is full", id="full"),
        pytest.param(503, "", "", "the fault is the registry's", id="broken"),
    ],
)
def test_who_pushes_is_told_what_may_help(status: int, code: str, message: str, hint: str) -> None:
    error = told(status, code, message)
    assert hint in (error.hint or "")
    assert (error.status, error.code) == (status, code or None)
    assert message in error.message


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [
        (404, "NAME_UNKNOWN", "check the repository and the tag"),
        (404, "MANIFEST_UNKNOWN", "check the repository and the tag"),
        (404, "BLOB_UNKNOWN", "check the repository and the tag"),
        (429, "TOOMANYREQUESTS", "wait for a while, or pull through a mirror"),
        (413, "", None),
        (405, "UNSUPPORTED", None),
    ],
)
def test_who_pulls_is_told_nothing_about_pushing(status: int, code: str, hint: str | None) -> None:
    assert told(status, code, asker=PULLING).hint == hint
    assert told(status, code, asker=None).hint == hint


@pytest.mark.parametrize(("status", "code"), [(401, "UNAUTHORIZED"), (403, "DENIED")])
def test_who_is_not_logged_in_is_told_how_to(status: int, code: str) -> None:
    unknown = Asker(host="reg.example.com", is_known=False, pushes=True)
    assert (told(status, code, asker=unknown).hint or "").endswith(f"log in: {LOGIN}")


def test_who_is_logged_in_may_have_the_wrong_password() -> None:
    hint = told(401, "UNAUTHORIZED").hint or ""
    assert hint.endswith(f"the user name or password is wrong, to log in anew: {LOGIN}")


def test_docker_hub_is_named_as_logins_name_it() -> None:
    hub = Asker(host="registry-1.docker.io", is_known=False, pushes=False)
    assert (told(401, asker=hub).hint or "").endswith("python -m builder login docker.io")


@pytest.mark.parametrize("name", ["immutable-things", "quota-service", "tags-immutable/quota"])
def test_a_repositorys_name_is_no_reason(name: str) -> None:
    body = {"errors": [{"code": "NAME_UNKNOWN", "message": "", "detail": {"name": name}}]}
    raw = io.BytesIO(json.dumps(body).encode())
    error = refusal(Response(status=404, headers=Headers({}), body=raw), "trying", PUSHING)
    assert name in error.message
    assert error.hint == "there is no such repository: some registries want it to be made first"


def test_the_first_code_counts() -> None:
    body = b'{"errors":[{"message":"x"},{"code":7},{"code":"A\\u001b"},{"code":"B"}]}'
    answer = Response(status=400, headers=Headers({}), body=io.BytesIO(body))
    assert refusal(answer, "trying").code == "A"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"errors":[]}', b'{"errors":[[]]}'])
def test_a_body_of_another_form_has_no_code(body: bytes) -> None:
    answer = Response(status=400, headers=Headers({}), body=io.BytesIO(body))
    error = refusal(answer, "trying", PUSHING)
    assert (error.code, error.hint) == (None, None)


def ask(server: FaultyServer, method: str, credential: Credential | None, scope: str) -> str:
    with HttpTransport() as transport:
        client = RegistryClient(
            transport,
            mirror_endpoint(server.url, "app"),
            authorization=Authorization(credential),
            retry=Retry(),
            scopes=[f"repository:app:{scope}"],
        )
        with pytest.raises(RegistryError) as caught:
            client.ask(Request(url=client.url("x"), method=method), "trying")
    return caught.value.hint or ""


def test_a_client_says_who_asks_and_what_for(server: FaultyServer) -> None:
    server.on("/v2/app/x", refused(403, "DENIED", "no"))
    robot = Credential(username="robot", password="secret")
    stranger = ask(server, "PUT", None, "pull")
    assert stranger.endswith(f"python -m builder login {server.host}")
    assert "let them push there" in ask(server, "PUT", robot, "pull")
    assert "let them push there" in ask(server, "GET", robot, "pull,push")
    assert "let them: check" in ask(server, "GET", robot, "pull")
