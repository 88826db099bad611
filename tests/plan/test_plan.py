from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder.errors import SettingsError
from builder.plan import BuildPlan
from tests.plan.bases import NAME, a_base
from tests.plan.plans import BASE_RUN, PATH, REVISION, UVICORN, application, keys, plan_of, planned


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


def test_what_the_base_says_of_a_container_and_of_its_builders_is_dropped(tmp_path: Path) -> None:
    left_out = {
        "Hostname": "0123456789ab",
        "Domainname": "example",
        "MacAddress": "02:42:ac:11:00:02",
        "Image": "sha256:0",
        "OnBuild": ["COPY . /app", "RUN make"],
        "AttachStdin": False,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": True,
        "OpenStdin": True,
        "StdinOnce": True,
    }
    plan = planned(application(tmp_path), a_base({**BASE_RUN, **left_out}))
    assert plan.run.keys() == planned(application(tmp_path)).run.keys()
    assert plan.cautions == (
        "the base's ONBUILD instructions are not executed: COPY . /app; RUN make",
    )


@pytest.mark.parametrize("waiting", [None, []])
def test_a_base_that_waits_for_nothing_is_no_reason_for_caution(
    waiting: list[str] | None, tmp_path: Path
) -> None:
    plan = planned(application(tmp_path), a_base({**BASE_RUN, "OnBuild": waiting}))
    assert plan.cautions == ()
    assert "OnBuild" not in plan.run
