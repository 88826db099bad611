from builder.checks.native.needing import needing_first
from tests.checks.native.abi_images import SITE, a_part, an_elf, found


def order(**needed: tuple[str, ...]) -> list[str]:
    elves = {f"lib/{name}.so": an_elf(*sonames) for name, sonames in needed.items()}
    return [path[4:-3] for path in needing_first(elves, elves)]


def test_what_needs_others_comes_first() -> None:
    assert order(a=(), b=("a.so",), c=("b.so", "a.so"), d=("x.so",)) == ["c", "b", "a", "d"]


def test_a_circle_is_entered_from_outside() -> None:
    assert order(a=("b.so",), b=("a.so",), c=("b.so",))[0] == "c"
    assert sorted(order(a=("b.so",), b=("a.so",))) == ["a", "b"]


def test_a_library_is_known_by_its_soname_too() -> None:
    elves = {"a.so.1.2": an_elf(soname="a.so.1"), "b": an_elf("a.so.1")}
    assert needing_first(elves, elves) == ["b", "a.so.1.2"]


def test_only_what_is_asked_about_is_in_it() -> None:
    elves = {"a": an_elf("b"), "b": an_elf("c"), "c": an_elf()}
    assert needing_first(["a", "c"], elves) == ["a", "c"]


def test_a_long_chain_is_followed_to_its_end() -> None:
    chain = {
        f"{SITE}/demo/lib{n}.so": an_elf(f"lib{n + 1}.so", soname=f"lib{n}.so", rpath=("$ORIGIN",))
        for n in range(2_000)
    }
    (finding,) = found(a_part(chain))
    assert finding.message == "needs lib2000.so, which is not in the image"
    assert finding.path == f"/{SITE}/demo/lib1999.so"
