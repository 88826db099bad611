from pathlib import Path

import pytest

from builder.errors import SettingsError
from builder.registry.docker_conf import DockerConf
from builder.registry.insecure import InsecureHosts


def daemon(directory: Path, text: str) -> Path:
    directory.mkdir(exist_ok=True)
    (directory / "daemon.json").write_text(text)
    return directory


def test_both_files_count(tmp_path: Path) -> None:
    own = daemon(
        tmp_path / "own", '{"registry-mirrors": ["https://a.test", "http://10.0.0.1:5000/"]}'
    )
    system = daemon(
        tmp_path / "etc",
        '{"insecure-registries": ["r.test:5000", "10.0.0.0/8"],'
        ' "registry-mirrors": ["https://a.test"], "debug": true}',
    )
    found = DockerConf.at(own, tmp_path / "none", system)
    assert found.mirrors == ("https://a.test", "http://10.0.0.1:5000/")
    assert found.insecure == InsecureHosts.of(["r.test:5000", "10.0.0.0/8"])


@pytest.mark.parametrize("text", ["", "{}", '{"insecure-registries": null}'])
def test_nothing_is_said(tmp_path: Path, text: str) -> None:
    assert DockerConf.at(daemon(tmp_path, text)) == DockerConf.at(tmp_path / "x") == DockerConf()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", " is not JSON: "),
        ("[]", ": expected a JSON object"),
        ('{"insecure-registries": "r"}', ": insecure-registries: expected a list of strings"),
        ('{"registry-mirrors": [1]}', ": registry-mirrors: expected a list of strings"),
        ('{"insecure-registries": ["10.0/8"]}', ": insecure-registries: '10.0/8' does not"),
        (
            '{"registry-mirrors": ["https://me:hunter2@m.test"]}',
            ": registry-mirrors: not the address of a mirror: 'm.test' with credentials before it",
        ),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(SettingsError) as caught:
        DockerConf.at(daemon(tmp_path, text))
    assert caught.value.message.startswith(f"{tmp_path}/daemon.json{reason}")


@pytest.mark.parametrize(
    ("host", "held"),
    [
        ("r.test:5000", True),
        ("r.test", False),
        ("r.test:5001", False),
        ("10.9.8.7", True),
        ("10.9.8.7:443", True),
        ("11.0.0.1", False),
        ("[fd00::1]:5000", True),
        ("[fd00::1]", True),
        ("[fe80::1]:5000", False),
        ("10.test", False),
    ],
)
def test_hosts_by_name_and_by_network(host: str, held: bool) -> None:  # noqa: FBT001
    listed = InsecureHosts.of(["r.test:5000", "10.1.2.3/8", "fd00::/8"])
    assert listed.hold(host) == held
    assert not InsecureHosts().hold(host)
