"""Which of the arguments is what is pushed."""

from pathlib import Path

import pytest

from builder.errors import SettingsError
from builder.push.arguments import is_project, split_arguments

REF = "registry.test/team/app:1"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("app", "layout", "neither"):
        (tmp_path / name).mkdir()
    (tmp_path / "app" / "pyproject.toml").touch()
    (tmp_path / "layout" / "pyproject.toml").touch()
    (tmp_path / "layout" / "oci-layout").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "source", "references"),
    [
        ([], ".", ()),
        ([REF], ".", (REF,)),
        ([REF, "other.test/app:1"], ".", (REF, "other.test/app:1")),
        (["localhost:5000/app", REF], ".", ("localhost:5000/app", REF)),
        # A project's directory, which would make a name too: of two, it is what one means.
        (["app"], "app", ()),
        (["neither"], ".", ("neither",)),
        (["app", REF], "app", (REF,)),
        (["./app"], "./app", ()),
        (["neither", REF, REF], "neither", (REF, REF)),
        (["./none", REF], "./none", (REF,)),
        (["second-brain:1.0", REF], "second-brain:1.0", (REF,)),
        (["localhost/app:1.0", REF], "localhost/app:1.0", (REF,)),
        (["oci:dist:1", REF], "oci:dist:1", (REF,)),
        (["oci-archive:x.tar", REF], "oci-archive:x.tar", (REF,)),
        (["docker-archive:x.tar", REF], "docker-archive:x.tar", (REF,)),
        (["containers-storage:x", REF], "containers-storage:x", (REF,)),
        ([f"docker://{REF}", "other.test/app"], f"docker://{REF}", ("other.test/app",)),
        # The image docker:24 of the builder's own store, not an image in a registry.
        (["docker:24", REF], "docker:24", (REF,)),
        # No reference at all: whoever reads it as one says why.
        (["registry.test/UPPER", REF], ".", ("registry.test/UPPER", REF)),
    ],
)
def test_the_first_of_several_may_be_the_source(
    arguments: list[str], source: str, references: tuple[str, ...]
) -> None:
    assert split_arguments(arguments) == (source, references)


@pytest.mark.parametrize("alone", ["oci:dist", f"docker://{REF}", "./layout", "/none"])
def test_a_source_alone_has_nowhere_to_go(alone: str) -> None:
    with pytest.raises(SettingsError) as caught:
        split_arguments([alone])
    assert caught.value.message == f"nowhere to push {alone} to: no REF was given"
    assert caught.value.hint == (
        f"write e.g. python -m builder push {alone} registry.example.com/team/app:1.0"
    )


def test_a_layout_is_no_project_whatever_else_it_holds() -> None:
    assert [name for name in ("app", "layout", "neither", "none", ".") if is_project(name)] == [
        "app"
    ]
