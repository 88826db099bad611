import shutil
import subprocess
from pathlib import Path

import pytest

from builder.debian.effects.certificates import update_certificates
from builder.debian.effects.mutable_root import MutableRoot
from builder.debian.effects.subject_hash import subject_hash
from builder.errors import PackageError
from tests.debian.effects.mutable_roots import of
from tests.debian.roots import a_root

_SHIPPED = sorted(Path("/usr/share/ca-certificates").rglob("*.crt"))
_TOOL = shutil.which("update-ca-certificates", path="/usr/sbin:/usr/bin")
_HAS_ALL = bool(_SHIPPED and _TOOL and shutil.which("openssl"))
needs_tools = pytest.mark.skipif(not _HAS_ALL, reason="no ca-certificates and openssl here")


def make(directory: Path, name: str, subject: str, *options: str) -> bytes:
    """A certificate of its own with that subject."""
    target = directory / f"{name}.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "1"]
    command += ["-keyout", "/dev/null", "-out", str(target), "-subj", subject, "-utf8", *options]
    subprocess.run(command, check=True, capture_output=True)
    return target.read_bytes()


@needs_tools
def test_all_is_as_update_ca_certificates_leaves_it(tmp_path: Path) -> None:
    shipped, local, etc = tmp_path / "shipped", tmp_path / "local", tmp_path / "certs"
    for directory in (shipped / "mozilla", local / "company", etc):
        directory.mkdir(parents=True)
    files: dict[str, bytes | str] = {"etc/ssl/certs/README": b""}
    for index, path in enumerate(_SHIPPED):
        data = path.read_bytes().rstrip(b"\n") if index == 2 else path.read_bytes()
        (shipped / "mozilla" / path.name).write_bytes(data)
        files[f"usr/share/ca-certificates/mozilla/{path.name}"] = data
    own = make(tmp_path, "own", "/CN=Our  Own, (Root)")
    (local / "company/Our Own, (Root).crt").write_bytes(own)
    files["usr/local/share/ca-certificates/company/Our Own, (Root).crt"] = own
    tree = of(files)
    update_certificates(tree)
    configuration = tree.read("etc/ca-certificates.conf")
    (tmp_path / "conf").write_bytes(configuration or b"")
    command: list[str | Path] = [
        str(_TOOL),
        "--certsconf",
        tmp_path / "conf",
        "--certsdir",
        shipped,
    ]
    command += ["--localcertsdir", local, "--etccertsdir", etc, "--hooksdir", ""]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    assert (
        tree.read("etc/ssl/certs/ca-certificates.crt") == (etc / "ca-certificates.crt").read_bytes()
    )
    real = {
        path.name: str(path.readlink())
        .replace(str(shipped), "/usr/share/ca-certificates")
        .replace(str(local), "/usr/local/share/ca-certificates")
        for path in etc.iterdir()
        if path.is_symlink()
    }
    links = {
        path.rpartition("/")[2]: target
        for path, target in tree.files.symlinks.items()
        if path.startswith("etc/ssl/certs/")
    }
    assert len(real) > 200
    assert links == real


@needs_tools
@pytest.mark.parametrize(
    "subject",
    [
        "/C=DE/O=  Two   blanks /CN=MiXed Case",
        "/CN=Főtanúsítvány ÄÖ",
        "/CN=a+OU=b/emailAddress=Who@Example.ORG",
        "/CN=" + "x" * 60 + "/OU=" + "y" * 60 + "/O=" + "z" * 60,
        "/DC=org/DC=example/CN=tab\tx",
    ],
)
def test_the_hash_of_a_subject_is_openssl_s(tmp_path: Path, subject: str) -> None:
    make(tmp_path, "one", subject)
    der = subprocess.run(
        ["openssl", "x509", "-in", tmp_path / "one.pem", "-outform", "DER"],
        check=True,
        capture_output=True,
    ).stdout
    shown = subprocess.run(
        ["openssl", "x509", "-in", tmp_path / "one.pem", "-noout", "-subject_hash"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert subject_hash(der) == shown.stdout.strip()
    assert subject_hash(der[:-100]) is None


@needs_tools
def test_what_the_base_has_chosen_stays() -> None:
    first, second, third = (path.read_bytes() for path in _SHIPPED[:3])
    base = a_root(
        files={
            "etc/ca-certificates.conf": b"# x\n!mozilla/b.crt\nmozilla/a.crt\nmozilla/gone.crt",
            "usr/share/ca-certificates/mozilla/a.crt": first,
            "usr/share/ca-certificates/mozilla/b.crt": second,
        }
    )
    new = of({"usr/share/ca-certificates/mozilla/c.crt": third})
    tree = MutableRoot(base, dict(new.packed))
    update_certificates(tree)
    expected = b"# x\n!mozilla/b.crt\nmozilla/a.crt\nmozilla/gone.crt\nmozilla/c.crt\n"
    assert tree.read("etc/ca-certificates.conf") == expected
    assert tree.read("etc/ssl/certs/ca-certificates.crt") == first + third
    assert tree.target("etc/ssl/certs/b.pem") is None


def test_a_damaged_certificate_is_refused_by_name() -> None:
    text = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    with pytest.raises(PackageError, match=r"/etc/ssl/certs/bad\.pem: its certificate"):
        update_certificates(of({"usr/share/ca-certificates/bad.crt": text}))


@pytest.mark.parametrize("data", [b"", b"\x30", b"\x30\x05abc", b"\x02\x01\x01", b"\x30\x84"])
def test_damaged_der_has_no_hash(data: bytes) -> None:
    assert subject_hash(data) is None
