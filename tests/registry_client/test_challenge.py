import pytest

from builder.registry.challenge import Challenge, parse_challenges


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("", []),
        ("Basic", [("basic", {})]),
        ('Basic realm="Registry Realm"', [("basic", {"realm": "Registry Realm"})]),
        (
            'Bearer realm="https://a/t",service="s",scope="repository:x:pull,push"',
            [("bearer", {"realm": "https://a/t", "service": "s",
                         "scope": "repository:x:pull,push"})],
        ),
        (
            'Basic realm="a, b" , BEARER Realm = "https://a/t" , error=invalid_token',
            [("basic", {"realm": "a, b"}),
             ("bearer", {"realm": "https://a/t", "error": "invalid_token"})],
        ),
        (r'Basic realm="say \"hi\""', [("basic", {"realm": 'say "hi"'})]),
        ("Negotiate, Basic realm=x", [("negotiate", {}), ("basic", {"realm": "x"})]),
    ],
)  # fmt: skip
def test_challenges_are_read(field: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    assert parse_challenges(field) == tuple(Challenge(*pair) for pair in expected)


def test_scopes_are_divided_by_blanks() -> None:
    [challenge] = parse_challenges('Bearer scope="repository:a:pull,push  repository:b:pull"')
    assert challenge.scopes == {"repository:a:pull,push", "repository:b:pull"}
    assert challenge.realm == ""
