from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.dependencies.grouping import OWN_LAYER_BYTES, Group, grouped
from builder.settings import LayerPolicy

LARGE, SMALL = OWN_LAYER_BYTES, OWN_LAYER_BYTES - 1


@dataclass(frozen=True)
class Sized:
    name: str
    size: int
    is_native: bool = False


def names(groups: list[Group[Sized]]) -> list[list[str]]:
    return [[member.name for member in group.members] for group in groups]


names_of_distributions = st.text(st.sampled_from("abcdefgh-0123"), min_size=1, max_size=6)
sizes = st.integers(0, 3 * OWN_LAYER_BYTES)
sets = st.dictionaries(names_of_distributions, st.tuples(sizes, st.booleans()), max_size=60).map(
    lambda found: [Sized(name, *facts) for name, facts in found.items()]
)
choices = st.sampled_from(
    [*LayerPolicy, (("a", "b"), ("c",)), (("not-there",),), (("a",), ("a0", "not-there"))]
)


@given(sets, choices, st.randoms())
def test_each_distribution_is_in_one_layer_and_there_is_one_frame(
    distributions: list[Sized], choice: LayerPolicy | tuple[tuple[str, ...], ...], chance: object
) -> None:
    groups = grouped(distributions, choice)
    members = [member for group in groups for member in group.members]
    assert sorted(members, key=str) == sorted(distributions, key=str)
    assert sum(group.is_frame for group in groups) == 1
    assert all(group.members or group.is_frame for group in groups)
    chance.shuffle(distributions)  # type: ignore[attr-defined]
    assert grouped(distributions, choice) == groups


@given(sets, st.builds(Sized, names_of_distributions.map("x{}".format), sizes, st.booleans()))
def test_another_distribution_moves_none(distributions: list[Sized], another: Sized) -> None:
    before = grouped(distributions, LayerPolicy.AUTO)
    after = grouped([*distributions, another], LayerPolicy.AUTO)
    left = [[name for name in group if name != another.name] for group in names(after)]
    assert [group for group in left if group] == [group for group in names(before) if group]


def test_large_distributions_have_layers_of_their_own_the_largest_first() -> None:
    groups = grouped(
        [Sized("b", LARGE), Sized("small", SMALL), Sized("a", LARGE), Sized("c", LARGE + 1)],
        LayerPolicy.AUTO,
    )
    assert names(groups)[:3] == [["c"], ["a"], ["b"]]
    assert [member.name for group in groups[3:] for member in group.members] == ["small"]


@pytest.mark.parametrize("choice", list(LayerPolicy))
def test_there_are_never_a_hundred_layers(choice: LayerPolicy) -> None:
    everything = [Sized(f"d{n}", 10**7 + n, is_native=n % 2 == 0) for n in range(400)]
    assert len(grouped(everything, choice)) <= 64 + 8 + 4


def test_one_layer_of_their_own_for_each() -> None:
    groups = grouped([Sized("a", 1), Sized("b", 2)], LayerPolicy.PER_PACKAGE)
    assert names(groups) == [["b"], ["a"], []]


def test_the_users_own_groups_and_the_rest() -> None:
    everything = [Sized(name, LARGE) for name in ("numpy", "scipy", "torch", "rest")]
    groups = grouped(everything, (("scipy", "numpy"), ("absent",), ("torch",)))
    assert names(groups) == [["numpy", "scipy"], ["torch"], ["rest"]]
    assert groups[-1].is_frame


def test_what_is_shared_is_small_and_spread() -> None:
    everything = [Sized(f"package-{number}", 1) for number in range(200)]
    groups = grouped(everything, LayerPolicy.AUTO)
    assert len(groups) == 8
    assert max(len(group.members) for group in groups) < 50


@given(sets, st.sets(names_of_distributions))
def test_pure_ones_share_the_same_layers_whatever_is_native_beside_them(
    distributions: list[Sized], others: set[str]
) -> None:
    def pure(groups: list[Group[Sized]]) -> list[Group[Sized]]:
        return [g for g in groups if g.is_frame or not any(m.is_native for m in g.members)]

    there = {each.name for each in distributions}
    elsewhere = [each for each in distributions if not each.is_native] + [
        Sized(name, SMALL, is_native=True) for name in sorted(others - there)
    ]
    first, second = (grouped(found, LayerPolicy.AUTO) for found in (distributions, elsewhere))
    assert pure(first) == pure(second)
