import pytest

from builder.debian.resolve.relations import (
    Relation,
    conflicts,
    depends,
    mentions,
    parse_relations,
    provides,
    source,
)
from builder.errors import PackageError
from tests.debian.shelf import package


def test_alternatives_versions_and_qualifiers() -> None:
    one = package("a\nDepends: b (>= 1:2.0~), c:any | d:amd64 (= 3-1+b2) ,  libstdc++6(<<9)")
    assert parse_relations(one, "Depends") == (
        (Relation(name="b", operator=">=", version="1:2.0~"),),
        (
            Relation(name="c", qualifier="any"),
            Relation(name="d", qualifier="amd64", operator="=", version="3-1+b2"),
        ),
        (Relation(name="libstdc++6", operator="<<", version="9"),),
    )


def test_written_as_read() -> None:
    one = package("a\nDepends: c:any (>= 1) | d")
    assert [[str(relation) for relation in group] for group in depends(one)] == [
        ["c:any (>= 1)", "d"]
    ]


def test_old_operators_mean_what_they_meant() -> None:
    one = package("a\nBreaks: b (< 2), c (> 3)")
    assert [relation.operator for relation in conflicts(one)] == ["<=", ">="]


def test_folded_lines_and_a_comma_at_the_end() -> None:
    one = package("a")
    folded = type(one)(fields={**one.fields, "Depends": "b,\n c,\n"})
    assert [group[0].name for group in depends(folded)] == ["b", "c"]


def test_pre_depends_come_first() -> None:
    one = package("a\nDepends: b\nPre-Depends: c")
    assert [group[0].name for group in depends(one)] == ["c", "b"]


def test_provides_of_no_single_version_are_passed_over() -> None:
    one = package("a\nProvides: b (= 2), c, d (>= 1)")
    assert [str(relation) for relation in provides(one)] == ["b (= 2)", "c"]


def test_mentions_are_all_it_would_like() -> None:
    one = package("a\nDepends: b | c\nRecommends: d\nSuggests: e\nConflicts: f")
    assert [relation.name for relation in mentions(one)] == ["b", "c", "d", "e"]


@pytest.mark.parametrize(
    ("version", "admitted"), [("1", False), ("2", True), ("2.1", True), (None, False)]
)
def test_a_virtual_package_without_a_version_meets_no_versioned_need(
    version: str | None, *, admitted: bool
) -> None:
    assert Relation(name="a", operator=">=", version="2").admits(version) == admitted
    assert Relation(name="a").admits(version)


@pytest.mark.parametrize("value", ["b (2)", "b (>= )", "b c", "|b", "b [amd64]", "b (~ 1)", "-b"])
def test_a_malformed_field_is_refused_by_name(value: str) -> None:
    one = package(f"a 1.5\nDepends: {value}")
    with pytest.raises(PackageError, match=r"^a 1\.5: Depends has "):
        depends(one)


@pytest.mark.parametrize("field", ["Conflicts", "Breaks"])
def test_conflicts_have_no_alternatives(field: str) -> None:
    with pytest.raises(PackageError, match=rf"^a 1: {field} has 'b \| c'"):
        conflicts(package(f"a\n{field}: b | c"))


@pytest.mark.parametrize(
    ("field", "expected"),
    [("", ("a", "2")), ("Source: s", ("s", "2")), ("Source: s (1-3)", ("s", "1-3"))],
)
def test_source(field: str, expected: tuple[str, str]) -> None:
    assert source(package(f"a 2\n{field}")) == expected
