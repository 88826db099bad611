from pathlib import Path

import pytest

from builder.errors import SettingsError, exit_code
from builder.registry.registries_conf import ConfiguredMirror, Namespace, RegistriesConf


def conf(directory: Path, text: str) -> RegistriesConf:
    path = directory / "mine.conf"
    path.write_text(text)
    return RegistriesConf.at(str(path), None, directory / "nothing")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def blocking(*prefixes: str) -> str:
    return "".join(f'[[registry]]\nlocation = "{it}"\nblocked = true\n' for it in prefixes)


def test_the_longest_prefix_counts(tmp_path: Path) -> None:
    found = conf(
        tmp_path,
        blocking("r.test", "r.test/team", "r.test/team/app")
        + '[[registry]]\nprefix = "*.test"\n[[registry]]\nprefix = "*.r.test"\n',
    )

    def prefix(name: str) -> str | None:
        namespace = found.find(name)
        return namespace.prefix if namespace else None

    assert prefix("r.test/app") == "r.test"
    assert prefix("r.test/team/app") == "r.test/team/app"
    assert prefix("r.test/team/app/more") == "r.test/team/app"
    assert prefix("r.test/team/application") == "r.test/team"
    assert prefix("r.test/teams") == "r.test"
    assert prefix("r.test:5000/team") == "*.test"
    assert prefix("q.test/team") == "*.test"
    assert prefix("a.b.r.test/team") == "*.r.test"
    assert prefix("test/team") is None
    assert prefix("r.test.org/app") is None
    assert prefix("other/r.test/team") is None


def test_names_are_rewritten(tmp_path: Path) -> None:
    found = conf(
        tmp_path,
        '[[registry]]\nprefix = "r.test/foo"\nlocation = "inner.test:5000/bar/"\n'
        '[[registry]]\nprefix = "*.any.test"\nlocation = "one.test/all"\n'
        '[[registry]]\nprefix = "*.kept.test"\ninsecure = true\n',
    )
    for name, becomes in {
        "r.test/foo/app": "inner.test:5000/bar/app",
        "r.test/foo": "inner.test:5000/bar",
        "a.b.any.test/x/y": "one.test/all/x/y",
        "a.kept.test/x": "a.kept.test/x",
    }.items():
        namespace = found.find(name)
        assert namespace is not None
        assert namespace.at(namespace.location, name) == becomes


def test_a_registry_says_everything_of_its_images(tmp_path: Path) -> None:
    found = conf(
        tmp_path,
        """
        unqualified-search-registries = ["docker.io"]
        [[registry]]
        location = "r.test/"
        insecure = true
        what-nobody-knows-yet = 1
        [[registry.mirror]]
        location = "a.test"
        [[registry.mirror]]
        location = "b.test/x"
        insecure = true
        pull-from-mirror = "tag-only"
        [[registry.mirror]]
        location = "c.test"
        pull-from-mirror = "digest-only"
        [[registry.mirror]]
        location = "d.test"
        pull-from-mirror = "all"
        [[registry]]
        location = "s.test"
        mirror-by-digest-only = true
        [[registry.mirror]]
        location = "e.test"
        [aliases]
        "x" = "y.test/x"
        """,
    )
    path = tmp_path / "mine.conf"
    assert found.namespaces == {
        "r.test": Namespace(
            path=path,
            prefix="r.test",
            insecure=True,
            mirrors=(
                ConfiguredMirror(location="a.test"),
                ConfiguredMirror(location="b.test/x", insecure=True, digests=False),
                ConfiguredMirror(location="c.test", tags=False),
                ConfiguredMirror(location="d.test"),
            ),
        ),
        "s.test": Namespace(
            path=path,
            prefix="s.test",
            mirrors=(ConfiguredMirror(location="e.test", tags=False),),
        ),
    }


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "own"


@pytest.fixture
def system(tmp_path: Path) -> Path:
    return tmp_path / "system"


def prefixes(named: Path | None, own: Path | None, system: Path) -> set[str]:
    return set(RegistriesConf.at(str(named) if named else None, own, system).namespaces)


def test_nothing_is_configured(own: Path, system: Path) -> None:
    assert prefixes(None, own, system) == prefixes(None, None, system) == set()


def test_a_users_own_file_keeps_the_systems_away(own: Path, system: Path) -> None:
    write(system / "registries.conf", blocking("main.test"))
    write(system / "registries.conf.d/x.conf", blocking("system.test"))
    write(own / "registries.conf.d/x.conf", blocking("own.test"))
    assert prefixes(None, own, system) == {"main.test", "system.test", "own.test"}
    assert prefixes(None, None, system) == {"main.test", "system.test"}
    write(own / "registries.conf", blocking("mine.test"))
    assert prefixes(None, own, system) == {"mine.test", "own.test"}


def test_a_file_that_is_named_takes_the_place_of_both(
    tmp_path: Path, own: Path, system: Path
) -> None:
    write(tmp_path / "named.conf", blocking("named.test"))
    write(own / "registries.conf", blocking("mine.test"))
    write(own / "registries.conf.d/x.conf", blocking("own.test"))
    write(system / "registries.conf", blocking("main.test"))
    write(system / "registries.conf.d/x.conf", blocking("system.test"))
    assert prefixes(tmp_path / "named.conf", own, system) == {
        *("named.test", "own.test", "system.test")
    }


def test_drop_ins_replace_what_was_said_of_the_same_prefix(own: Path, system: Path) -> None:
    write(system / "registries.conf", blocking("a.test", "b.test", "c.test", "d.test"))
    allowed = '[[registry]]\nlocation = "{}.test"\n'
    write(system / "registries.conf.d/2.conf", allowed.format("b") + allowed.format("c"))
    write(system / "registries.conf.d/1.conf", blocking("b.test"))
    write(system / "registries.conf.d/3.conf.old", allowed.format("a"))
    write(system / "registries.conf.d/deeper/4.conf", allowed.format("a"))
    (system / "registries.conf.d/directory.conf").mkdir()
    write(own / "registries.conf.d/0.conf", blocking("c.test") + allowed.format("d"))
    found = RegistriesConf.at(None, own, system)
    blocked = {prefix: namespace.blocked for prefix, namespace in found.namespaces.items()}
    assert blocked == {"a.test": True, "b.test": False, "c.test": True, "d.test": False}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[[registry]", " is not TOML: "),
        ("registry = 1", ": registry: expected tables"),
        ("registry = [1]", ": registry: expected tables"),
        ("[[registry]]", ": registry 1: expected a location; only a prefix such as *.example.com"),
        ('[[registry]]\nprefix = "a.test"', ": registry 1: expected a location"),
        ("[[registry]]\nlocation = 1", ": registry 1: location: expected host[:port][/path]"),
        ('[[registry]]\nlocation = "https://a"', ": registry 1: location: expected host"),
        (
            '[[registry]]\nlocation = "a"\ninsecure = "yes"',
            ": registry 1: insecure: got 'yes'; expected true or false",
        ),
        (
            '[[registry]]\nlocation = "a"\n[[registry]]\nlocation = "b"\nblocked = 1',
            ": registry 2: blocked: got 1; expected true or false",
        ),
        (
            '[[registry]]\nlocation = "a"\n[[registry.mirror]]\ninsecure = true',
            ": registry 1: mirror 1: expected a location",
        ),
        (
            (
                '[[registry]]\nlocation = "a"\n[[registry.mirror]]\nlocation = "b"\n'
                'pull-from-mirror = "never"'
            ),
            (
                ": registry 1: mirror 1: pull-from-mirror: got 'never'; "
                "expected one of all, digest-only, tag-only"
            ),
        ),
        (
            (
                '[[registry]]\nlocation = "a"\nmirror-by-digest-only = true\n'
                '[[registry.mirror]]\nlocation = "b"\npull-from-mirror = "all"'
            ),
            (
                ": registry 1: mirror 1: pull-from-mirror cannot stand beside the registry's "
                "mirror-by-digest-only"
            ),
        ),
        (
            '[registries.insecure]\nregistries = ["a"]',
            ": the table [registries] is the format's version 1, which is not read",
        ),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(SettingsError) as caught:
        conf(tmp_path, text)
    assert caught.value.message.startswith(f"{tmp_path}/mine.conf{reason}")
    assert exit_code(caught.value) == 2


def test_a_file_that_is_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        RegistriesConf.at(str(tmp_path / "none"), None, tmp_path)
    assert caught.value.message == f"cannot read {tmp_path}/none: No such file or directory"


def test_a_file_that_cannot_be_reached_is_named(own: Path, system: Path) -> None:
    own.mkdir()
    (own / "registries.conf").symlink_to("registries.conf")
    with pytest.raises(
        SettingsError, match=r"cannot read .*/own/registries\.conf: Too many levels"
    ):
        RegistriesConf.at(None, own, system)


def test_a_broken_drop_in_is_named(own: Path, system: Path) -> None:
    write(own / "registries.conf.d/x.conf", "\0")
    with pytest.raises(SettingsError, match=r"own/registries\.conf\.d/x\.conf is not TOML"):
        RegistriesConf.at(None, own, system)
