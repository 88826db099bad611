import pytest

from builder.debian.database.installed import Installed
from builder.debian.resolve.resolve import Resolution, resolve
from builder.errors import PackageError
from tests.debian.shelf import Shelf, root_with


def _resolve(shelf: Shelf, *wanted: str, root: Installed | None = None) -> Resolution:
    return resolve(wanted, index=shelf, installed=root or Installed(), architecture="amd64")


def _names(shelf: Shelf, *wanted: str, root: Installed | None = None) -> list[str]:
    return [str(package) for package in _resolve(shelf, *wanted, root=root).install]


def _failure(shelf: Shelf, *wanted: str, root: Installed | None = None) -> PackageError:
    with pytest.raises(PackageError) as failure:
        _resolve(shelf, *wanted, root=root)
    return failure.value


def test_what_is_needed_comes_along_and_what_is_recommended_does_not() -> None:
    shelf = Shelf("a\nDepends: b\nRecommends: r", "b\nPre-Depends: c\nSuggests: s", "c", "r", "s")
    assert _names(shelf, "a") == ["a (1)", "b (1)", "c (1)"]


def test_what_is_installed_counts() -> None:
    shelf = Shelf("a\nDepends: b, c", "b 2", "c")
    assert _names(shelf, "a", root=root_with("b 1")) == ["a (1)", "c (1)"]


def test_a_request_is_brought_up_to_date() -> None:
    found = _resolve(Shelf("a 2"), "a", root=root_with("a 1"))
    assert [str(package) for package in found.install] == ["a (2)"]


def test_a_request_that_is_there_needs_nothing() -> None:
    shelf = Shelf("a 1\nDepends: b", "b")
    found = _resolve(shelf, "a", root=root_with("a 2"))
    assert (found.install, found.requested) == ((), ("a",))


def test_a_circle() -> None:
    assert _names(Shelf("a\nDepends: b", "b\nDepends: a"), "b") == ["a (1)", "b (1)"]


def test_a_version_that_is_too_old_is_upgraded_with_what_it_needs() -> None:
    shelf = Shelf("a\nDepends: b (>= 2)", "b 2\nDepends: c", "c")
    assert _names(shelf, "a", root=root_with("b 1")) == ["a (1)", "b (2)", "c (1)"]


def test_what_needs_the_old_version_is_upgraded_too() -> None:
    shelf = Shelf("a\nDepends: b (>= 2)", "b 2", "d 2\nDepends: b (= 2)")
    root = root_with("b 1", "d 1\nDepends: b (= 1)")
    assert _names(shelf, "a", root=root) == ["a (1)", "b (2)", "d (2)"]


def test_what_was_built_together_is_upgraded_together() -> None:
    shelf = Shelf("a\nDepends: b (>= 2)", "b 2\nSource: s", "e 2\nSource: s", "f 2\nSource: t")
    root = root_with("b 1\nSource: s", "e 1\nSource: s", "f 1\nSource: t")
    assert _names(shelf, "a", root=root) == ["a (1)", "b (2)", "e (2)"]


def test_the_first_alternative_is_taken() -> None:
    assert _names(Shelf("a\nDepends: c | b", "b", "c"), "a") == ["a (1)", "c (1)"]


def test_an_alternative_that_is_not_there_is_passed_over() -> None:
    assert _names(Shelf("a\nDepends: x | b", "b"), "a") == ["a (1)", "b (1)"]


def test_an_alternative_that_cannot_be_installed_leaves_nothing_behind() -> None:
    shelf = Shelf("a\nDepends: b | c", "b\nDepends: d, e", "c", "d", "e\nDepends: missing")
    assert _names(shelf, "a") == ["a (1)", "c (1)"]


def test_an_alternative_that_is_installed_wins() -> None:
    shelf = Shelf("a\nDepends: c | b", "b", "c")
    assert _names(shelf, "a", root=root_with("b")) == ["a (1)"]


def test_an_alternative_that_was_asked_for_wins() -> None:
    assert _names(Shelf("a\nDepends: c | b", "b", "c"), "a", "b") == ["a (1)", "b (1)"]


def test_an_upgrade_wins_over_a_new_package() -> None:
    shelf = Shelf("a\nDepends: c | b (>= 2)", "b 2", "c")
    assert _names(shelf, "a", root=root_with("b 1")) == ["a (1)", "b (2)"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("x\nEssential: yes", "y\nPriority: required"),
        ("x\nProtected: yes", "y\nPriority: required"),
        ("x\nPriority: important", "y\nPriority: standard"),
        ("x\nPriority: optional", "y\nPriority: extra"),
    ],
)
def test_the_best_provider_is_taken(first: str, second: str) -> None:
    shelf = Shelf("a\nDepends: v", f"{first}\nProvides: v", f"{second}\nProvides: v")
    assert _names(shelf, "a") == ["a (1)", f"{first[0]} (1)"]


def test_of_equal_providers_apt_takes_what_it_heard_of_last() -> None:
    one, other = "x\nProvides: v", "y\nProvides: v"
    assert _names(Shelf("a\nDepends: v", one, other), "a") == ["a (1)", "y (1)"]
    assert _names(Shelf("a\nDepends: v", other, one), "a") == ["a (1)", "x (1)"]


def test_the_real_package_wins_over_its_providers() -> None:
    shelf = Shelf("a\nDepends: v", "b\nProvides: v\nPriority: required", "v")
    assert _names(shelf, "a") == ["a (1)", "v (1)"]


def test_an_installed_provider_is_enough() -> None:
    shelf = Shelf("a\nDepends: v", "v")
    assert _names(shelf, "a", root=root_with("b\nProvides: v")) == ["a (1)"]


def test_only_a_versioned_provides_meets_a_versioned_need() -> None:
    shelf = Shelf("a\nDepends: v (>= 2)", "b\nProvides: v", "c\nProvides: v (= 2)")
    assert _names(shelf, "a") == ["a (1)", "c (1)"]


def test_any_architecture_will_do_where_the_package_allows_it() -> None:
    shelf = Shelf("a\nDepends: b:any", "b\nMulti-Arch: allowed", "c\nDepends: d:any", "d")
    assert _names(shelf, "a") == ["a (1)", "b (1)"]
    assert "c -> d:any" in _failure(shelf, "c").message


@pytest.mark.parametrize("qualifier", ["native", "amd64"])
def test_the_own_architecture(qualifier: str) -> None:
    assert _names(Shelf(f"a\nDepends: b:{qualifier}", "b"), "a") == ["a (1)", "b (1)"]


def test_a_version_can_be_asked_for() -> None:
    shelf = Shelf("a 1\nDepends: b", "a 2", "b")
    assert _names(shelf, "a=1") == ["a (1)", "b (1)"]


def test_a_version_that_is_not_there() -> None:
    assert _failure(Shelf("a 1", "a 2"), "a=3").message == (
        "a 3 is not available; the archive has 2, 1"
    )


def test_a_virtual_request_has_its_only_provider() -> None:
    found = _resolve(Shelf("b\nProvides: v"), "v")
    assert [str(package) for package in found.install] == ["b (1)"]
    assert found.requested == ("b",)


def test_a_virtual_request_with_several_providers_is_refused() -> None:
    failure = _failure(Shelf("b\nProvides: v", "c\nProvides: v"), "v")
    assert "v is a virtual package: b, c provide it" in failure.message


def test_an_unknown_name_has_its_neighbours_shown() -> None:
    failure = _failure(Shelf("libpq5", "tzdata"), "libpq")
    assert failure.message == "libpq: the archive has no such package"
    assert failure.hint == "nearest: libpq5"


def test_names_may_have_signs() -> None:
    assert _names(Shelf("g++", "libstdc++6", "a.b-c"), "g++", "a.b-c") == ["a.b-c (1)", "g++ (1)"]


@pytest.mark.parametrize(
    "text", ["a:i386", "a/stable", "a*", "", "a b", "A", "a=", "-a", "a=1 2", "../a"]
)
def test_what_only_apt_understands_is_refused(text: str) -> None:
    assert "is not a package to install" in _failure(Shelf("a"), text).message


@pytest.mark.parametrize("text", ["a-", "a+"])
def test_a_removal_is_not_known_by_its_name(text: str) -> None:
    assert _failure(Shelf("a", "b"), text).message == f"{text}: the archive has no such package"


def test_the_order_of_requests_does_not_matter() -> None:
    shelf = Shelf("a\nDepends: x | y", "b\nDepends: y | x", "x\nBreaks: y", "y")
    assert _resolve(shelf, "a", "b") == _resolve(shelf, "b", "a", "b")


def test_what_is_missing_is_told_with_the_way_there() -> None:
    shelf = Shelf("libgl1\nDepends: libglx0 (>= 1.6)", "libglx0 1.7\nDepends: libx11-6")
    assert _failure(shelf, "libgl1").message == (
        "cannot install libgl1: libgl1 -> libglx0 (>= 1.6) -> libx11-6: not available"
    )


def test_a_version_that_is_missing_is_told_with_those_that_are_there() -> None:
    shelf = Shelf("a\nDepends: b (>= 3) | c", "b 2", "b 1")
    assert _failure(shelf, "a").message == (
        "cannot install a: a -> b (>= 3) | c: the archive has b 2, 1; not available"
    )


def test_a_conflict_with_what_is_installed_removes_nothing() -> None:
    failure = _failure(Shelf("a\nConflicts: b", "b"), "a", root=root_with("b"))
    assert "a (1) conflicts with b (1), which is installed" in failure.message
    assert failure.hint == "apt might remove packages to get on; here nothing is removed"


def test_a_conflict_that_an_installed_package_declares() -> None:
    failure = _failure(Shelf("a", "b\nBreaks: a"), "a", root=root_with("b\nBreaks: a"))
    assert failure.message.endswith("b (1) conflicts with a (1), which is chosen, by a")


def test_what_it_breaks_is_upgraded() -> None:
    shelf = Shelf("a\nBreaks: b (<< 2)", "b 2\nDepends: c", "c")
    assert _names(shelf, "a", root=root_with("b 1")) == ["a (1)", "b (2)", "c (1)"]


def test_what_breaks_it_is_upgraded() -> None:
    shelf = Shelf("a 2", "b 2")
    assert _names(shelf, "a", root=root_with("b 1\nBreaks: a (>= 2)")) == ["a (2)", "b (2)"]


def test_a_conflict_is_avoided_by_another_alternative() -> None:
    shelf = Shelf("a\nDepends: b | c\nConflicts: b", "b", "c")
    assert _names(shelf, "a") == ["a (1)", "c (1)"]


def test_a_conflict_of_two_requests() -> None:
    failure = _failure(Shelf("a\nConflicts: b", "b"), "a", "b")
    assert "a (1) conflicts with b (1), which is chosen" in failure.message


def test_a_package_may_conflict_with_what_it_provides() -> None:
    shelf = Shelf("a\nProvides: v\nConflicts: v", "b\nProvides: v\nConflicts: v")
    assert _names(shelf, "a") == ["a (1)"]
    assert "conflicts with" in _failure(shelf, "a", "b").message


def test_what_is_held_is_not_upgraded() -> None:
    root = root_with("b 1\nStatus: hold ok installed")
    failure = _failure(Shelf("a\nDepends: b (>= 2)", "b 2"), "a", root=root)
    assert "a -> b (>= 2)" in failure.message


def test_what_was_broken_before_is_left_alone() -> None:
    root = root_with("broken\nDepends: missing")
    assert _names(Shelf("a"), "a", root=root) == ["a (1)"]


def test_essential_packages_are_not_pulled_in() -> None:
    assert _names(Shelf("a", "base\nEssential: yes"), "a") == ["a (1)"]


def test_what_is_assumed_is_not_installed_and_needs_no_version() -> None:
    shelf = Shelf("a\nDepends: debconf (>= 9) | debconf-2.0, dpkg, b", "b", "dpkg", "debconf")
    found = resolve(
        ["a"],
        index=shelf,
        installed=Installed(),
        architecture="amd64",
        assumed={"debconf", "dpkg"},
    )
    assert [str(package) for package in found.install] == ["a (1)", "b (1)"]


def test_a_sibling_of_another_architecture_must_keep_up() -> None:
    root = root_with("b 1", "b 1\nArchitecture: i386")
    shelf = Shelf("a\nDepends: b (>= 2)", "b 2\nMulti-Arch: same")
    assert "b (1) for i386" in _failure(shelf, "a", root=root).message


def test_a_malformed_field_is_told_by_its_package() -> None:
    failure = _failure(Shelf("a\nDepends: b", "b\nDepends: c (>> )"), "a")
    assert failure.message.startswith("b 1: Depends has 'c (>> )'")
