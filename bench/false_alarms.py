"""What the checks for secrets say of packages that many use: each finding is a false alarm.

``python -m bench.false_alarms [DIRECTORY]`` installs more than a hundred packages with all that
they need, looks at every file as a build does, and prints every finding and the processor's time.
With a directory, the environment in it is looked at, or made there.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uv

from builder.checks.finding import Finding
from builder.checks.inspect import inspect
from builder.checks.leaks.secrets import check_secrets
from builder.checks.subject import Ground, Origin, Subject
from builder.dependencies.distribution import Distribution, distributions
from builder.rootfs.file_index import FileIndex
from builder.rootfs.libraries import Libraries
from layers.tree import walk

_PACKAGES = """
django flask fastapi starlette uvicorn gunicorn tornado twisted[tls,conch] aiohttp sanic bottle
pyramid werkzeug jinja2 requests httpx urllib3 websockets scrapy beautifulsoup4 lxml
cryptography pyopenssl paramiko trustme service-identity pyjwt python-jose[cryptography] authlib
oauthlib requests-oauthlib passlib bcrypt pynacl rsa asyncssh keyring certifi josepy acme certbot
boto3 moto google-cloud-storage google-cloud-bigquery google-cloud-secret-manager google-auth
firebase-admin azure-identity azure-storage-blob azure-keyvault-secrets azure-servicebus
azure-cosmos msal kubernetes docker ansible-core openstacksdk hvac python-gitlab pygithub
slack-sdk stripe twilio sendgrid openai anthropic huggingface-hub python-telegram-bot
sqlalchemy alembic psycopg[binary] pymysql asyncpg redis pymongo elasticsearch celery kombu
confluent-kafka pika numpy pandas scipy scikit-learn matplotlib pillow pyarrow grpcio gevent
jupyterlab notebook ipython pytest tox mypy black ruff pre-commit poetry twine sphinx mkdocs
pydantic rich typer click pyyaml sentry-sdk opentelemetry-sdk prometheus-client streamlit dash
airbyte-api pysaml2 ldap3 fabric detect-secrets mitmproxy
"""

_AT = "app/.venv"


def installed(venv: Path) -> list[Distribution]:
    if not (venv / "pyvenv.cfg").exists():
        python = ["--python", "3.12"]
        subprocess.run([uv.find_uv_bin(), "venv", "--quiet", *python, venv], check=True)
        command = [uv.find_uv_bin(), "pip", "install", "--quiet", "--only-binary", ":all:"]
        subprocess.run([*command, "--python", venv / "bin/python", *_PACKAGES.split()], check=True)
    found, _rest = distributions(walk(venv, at=_AT), f"{_AT}/lib/python3.12/site-packages")
    return found


def findings(packages: list[Distribution], origin: Origin) -> list[Finding]:
    parts = (inspect(each.files, origin=origin, distribution=str(each)) for each in packages)
    ground = Ground(files=FileIndex(), libraries=Libraries())
    return check_secrets(Subject(parts=tuple(parts), ground=ground, target=None, run={}))


def report(venv: Path) -> None:
    packages = installed(venv)
    files = sum(len(each.files) for each in packages)
    size = sum(each.size for each in packages) / 1e6
    print(f"{len(packages)} distributions, {files} files, {size:.0f} MB")
    for origin in (Origin.DISTRIBUTION, Origin.PROJECT):
        began = time.process_time()
        found = findings(packages, origin)
        took = time.process_time() - began
        print(f"as {origin}: {len(found)} findings in {took:.1f} s of the processor")
        for each in found:
            path = each.path.partition("site-packages/")[2] or each.path
            print(f"  {each.distribution}: {path} {each.message}")


if __name__ == "__main__":
    if sys.argv[1:]:
        report(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            report(Path(scratch) / "venv")
