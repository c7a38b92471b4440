"""Starts what is rendered for values that docs/install.md does not use: the preset for trials, and every option of the service at once.

Each run installs by the stand-in of cluster.py, so the binary starts with the rendered arguments, variables and files, and a setting
that the service does not take is found.
"""

import base64
import json
import os
import subprocess
import time
import urllib.request
from argparse import Namespace
from pathlib import Path

import yaml
from cases import EXTERNAL, IMAGE, OPTIONS, at, merged
from check import Report
from cluster import Cluster, Failed
from helm import Helm
from net import Sink, TlsFront

TRACES_WITHIN_S = 20
ISSUERS = """
[[issuer]]
name = "staff"
issuer = "https://login.example.com"
audience = "https://stepgate.example.com"
jwks_url = "https://login.example.com/keys"
role_claim = "groups"
roles = { operators = "operator" }
login = { client_id = "stepgate-console", client_secret_file = "/etc/stepgate/console-login/staff" }
"""


class TrialDatabase:
    """What the image of PostgreSQL does with its variables, on the server that is there."""

    def __init__(self, psql: Path, admin_url: str, address: str):
        self.psql, self.admin_url, self.address = psql, admin_url, address

    def sql(self, *statements: str) -> None:
        for statement in statements:
            done = subprocess.run(
                [self.psql, self.admin_url, "--quiet", "--set", "ON_ERROR_STOP=1", "--command", statement],
                capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise Failed(done.stderr)

    def make(self, variables: dict[str, str]) -> None:
        self.sql(
            f"CREATE ROLE {variables['POSTGRES_USER']} SUPERUSER LOGIN PASSWORD '{variables['POSTGRES_PASSWORD']}'",
            f"CREATE DATABASE {variables['POSTGRES_DB']} OWNER {variables['POSTGRES_USER']}")


def random_key() -> str:
    return base64.b64encode(os.urandom(32)).decode()


def ask(cluster: Cluster, path: str, key: str | None = None) -> str:
    request = urllib.request.Request(f"http://127.0.0.1:{cluster.api_port}{path}")
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read().decode()


def use(cluster: Cluster, values: dict) -> str:
    """Installs, tests, makes a key and asks by it; returns the key."""
    cluster.install(merged(values, cluster.overlay))
    cluster.command(["helm", "test", "stepgate"], ".")
    printed = cluster.command(["kubectl", "exec", "deployment/stepgate-serve", "--", "/stepgate", "keys", "bootstrap"], ".")
    key = json.loads(printed)["key"]
    json.loads(ask(cluster, "/v1/cells", key))
    return key


def small(cluster: Cluster, root: Path, database: TrialDatabase) -> list[str]:
    """The preset for trials, with nothing but what its first lines ask for."""
    preset = yaml.safe_load((root / "helm/stepgate/values-small.yaml").read_text())
    cluster.operators["database"] = database
    use(cluster, merged(preset, IMAGE, at("database.name", "stepgate_small")))
    return []


def everything(cluster: Cluster, front: TlsFront, authority: str, database: TrialDatabase, aws_url: str, traces: Sink) -> list[str]:
    """Every value of `config`, another than the default; secrets from a store, migrations in init containers by a user of their own."""
    password = os.urandom(12).hex()
    database.sql(
        f"CREATE ROLE stepgate_all_owner LOGIN PASSWORD '{password}'",
        f"CREATE ROLE stepgate_all_service LOGIN PASSWORD '{password}'",
        "GRANT stepgate_app TO stepgate_all_owner, stepgate_all_service",
        "CREATE DATABASE stepgate_all OWNER stepgate_all_owner")
    cluster.operators["store"] = {
        "stepgate/database": {"username": "stepgate_all_service", "password": password},
        "stepgate/owner": {"username": "stepgate_all_owner", "password": password},
        "stepgate/encryption": {"other": random_key(), "old": f"{random_key()},{random_key()}"},
    }
    cluster.kinds.add("external-secrets.io/v1/ExternalSecret")
    cluster.config_maps |= {"database-ca": {"ca.crt": authority}, "issuers": {"other.toml": ISSUERS}}
    cluster.secrets |= {
        "console-login": {"staff": "client-secret"},
        "aws-keys": {"AWS_ACCESS_KEY_ID": "123456789012", "AWS_SECRET_ACCESS_KEY": "test"},
    }
    # The encryption key comes from the store here.
    config = [at(path, value) for path, (value, _) in OPTIONS.items() if path.startswith("config.") and path != "config.encryption.existingSecret"]
    use(cluster, merged(
        EXTERNAL, *config, at("externalSecrets.migration.remoteKey", "stepgate/owner"),
        at("externalSecrets.encryption.remoteKey", "stepgate/encryption"),
        {"database": {"host": "localhost", "port": front.port, "name": "stepgate_all", "maxConnections": 12, "ca": {"configMap": "database-ca"}},
         "aws": {"region": "eu-central-1", "endpointUrl": aws_url, "existingSecret": "aws-keys"},
         "metrics": {"tenants": ["tnt_01jd7v0p3h8s5k2m4n6q9r1t0w"]},
         "tracing": {"endpoint": traces.url, "sampleRatio": 1},
         "networkPolicy": {"extraEgress": [{"to": [{"ipBlock": {"cidr": "127.0.0.1/32"}}]}]},
         "extraEnv": [{"name": "NO_PROXY", "value": "127.0.0.1"}]}))
    problems = []
    if "Sign in with staff" not in ask(cluster, "/console/sign-in"):
        problems.append("the console offers no sign-in by the trusted issuer")
    until = time.monotonic() + TRACES_WITHIN_S
    while not any(path == "/v1/traces" for path, *_ in traces.requests) and time.monotonic() < until:
        time.sleep(0.2)
    if not any(path == "/v1/traces" for path, *_ in traces.requests):
        problems.append("no trace came to the collector")
    last = (cluster.logs / "installation-serve.log").read_text().strip().splitlines()[-1]
    if last.startswith("{"):
        problems.append(f"the log is not text: {last}")
    return problems


def run_variants(report: Report, arguments: Namespace, front: TlsFront, aws_url: str, folder: Path) -> None:
    address = "{}:{}".format(*front.target)
    database = TrialDatabase(arguments.psql, os.environ["STEPGATE_TEST_DATABASE_URL"], address)
    authority = (folder / "ca.pem").read_text()
    traces = Sink(folder / "traces")
    runs = {
        "values-small.yaml": lambda cluster: small(cluster, arguments.root, database),
        "every option of the service": lambda cluster: everything(cluster, front, authority, database, aws_url, traces),
    }
    for name, run in runs.items():
        place = folder / name.replace(" ", "-")
        place.mkdir()
        cluster = Cluster(
            Helm(arguments.root / "helm/stepgate"), arguments.stepgate, arguments.artifacts, place, arguments.logs,
            # Nothing is in front that a stopping copy would have to wait for.
            overlay=at("config.shutdownDelayS", 0), variables={"SSL_CERT_FILE": str(folder / "ca.pem")}, identity=lambda _: {})
        try:
            problems = run(cluster)
            cluster.stop_all()
            problems += [f"{component} ended with {code}" for component, code, _ in cluster.stops if code != 0]
        except (Failed, OSError, KeyError, ValueError, StopIteration) as error:
            problems = [f"{type(error).__name__}: {error}"]
        finally:
            for process, _ in cluster.running.values():
                process.kill()
        report.check(f"started: {name}", problems)
