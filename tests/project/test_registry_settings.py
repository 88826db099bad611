from pathlib import Path
from typing import Any

import pytest

from builder.errors import SettingsError
from builder.project.settings import read_registry_settings
from builder.settings import RegistrySettings
from tests.project.pyprojects import refused, settings_of

HOST = 'expected host[:port] without a scheme, such as "registry.test:5000"'


def test_they_come_together(tmp_path: Path) -> None:
    chosen = settings_of(
        tmp_path,
        '[tool.builder]\nregistry-certs = "/certs"\n',
        environ={"BUILDER_REGISTRIES_CONF": "my.conf"},
        flags={"insecure-registries": ["r.test"]},
    )
    assert chosen.registries == RegistrySettings(
        insecure=("r.test",), certs="/certs", conf="my.conf"
    )


def test_paths_in_the_file_are_relative_to_it(tmp_path: Path) -> None:
    chosen = settings_of(
        tmp_path, '[tool.builder]\nregistry-certs = "certs"\nregistries-conf = "../r.conf"\n'
    )
    assert chosen.registry_certs == str(tmp_path / "certs")
    assert chosen.registries_conf == str(tmp_path / "../r.conf")


def test_without_a_project_environment_and_flags_count() -> None:
    environ = {
        "BUILDER_INSECURE_REGISTRIES": "a,b:1",
        "BUILDER_REGISTRY_CERTS": "certs",
        "BUILDER_PULL": "of no use here, and not read",
    }
    flags = {"registry-certs": "others", "registries-conf": None, "tags": ["not one of these"]}
    assert read_registry_settings(environ=environ, flags=flags) == RegistrySettings(
        insecure=("a", "b:1"), certs="others"
    )
    assert read_registry_settings(environ={}, flags={}) == RegistrySettings()


def test_without_a_project_refusals_are_the_same() -> None:
    with pytest.raises(SettingsError) as caught:
        read_registry_settings(environ={}, flags={"insecure-registries": ["ok", "http://r"]})
    assert caught.value.message == f"--insecure-registry: got 'http://r'; {HOST}"
    with pytest.raises(SettingsError, match="BUILDER_REGISTRY_CERT is unknown") as caught:
        read_registry_settings(environ={"BUILDER_REGISTRY_CERT": "x"}, flags={})
    assert caught.value.hint == "did you mean BUILDER_REGISTRY_CERTS?"


@pytest.mark.parametrize(
    ("line", "place", "got", "expectation"),
    [
        ("insecure-registries = 1", "", 1, "expected a list of strings"),
        ("insecure-registries = [1]", "[0]", 1, "expected a string that is not empty"),
        ('insecure-registries = ["a", "https://b"]', "[1]", "https://b", HOST),
        ('insecure-registries = ["a:b"]', "[0]", "a:b", HOST),
        (
            'insecure-registries = ["r.test/team"]',
            "[0]",
            "r.test/team",
            "expected a network such as 10.0.0.0/8, or a host alone",
        ),
        ("registry-certs = 1", "", 1, "expected a string that is not empty"),
        ('registry-certs = ""', "", "", "expected a string that is not empty"),
        ("registries-conf = []", "", [], "expected a string that is not empty"),
    ],
)
def test_what_is_none_of_them(
    tmp_path: Path, line: str, place: str, got: Any, expectation: str
) -> None:
    key = line.partition(" ")[0]
    message, _ = refused(tmp_path, f"[tool.builder]\n{line}\n")
    assert message == f"pyproject.toml: tool.builder.{key}{place}: got {got!r}; {expectation}"


def test_a_string_is_no_list(tmp_path: Path) -> None:
    _, hint = refused(tmp_path, '[tool.builder]\ninsecure-registries = "r.test"\n')
    assert hint == 'write insecure-registries = ["r.test"]'


def test_a_path_holds_no_zero(tmp_path: Path) -> None:
    message, _ = refused(tmp_path, '[tool.builder]\nregistry-certs = "/a\\u0000"\n')
    assert message.endswith("expected a path")
