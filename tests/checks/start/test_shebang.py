import pytest

from builder.checks.start.shebang import script_of, wanted_by


@pytest.mark.parametrize(
    ("head", "script"),
    [
        (b"#!/bin/sh\necho", "/bin/sh"),
        (b"#! /bin/sh -e \n", "/bin/sh -e"),
        (b"#!/bin/sh\r\n", "/bin/sh\r"),
        (b"#!/bin/sh", "/bin/sh"),
        (b"#!/\xff\n", "/\udcff"),
        (b"#!/" + b"x" * 300, "/" + "x" * 253),
        (b"#!\n", ""),
        (b" #!/bin/sh\n", ""),
        (b"\x7fELF", ""),
        (b"", ""),
    ],
)
def test_a_script_s_first_line(head: bytes, script: str) -> None:
    assert script_of(head) == script


@pytest.mark.parametrize(
    ("script", "wanted"),
    [
        ("/bin/sh", ("/bin/sh", "")),
        ("/bin/sh -e", ("/bin/sh", "")),
        ("/usr/bin/env python3", ("/usr/bin/env", "python3")),
        ("/usr/bin/env\tpython3", ("/usr/bin/env", "python3")),
        ("/usr/bin/env -S A=1 uv run --script", ("/usr/bin/env", "uv")),
        ("/usr/bin/env -S PATH=/x python", ("/usr/bin/env", "")),
        ("/usr/bin/env -i python", ("/usr/bin/env", "")),
        ("/usr/bin/env python3 -u", ("/usr/bin/env", "python3 -u")),
        ("/usr/bin/env A=1 python3", ("/usr/bin/env", "")),
        ("/usr/bin/env -S 'my python'", ("/usr/bin/env", "")),
        ("/usr/bin/env -S ${X}/python", ("/usr/bin/env", "")),
        ("/usr/bin/env", ("/usr/bin/env", "")),
        ("", ("", "")),
    ],
)
def test_what_it_asks_for(script: str, wanted: tuple[str, str]) -> None:
    assert wanted_by(script) == wanted
