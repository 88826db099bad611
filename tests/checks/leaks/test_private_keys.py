import io
import shutil
import subprocess
from pathlib import Path

import pytest

from builder.checks.leaks.clues import clues_of_text
from builder.checks.subject import Origin


def clues(text: str, path: str = "app/src/a.py", origin: Origin = Origin.PROJECT) -> list[str]:
    found = clues_of_text(path, text.encode(), io.BytesIO(), origin)
    return [clue.kind for clue in found]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the keys")
@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048", "private key"),
        ("genpkey -algorithm ED25519", "private key"),
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -outform DER", "private key"),
        ("genpkey -algorithm ED25519 -outform DER", "private key"),
        ("genrsa -traditional 1024", "private key"),
        ("ecparam -genkey -noout -name prime256v1", "private key"),
        ("ecparam -genkey -noout -name prime256v1 -outform DER", "private key"),
        ("genpkey -algorithm ED25519 -aes128 -pass pass:a", "encrypted private key"),
        ("genrsa -traditional -aes128 -passout pass:abcdef 1024", "encrypted private key"),
    ],
)
def test_keys_of_openssl_are_told_apart(command: str, kind: str) -> None:
    made = subprocess.run(["openssl", *command.split()], capture_output=True, check=True)
    found = clues_of_text("app/a.key", made.stdout, io.BytesIO(), Origin.PROJECT)
    assert [clue.kind for clue in found] == [kind]


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen makes the keys")
@pytest.mark.parametrize(
    ("options", "passphrase", "kind"),
    [
        ("-t ed25519", "", "private key"),
        ("-t ecdsa", "", "private key"),
        ("-t rsa -b 1024 -m PEM", "", "private key"),
        ("-t ed25519", "secret", "encrypted private key"),
    ],
)
def test_keys_of_openssh_are_told_apart(
    options: str, passphrase: str, kind: str, tmp_path: Path
) -> None:
    command = ["ssh-keygen", "-q", "-f", str(tmp_path / "key"), "-N", passphrase, *options.split()]
    subprocess.run(command, capture_output=True, check=True)
    private, public = (tmp_path / name for name in ("key", "key.pub"))
    assert clues(private.read_text()) == [kind]
    assert clues(public.read_text()) == []
