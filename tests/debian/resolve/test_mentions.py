from builder.debian.resolve.mentions import first_mention

_FIRST = b"""Package: a
Version: 1
Depends: c:any, libd
Description: d and e
 come later
Recommends: f
Pre-Depends: g

Package: d
Suggests: c | h
"""
_SECOND = b"Package: e\nConflicts: a\n"


def _order(*names: str) -> list[str]:
    return sorted(names, key=lambda name: first_mention(name, [_FIRST, _SECOND]))


def test_a_description_and_a_part_of_a_name_and_a_qualified_name_are_no_mentions() -> None:
    assert _order("e", "d", "c", "a") == ["a", "d", "c", "e"]


def test_fields_are_read_in_an_order_of_their_own() -> None:
    assert _order("f", "g", "libd") == ["g", "libd", "f"]


def test_what_is_never_mentioned_comes_last() -> None:
    assert _order("zz", "e", "h") == ["h", "e", "zz"]
