from dataclasses import replace
from pathlib import Path

import pytest

from builder.oci.platform import Platform
from builder.plan import make_plan
from builder.target import Libc, Python, Target
from tests.plan.bases import a_base, a_layer
from tests.plan.plans import BASE_RUN, REVISION, TARGET, application, keys, plan_of, planned


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


@pytest.mark.parametrize(
    ("table", "changed"),
    [
        ('default-groups = ["worker"]', {"dependencies", "project"}),
        ('no-binary-package = ["third"]', {"dependencies", "project"}),
        ("exclude-newer = 2024-01-01", {"dependencies", "project"}),
        ("[tool.uv.workspace]\nmembers = []", {"project"}),
        ('dev-dependencies = ["a"]', {"project"}),
        ('[tool.uv.build-backend]\nmodule-root = ""', {"project"}),
    ],
)
def test_what_uv_is_told_changes_the_keys_of_what_it_installs(
    table: str, changed: set[str], tmp_path: Path
) -> None:
    before = keys(plan_of(tmp_path))
    after = keys(plan_of(tmp_path, tables=f"[build-system]\n[tool.uv]\n{table}\n"))
    assert {name for name in before if before[name] != after[name]} == changed


def test_another_uv_changes_the_keys_of_what_it_installs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = keys(plan_of(tmp_path))
    monkeypatch.setattr("builder.plan.uv_version", lambda: "0")
    after = keys(plan_of(tmp_path))
    assert {name for name in before if before[name] != after[name]} == {"dependencies", "project"}


@pytest.mark.parametrize(
    ("wheel", "changed"),
    [
        ("third-1.0-py3-none-any.whl", {"project"}),
        ("third-1.0-cp312-cp312-win_amd64.whl", {"dependencies", "project"}),
    ],
)
def test_a_later_commit_changes_the_keys_of_what_is_built_here(
    wheel: str, changed: set[str], tmp_path: Path
) -> None:
    app = application(tmp_path)
    offered = tuple(
        {**package, "wheels": [{"url": f"https://files/{wheel}"}], "sdist": {"url": "https://s"}}
        for package in app.lock.packages
    )
    app = replace(app, lock=replace(app.lock, packages=offered))
    before = keys(planned(app))
    later = replace(REVISION, seconds=REVISION.seconds + 1)
    after = keys(planned(replace(app, revision=later)))
    assert {name for name in before if before[name] != after[name]} == changed
