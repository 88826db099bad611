"""An independent client and ours understand each other, through real registries."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import oras.client
import oras.oci
import pytest

from builder.events import ignore
from builder.oci import media_types
from builder.oci.blob import Blob
from builder.oci.descriptor import Descriptor
from builder.oci.reference import Reference
from builder.oci.tree import ManifestTree
from builder.process import run
from builder.registry.access import RegistryAccess
from builder.registry.artifact import TITLE, make_artifact, pull_artifact, save_artifact
from builder.registry.credential import Credential
from builder.registry.delivery import Goal
from builder.registry.push import push
from builder.registry.referrers import list_referrers
from builder.registry.subject import subject_of
from builder.settings import RegistrySettings
from layers.digest import Digest
from layers.entries import BytesContent
from tests.registry import Registry, Shape, serve_shape

pytestmark = pytest.mark.engine

SBOM = "application/spdx+json"
FILES = {"notes.txt": b"from another client", "deep.bin": bytes(range(256)) * 5000, "empty": b""}


class Nowhere:
    """Of no blob is it known where it lies."""

    def find(self, host: str, digest: Digest) -> Sequence[str]:
        del host, digest
        return ()

    def add(self, host: str, repository: str, digests: Iterable[Digest]) -> None:
        """Forget it."""


@dataclass(frozen=True, slots=True)
class Ours:
    """Our side, as a user of the registry who may do everything."""

    access: RegistryAccess
    host: str

    def push(self, tree: ManifestTree, name: str) -> None:
        reference = Reference.parse(f"{self.host}/{name}")
        goal = Goal(client=self.access.push_client(reference), references=(reference,))
        push(tree, [goal], Nowhere(), done=lambda _: None)

    def pull(self, name: str) -> ManifestTree:
        reference = Reference.parse(f"{self.host}/{name}")
        [client] = self.access.pull_clients(reference)
        return pull_artifact(client, reference.selector)

    def referrers(self, name: str, digest: Digest) -> tuple[Descriptor, ...]:
        reference = Reference.parse(f"{self.host}/{name}")
        [client] = self.access.pull_clients(reference)
        return list_referrers(client, digest)


@pytest.fixture(params=["open", "htpasswd"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Registry]:
    shape: Shape = request.param
    with serve_shape(shape, tmp_path / "registry") as registry:
        yield registry


@pytest.fixture
def ours(served: Registry) -> Iterator[Ours]:
    given = {}
    if served.credentials:
        username, password = served.credentials
        given[served.host] = Credential(username=username, password=password)
    settings = RegistrySettings()
    with RegistryAccess.of(settings, {}, run=run, events=ignore, given=given) as access:
        yield Ours(access, served.host)


@contextmanager
def theirs(registry: Registry) -> Iterator[Any]:
    """The other client, let in as its own documentation says."""
    backend = "basic" if registry.credentials else "token"
    client = oras.client.OrasClient(hostname=registry.host, insecure=True, auth_backend=backend)
    if registry.credentials:
        client.auth.set_basic_auth(*registry.credentials)
    with client.session:
        yield client


def parts() -> list[Blob]:
    return [
        Blob(
            Descriptor(
                media_type="application/octet-stream",
                digest=Digest.of(data),
                size=len(data),
                annotations={TITLE: title},
            ),
            BytesContent(data),
        )
        for title, data in FILES.items()
    ]


def files_in(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_what_oras_pushes_we_pull(
    served: Registry, ours: Ours, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources, saved = tmp_path / "sources", tmp_path / "saved"
    sources.mkdir()
    for name, data in FILES.items():
        (sources / name).write_bytes(data)
    # oras takes paths below the current directory alone.
    monkeypatch.chdir(sources)
    with theirs(served) as client:
        answer = client.push(
            target=f"{served.host}/oras/notes:1",
            files=list(FILES),
            manifest_annotations={"org.example": "x"},
        )
    tree = ours.pull("oras/notes:1")
    assert answer.headers["docker-content-digest"] == str(tree.descriptor.digest)
    assert tree.descriptor.annotations == {"org.example": "x"}
    paths = save_artifact(tree, saved)
    assert [path.name for path in paths] == list(FILES)
    assert files_in(saved) == FILES


def test_what_we_push_oras_pulls(served: Registry, ours: Ours, tmp_path: Path) -> None:
    tree = make_artifact(SBOM, parts(), annotations={"org.example": "x"})
    ours.push(tree, "ours/notes:1")
    with theirs(served) as client:
        target = f"{served.host}/ours/notes:1"
        manifest = client.get_manifest(target)
        got = client.pull(target=target, outdir=str(tmp_path / "got"))
    assert (manifest["artifactType"], manifest["annotations"]) == (SBOM, {"org.example": "x"})
    assert [Path(path).name for path in got] == list(FILES)
    assert files_in(tmp_path / "got") == FILES


def test_what_we_push_comes_back_as_it_was(ours: Ours, tmp_path: Path) -> None:
    tree = make_artifact(SBOM, parts())
    ours.push(tree, "ours/notes:2")
    pulled = ours.pull(f"ours/notes@{tree.descriptor.digest}")
    assert (pulled.raw, pulled.descriptor) == (tree.raw, tree.descriptor)
    save_artifact(pulled, tmp_path / "got")
    assert files_in(tmp_path / "got") == FILES


def test_what_is_about_an_image_is_found_by_it(served: Registry, ours: Ours) -> None:
    image = make_artifact("application/vnd.example", parts())
    about = make_artifact(SBOM, parts()[:1], subject=image.descriptor, annotations={"a": "b"})
    ours.push(image, "ours/image:1")
    ours.push(about, "ours/image:sbom")
    assert ours.referrers("ours/image:1", image.descriptor.digest) == (about.descriptor,)
    # The other client, which knows of neither, reads the list and follows it.
    with theirs(served) as client:
        tag = f"sha256-{image.descriptor.digest.hex}"
        index = client.get_manifest(f"{served.host}/ours/image:{tag}", [media_types.INDEX])
        [entry] = index["manifests"]
        listed = client.get_manifest(f"{served.host}/ours/image@{entry['digest']}")
    assert (entry["artifactType"], entry["annotations"]) == (SBOM, {"a": "b"})
    assert listed["subject"]["digest"] == str(image.descriptor.digest)


def test_the_subject_that_oras_writes_is_read(
    served: Registry, ours: Ours, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes.txt").write_bytes(b"about it")
    monkeypatch.chdir(tmp_path)
    subject = oras.oci.Subject(
        mediaType=media_types.MANIFEST,
        digest=f"sha256:{hashlib.sha256(b'it').hexdigest()}",
        size=2,
    )
    with theirs(served) as client:
        client.push(target=f"{served.host}/oras/about:1", files=["notes.txt"], subject=subject)
    found = subject_of(ours.pull("oras/about:1").raw)
    assert found is not None
    assert found.to_json() == asdict(subject)
