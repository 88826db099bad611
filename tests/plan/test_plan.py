from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder.base.base import Base
from builder.errors import SettingsError
from builder.oci.platform import Platform
from builder.plan import Application, BuildPlan, make_plan
from builder.project.lock import read_lock
from builder.project.private_copy import source_digest
from builder.project.pyproject import read_pyproject
from builder.project.revision import Revision
from builder.project.settings import read_settings
from builder.project.source import find_source
from builder.target import Libc, Python, Target
from tests.plan.bases import NAME, a_base, a_layer

TARGET = Target(
    platform=Platform("linux", "amd64"),
    python=Python(version=(3, 12), path="/usr/local/bin/python3.12"),
    libc=Libc(name="glibc", version=(2, 36)),
)
REVISION = Revision(seconds=1_700_000_000, commit="abc", origin="git HEAD")
PATH = "/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BASE_RUN: dict[str, Any] = {
    "Env": [f"PATH={PATH}", "LANG=C.UTF-8", "PYTHON_VERSION=3.12.1"],
    "Cmd": ["python3"],
    "Labels": {"org.opencontainers.image.title": "Python", "maintainer": "them"},
    "StopSignal": "SIGINT",
}
UVICORN = ["uvicorn", "demo:app", "--host", "0.0.0.0", "--port", "8000"]
LOCK = """\
version = 1

[[package]]
name = "demo"
version = "{version}"
source = {{ editable = "." }}
dependencies = [{{ name = "third" }}]

[[package]]
name = "third"
version = "{third}"
source = {{ registry = "https://index.example.com/simple" }}
wheels = [{{ url = "https://files/third.whl", hash = "sha256:0" }}]
"""


def application(  # noqa: PLR0913 - what a plan is made from
    directory: Path,
    builder: str = 'app = "demo:app"',
    *,
    metadata: str = "",
    tables: str = "[build-system]\n",
    version: str = "1.0",
    third: str = "1.0",
    environ: Mapping[str, str] | None = None,
) -> Application:
    (directory / "src/demo").mkdir(parents=True, exist_ok=True)
    (directory / "src/demo/__init__.py").write_text("")
    (directory / "uv.lock").write_text(LOCK.format(version=version, third=third))
    (directory / "pyproject.toml").write_text(
        f'[project]\nname = "Demo_App"\nversion = "{version}"\n{metadata}\n{tables}'
        f"[tool.builder]\n{builder}\n"
    )
    pyproject = read_pyproject(directory)
    settings = read_settings(pyproject, environ=environ or {}, flags={})
    return Application(
        pyproject=pyproject,
        settings=settings,
        lock=read_lock(pyproject),
        source=find_source(pyproject, settings),
        revision=REVISION,
    )


def planned(app: Application, base: Base | None = None, target: Target = TARGET) -> BuildPlan:
    digest = source_digest(app.lock, app.pyproject, app.source)
    return make_plan(app, base or a_base(BASE_RUN), target, digest)


def plan_of(directory: Path, builder: str = 'app = "demo:app"', **other: Any) -> BuildPlan:
    return planned(application(directory, builder, **other))


def keys(plan: BuildPlan) -> dict[str, str]:
    return {layer.name: str(layer.key) for layer in plan.layers}


def test_the_config_is_the_base_s_with_the_house_s_laid_over_it(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    base = a_base(BASE_RUN)
    ours = {
        "org.opencontainers.image.title": "demo-app",
        "org.opencontainers.image.version": "1.0",
        "org.opencontainers.image.revision": "abc",
        "org.opencontainers.image.created": "2023-11-14T22:13:20Z",
        "org.opencontainers.image.base.name": NAME,
        "org.opencontainers.image.base.digest": str(base.digest),
    }
    assert plan.run == {
        "User": "1001:1001",
        "WorkingDir": "/app",
        "Env": [
            f"PATH=/app/.venv/bin:{PATH}",
            "LANG=C.UTF-8",
            "PYTHON_VERSION=3.12.1",
            "PYTHONDONTWRITEBYTECODE=1",
            "PYTHONUNBUFFERED=1",
        ],
        "ExposedPorts": {"8000/tcp": {}},
        "Cmd": UVICORN,
        "Labels": {"maintainer": "them", **ours},
        "StopSignal": "SIGINT",
    }
    assert plan.annotations == ours
    assert plan.created == "2023-11-14T22:13:20Z"


@pytest.mark.parametrize(
    ("builder", "base", "expected"),
    [
        ('user = "33:44"', {"User": "nobody"}, {"User": "33:44"}),
        ('user = "root"', {}, {"User": "0:0"}),
        (
            'workdir = "/srv/app"',
            {"WorkingDir": "/root"},
            {"WorkingDir": "/srv/app"},
        ),
        (
            'ports = [9000, "53/udp"]',
            {"ExposedPorts": {"80/tcp": {}}},
            {
                "ExposedPorts": {"80/tcp": {}, "9000/tcp": {}, "53/udp": {}},
                "Cmd": [*UVICORN[:-1], "9000"],
            },
        ),
        ("", {"ExposedPorts": None, "Labels": None}, {"ExposedPorts": {"8000/tcp": {}}}),
        ('cmd = ["a", "b"]', {}, {"Cmd": ["a", "b"]}),
        ("", {"Entrypoint": ["tini", "--"]}, {"Entrypoint": ["tini", "--"], "Cmd": UVICORN}),
        (
            'entrypoint = ["dumb-init"]',
            {"Entrypoint": ["tini"]},
            {"Entrypoint": ["dumb-init"], "Cmd": UVICORN},
        ),
        (
            'entrypoint = []\ncmd = ["a"]',
            {"Entrypoint": ["tini"]},
            {"Entrypoint": [], "Cmd": ["a"]},
        ),
        ('entrypoint = ["serve"]\ncmd = []', {}, {"Entrypoint": ["serve"], "Cmd": []}),
    ],
)
def test_settings_are_laid_over_the_base_s_config(
    builder: str, base: dict[str, Any], expected: dict[str, Any], tmp_path: Path
) -> None:
    app = application(tmp_path, f'app = "demo:app"\n{builder}')
    run = planned(app, a_base({**BASE_RUN, **base})).run
    assert {key: run[key] for key in expected} == expected


def test_an_entrypoint_alone_drops_the_base_s_command(tmp_path: Path) -> None:
    run = plan_of(tmp_path, 'entrypoint = ["serve"]').run
    assert run["Entrypoint"] == ["serve"]
    assert "Cmd" not in run


@pytest.mark.parametrize("builder", ["", "entrypoint = []", "cmd = []", 'app = "a:b"\ncmd = []'])
def test_an_image_with_nothing_to_run_is_refused(builder: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        plan_of(tmp_path, builder)
    assert caught.value.message == f"{tmp_path}/pyproject.toml: nothing says what the image runs"
    assert caught.value.hint == (
        'add [tool.builder] with app = "package.module:app", or cmd = ["..."]'
    )


def env_of(plan: BuildPlan) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in plan.run["Env"])


def test_env_settings_win_over_everything(tmp_path: Path) -> None:
    env = env_of(
        plan_of(
            tmp_path,
            'app = "demo:app"\nenv = { PYTHONUNBUFFERED = "", LANG = "de_DE", PATH = "/x", A = 1 }',
        )
    )
    assert env == {
        "PATH": "/x",
        "LANG": "de_DE",
        "PYTHON_VERSION": "3.12.1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "",
        "A": "1",
    }


def test_a_base_without_a_path_gets_the_usual_one(tmp_path: Path) -> None:
    env = env_of(planned(application(tmp_path), a_base({})))
    assert env["PATH"] == (
        "/app/.venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    )


def test_src_that_is_not_installed_is_on_the_python_path(tmp_path: Path) -> None:
    assert env_of(plan_of(tmp_path, tables=""))["PYTHONPATH"] == "/app/src"
    assert "PYTHONPATH" not in env_of(plan_of(tmp_path))


def test_labels_of_the_user_win_and_speak_for_the_manifest_too(tmp_path: Path) -> None:
    plan = plan_of(
        tmp_path,
        'app = "demo:app"\n[tool.builder.labels]\nteam = "a"\nmaintainer = "us"\n'
        '"org.opencontainers.image.title" = "Demo"\n'
        '"org.opencontainers.image.vendor" = "Us"\n',
    )
    for found in (plan.run["Labels"], plan.annotations):
        assert found["org.opencontainers.image.title"] == "Demo"
        assert found["org.opencontainers.image.vendor"] == "Us"
    assert plan.run["Labels"]["maintainer"] == "us"
    assert plan.run["Labels"]["team"] == "a"
    assert "team" not in plan.annotations


@pytest.mark.parametrize(
    ("metadata", "key", "value"),
    [
        ('description = "Notes"', "description", "Notes"),
        ('license = "MIT"', "licenses", "MIT"),
        ('license = { text = "MIT" }', "licenses", None),
        ('urls.Source = "https://a"', "source", "https://a"),
        ('urls.repository = "https://b"', "source", "https://b"),
        ('urls.Homepage = "https://c"', "source", None),
    ],
)
def test_annotations_tell_what_pyproject_tells(
    metadata: str, key: str, value: str | None, tmp_path: Path
) -> None:
    plan = plan_of(tmp_path, metadata=metadata)
    assert plan.annotations.get(f"org.opencontainers.image.{key}") == value


def test_the_name_is_the_project_s_when_no_tag_is_given(tmp_path: Path) -> None:
    assert [name.local for name in plan_of(tmp_path).names] == ["localhost/demo-app:latest"]
    plan = plan_of(tmp_path, 'app = "demo:app"\ntags = ["a:1", "registry.example.com/b"]')
    assert [name.local for name in plan.names] == [
        "localhost/a:1",
        "registry.example.com/b:latest",
    ]


def test_the_plan_is_the_same_wherever_the_project_lies(tmp_path: Path) -> None:
    here = plan_of(tmp_path / "here")
    there = plan_of(tmp_path / "somewhere/else")
    assert there == here
    assert there.key == here.key
    assert there.to_json() == here.to_json()
    assert str(tmp_path) not in str(here.to_json())


def test_a_release_of_the_project_keeps_the_layers_below(tmp_path: Path) -> None:
    before = keys(plan_of(tmp_path))
    after = keys(plan_of(tmp_path, version="2.0"))
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"project"}


def test_a_changed_source_file_changes_the_project_s_layer_alone(tmp_path: Path) -> None:
    before = plan_of(tmp_path)
    app = application(tmp_path)
    (tmp_path / "src/demo/__init__.py").write_text("A = 1\n")
    after = planned(app)
    changed = {name for name, key in keys(after).items() if key != keys(before)[name]}
    assert changed == {"project"}
    assert after.key != before.key


def test_another_dependency_changes_the_layers_above_the_account(tmp_path: Path) -> None:
    before = keys(plan_of(tmp_path))
    after = keys(plan_of(tmp_path, third="1.1"))
    assert {name for name in before if before[name] != after[name]} == {"dependencies", "project"}


@pytest.mark.parametrize(
    ("environ", "changed"),
    [
        ({"BUILDER_USER": "7:8"}, {"account", "dependencies", "project"}),
        ({"BUILDER_WORKDIR": "/srv"}, {"account", "dependencies", "project"}),
        ({"BUILDER_COMPRESSION": "none"}, {"account", "dependencies", "project"}),
        ({"BUILDER_EXTRAS": "a"}, {"dependencies", "project"}),
        ({"BUILDER_GROUPS": "a"}, {"dependencies", "project"}),
        ({"BUILDER_SOURCE": "src/demo"}, {"project"}),
        ({"BUILDER_TAGS": "a:1"}, set()),
        ({"BUILDER_PORTS": "9000"}, set()),
    ],
)
def test_a_choice_changes_the_keys_of_the_layers_it_shapes(
    environ: dict[str, str], changed: set[str], tmp_path: Path
) -> None:
    before = keys(plan_of(tmp_path))
    after = keys(plan_of(tmp_path, environ=environ))
    assert {name for name in before if before[name] != after[name]} == changed


def test_what_is_included_and_where_is_part_of_the_project_s_key(tmp_path: Path) -> None:
    (tmp_path / "conf").write_text("a")
    seen = set()
    for table in ("", ', mode = "0600"', ', mode = "0640"', ', owner = "0"'):
        app = application(
            tmp_path,
            f'app = "demo:app"\ninclude = [{{ source = "conf", destination = "/c"{table} }}]',
        )
        # The same digest of the sources, as when the choice is not in pyproject.toml.
        plan = make_plan(app, a_base(BASE_RUN), TARGET, a_base().digest)
        seen.add(keys(plan)["project"])
    assert len(seen) == 4


@pytest.mark.parametrize(
    "target",
    [
        replace(TARGET, libc=Libc(name="glibc", version=(2, 41))),
        replace(TARGET, python=Python(version=(3, 13), path="/usr/local/bin/python3.13")),
        replace(TARGET, python=Python(version=(3, 12), path="/usr/bin/python3.12")),
        replace(TARGET, platform=Platform("linux", "arm64")),
    ],
    ids=str,
)
def test_another_target_changes_what_is_installed(target: Target, tmp_path: Path) -> None:
    app = application(tmp_path)
    before, after = keys(planned(app)), keys(planned(app, target=target))
    assert {name for name in before if before[name] != after[name]} == {"dependencies", "project"}


def test_another_base_changes_every_layer(tmp_path: Path) -> None:
    app = application(tmp_path)
    before = planned(app)
    after = planned(app, a_base(BASE_RUN, layers=[a_layer("another")]))
    assert not set(keys(before).items()) & set(keys(after).items())
    assert after.key != before.key


def test_a_base_on_this_machine_s_disk_is_not_named(tmp_path: Path) -> None:
    app = application(tmp_path)
    here, there = (planned(app, a_base(BASE_RUN, name=f"oci:/{d}")) for d in ("here", "there"))
    for found in (here.annotations, here.run["Labels"]):
        assert "org.opencontainers.image.base.name" not in found
        assert found["org.opencontainers.image.base.digest"] == str(a_base(BASE_RUN).digest)
    assert here.to_json()["base"]["name"] == "oci:/here"
    assert here.key == there.key


def test_names_are_no_part_of_the_build_key_and_the_time_is(tmp_path: Path) -> None:
    app = application(tmp_path)
    plan = planned(app)
    renamed = planned(replace(app, settings=replace(app.settings, tags=("x:1",))))
    assert renamed.key == plan.key
    later = replace(REVISION, seconds=REVISION.seconds + 1)
    assert planned(replace(app, revision=later)).key != plan.key


def test_the_plan_prints_as_json(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    document = plan.to_json()
    assert set(document) == {
        *("base", "platform", "python", "libc", "layers"),
        *("config", "created", "annotations", "names"),
    }
    assert document["base"] == {"name": NAME, "digest": str(a_base(BASE_RUN).digest)}
    assert (document["platform"], document["python"]) == ("linux/amd64", "3.12")
    assert document["libc"] == "glibc 2.36"
    assert [layer["name"] for layer in document["layers"]] == [
        *("account", "dependencies", "project")
    ]
    assert document["layers"][2]["key"] == keys(plan)["project"]
