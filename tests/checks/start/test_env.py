import pytest

from builder.checks.finding import Severity
from builder.checks.start.env import check_env

TOKEN = "ghp_" + "wI4pRqk8Yd2Zt6Vn1Xs7Lb3Mf9Hc5Gj0Ka8e"


def told(*env: str) -> list[tuple[str, Severity]]:
    return [(found.check, found.severity) for found in check_env({"Env": list(env)})]


@pytest.mark.parametrize(
    "name",
    ["DB_PASSWORD", "password", "API_KEY", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "SECRET_KEY"],
)
def test_a_secret_is_told_by_its_name_and_never_shown(name: str) -> None:
    (finding,) = check_env({"Env": [f"{name}=hunter2"]})
    assert (finding.check, finding.severity) == ("secret-in-env", Severity.WARNING)
    assert finding.message == (
        f"the variable {name} has the name of a secret, and a value, "
        "for everybody who has the image to read"
    )
    assert finding.fix == f"set {name} where the container is started, or mount a file"


@pytest.mark.parametrize(
    "pair",
    [
        "DB_PASSWORD=",
        "DB_PASSWORD",
        "DB_PASSWORD_FILE=hunter2",
        "DB_PASSWORD=/run/secrets/db",
        "GITHUB_TOKEN=${TOKEN}",
        "API_KEY=<yours>",
        "TOKEN_LIFETIME=one-hour",
        "USE_TOKEN=true",
        "MAX_TOKEN=4096",
        "GPG_KEY=7169605F62C751356D054A26A821E680E5FA6305",
        "PYTHON_SHA256=aa",
        "TOKENIZER=x",
    ],
)
def test_other_variables_are_let_go(pair: str) -> None:
    assert told(pair) == []


def test_what_looks_like_a_token_is_an_error_whatever_its_name() -> None:
    (finding,) = check_env({"Env": [f"SETTING={TOKEN}"]})
    assert (finding.check, finding.severity) == ("secret-in-env", Severity.ERROR)
    assert finding.message.startswith(
        "the variable SETTING holds what looks like a secret (GitHub token), for everybody"
    )
    assert told(f"TOKEN={TOKEN}", "X=\ud800") == [("secret-in-env", Severity.ERROR)]


@pytest.mark.parametrize("path", [":/bin", "/bin:", "/bin::/usr/bin", ".:/bin", "bin"])
def test_a_relative_path_is_told(path: str) -> None:
    assert told(f"PATH={path}") == [("relative-path", Severity.WARNING)]


def test_of_two_paths_the_last_counts() -> None:
    assert told("PATH=bin", "PATH=/bin") == told() == []


@pytest.mark.parametrize(
    "run",
    [
        {"Labels": {"note": TOKEN}},
        {"Labels": {TOKEN: "note"}},
        {"Cmd": ["/a", "--token", TOKEN]},
        {"Entrypoint": ["/a", f"--token={TOKEN}"]},
        {"Healthcheck": {"Test": ["CMD", "curl", TOKEN]}},
        {"OnBuild": [f"RUN echo {TOKEN}"]},
        {"Env": [f"{TOKEN}=x"]},
    ],
)
def test_the_rest_of_the_config_is_searched(run: dict[str, object]) -> None:
    [finding] = check_env(run)
    assert (finding.check, finding.severity) == ("secret-in-env", Severity.ERROR)
    assert TOKEN not in f"{finding.message}{finding.fix}"


@pytest.mark.parametrize(
    "name",
    [
        *("DB_PASS", "PGPASSWORD", "MYSQL_PWD", "DBPASSWORD", "SECRET_KEY_BASE", "FERNET_KEY"),
        *("DATA_ENC_KEY", "JWT_KEY", "RAILS_MASTER_KEY", "CLOUD_CREDS", "REDIS_AUTH"),
    ],
)
def test_more_names_of_secrets(name: str) -> None:
    assert told(f"{name}=hunter2") == [("secret-in-env", Severity.WARNING)]


@pytest.mark.parametrize(
    "pair",
    [
        *("FETCH_CREDENTIALS=include", "ACCESS_TOKEN=15m", "MAX_TOKEN=10000000", "PAD_TOKEN=[PAD]"),
        *("DB_PASSWORD=true", "API_KEY=https://keys.corp.net/a", "PWD=/app", "OLDPWD=x"),
    ],
)
def test_settings_of_such_a_name_are_let_go(pair: str) -> None:
    assert told(pair) == []
