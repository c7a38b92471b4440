"""Runs the `sh` blocks of docs/install.md as they stand, then starts the other presets (variants.py); prints one JSON object a check,
as check.py does.

`helm` and `kubectl` are the stand-in of cluster.py; `aws`, `psql`, `pg_dump`, `curl` and `openssl` are the real ones.
The database is behind TLS, so that the certificate is verified as in production.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import re
import ssl
import subprocess
import sys
import tempfile
import threading
import urllib.parse
from multiprocessing.connection import Listener
from pathlib import Path

import trustme
import yaml
from check import Report
from cluster import Cluster, Failed, install_commands
from helm import Helm
from net import PodIdentityAgent, Sink, TlsFront, free_port, wait_for
from variants import run_variants

SCRIPT_WITHIN_S = 300
TEST_MESSAGE = '''
sent="$(ls "$RECEIVED" | wc -l)"
post "$PARTNER_KEY" "/v1/webhooks/$webhook_id:test" '' > /dev/null
until [ "$(ls "$RECEIVED" | wc -l)" -gt "$sent" ]; do sleep 0.2; done
'''
# What happens before a block, by words of it: monitoring is refused until the Prometheus operator's kinds are there.
BEFORE = {"values-monitoring.yaml": '''
if helm upgrade stepgate helm/stepgate --namespace stepgate --reuse-values --values helm/stepgate/values-monitoring.yaml 2> refused.txt; then
  exit 1
fi
grep --quiet 'no matches for kind "ServiceMonitor"' refused.txt
kubectl create --filename "$CRDS"
'''}
# What happens after a block, by words of it.
MEANWHILE = {
    "/v1/webhooks": TEST_MESSAGE + '''
printf %s "$webhook_secret" > webhook-secret
''',
    # The signing secret is opened by the key that sealed it anew.
    "keys reseal": TEST_MESSAGE + '''
printf '%s\\n' "$ENCRYPTION_KEY" "$old_key" > encryption-keys
''',
    # AWS goes on after the dump was made: a tenant is suspended, another one is made.
    "pg_dump": '''
post "$PARTNER_KEY" "/v1/tenants/$tenant_id:suspend" '{"reason": "after the dump"}' > /dev/null
until get "/v1/tenants/$tenant_id" | grep --quiet '"ready": *true'; do sleep 0.2; done
settings="$(aws secretsmanager list-secrets --query "SecretList[?contains(Name, '$tenant_id/settings-')].Name" --output text)"
aws secretsmanager get-secret-value --secret-id "$settings" --query SecretString --output text > settings-meanwhile.json
late="$(post "$PARTNER_KEY" /v1/tenants "{\\"name\\": \\"Late\\", \\"blockid\\": {
  \\"tenant_dns\\": \\"$BLOCKID_TENANT_DNS\\", \\"community\\": \\"$BLOCKID_COMMUNITY\\",
  \\"client_id\\": \\"$BLOCKID_CLIENT_ID\\", \\"client_secret\\": \\"$BLOCKID_CLIENT_SECRET\\"}}" | grep -o 'tnt_[0-9a-z]*' | head -n 1)"
until get "/v1/tenants/$late" | grep --quiet '"ready": *true'; do sleep 0.2; done
post "$PARTNER_KEY" "/v1/tenants/$late/apps" '{"name": "Late app", "allowed_origins": ["https://late.example.com"]}' > /dev/null
until get "/v1/tenants/$late" | grep --quiet '"ready": *true'; do sleep 0.2; done
get "/v1/tenants/$late/apps" | grep -o '"client_id": *"[^"]*"' > late-client
''',
    # It is there again, with its app, under the id of the same app client.
    "cell rebuild": '''
until get "/v1/tenants/$late" | grep --quiet '"ready": *true'; do sleep 0.2; done
get "/v1/tenants/$late/apps" | grep -o '"client_id": *"[^"]*"' | cmp - late-client
''',
}
# The kinds that monitoring needs, as far as the stand-in for the cluster asks: their names.
CRDS = """
spec: { group: monitoring.coreos.com, names: { kind: ServiceMonitor }, versions: [{ name: v1 }] }
---
spec: { group: monitoring.coreos.com, names: { kind: PrometheusRule }, versions: [{ name: v1 }] }
"""


def blocks(page: str) -> list[tuple[str, str]]:
    """Heading and text of every `sh` block."""
    found, heading = [], "names"
    for part in re.finditer(r"^## (?P<heading>[^\n]+)$|^```sh\n(?P<code>.*?)^```$", page, re.MULTILINE | re.DOTALL):
        if part["heading"]:
            heading = part["heading"]
        else:
            found.append((heading, part["code"]))
    return found


def serve_commands(listener: Listener, cluster: Cluster) -> None:
    while True:
        try:
            connection = listener.accept()
        except OSError:
            return
        with connection:
            arguments, folder = connection.recv()
            try:
                connection.send((True, cluster.command(arguments, folder)))
            except Failed as failed:
                connection.send((False, f"{' '.join(arguments[:3])}: {failed}\n"))
            except Exception as error:  # the script must hear of it, whatever it is
                connection.send((False, f"{type(error).__name__}: {error}\n"))


def start_emulator(program: Path, folder: Path, log: Path) -> tuple[subprocess.Popen, str]:
    """An emulator of AWS of our own, which asks for every call whether the caller's policies allow it. It speaks TLS, because
    the bucket of a cell refuses anything else."""
    port = free_port()
    url = f"https://127.0.0.1:{port}"
    variables = {
        "PATH": os.environ["PATH"], "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "AUTH": "true", "TMPDIR": str(folder),
        "HOME": str(folder), "AWS_ENDPOINT_URL": url, "PERSIST_STATE": "0", "IOT_MTLS_ENABLED": "0",
        "USE_SSL": "1", "MINISTACK_SSL_CERT": str(folder / "server.pem"), "MINISTACK_SSL_KEY": str(folder / "server-key.pem")}
    with log.open("w") as output:
        process = subprocess.Popen(
            [program], env=variables, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    trust = ssl.create_default_context(cafile=folder / "ca.pem")
    if not wait_for(f"{url}/_ministack/health", lambda: process.poll() is None, trust):
        raise Failed(f"the emulator does not answer; see {log}")
    return process, url


def make_users(variables: dict[str, str]) -> dict[str, dict[str, str]]:
    """Sessions with exactly the policies of the two roles: what a pod would get for its role, which only EKS may assume."""
    def call(environment: dict[str, str], *arguments: str) -> dict:
        done = subprocess.run(["aws", *arguments, "--output", "json"], env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"aws {' '.join(arguments[:2])}: {done.stderr}")
        return json.loads(done.stdout or "{}")

    def iam(*arguments: str) -> dict:
        return call(variables, "iam", *arguments)

    found = {}
    for component in ("serve", "worker"):
        role = f"stepgate-{component}"
        iam("create-user", "--user-name", role)
        for policy in iam("list-attached-role-policies", "--role-name", role)["AttachedPolicies"]:
            iam("attach-user-policy", "--user-name", role, "--policy-arn", policy["PolicyArn"])
        for name in iam("list-role-policies", "--role-name", role)["PolicyNames"]:
            document = iam("get-role-policy", "--role-name", role, "--policy-name", name)["PolicyDocument"]
            iam("put-user-policy", "--user-name", role, "--policy-name", name, "--policy-document", json.dumps(document))
        key = iam("create-access-key", "--user-name", role)["AccessKey"]
        own = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
        session = call({**variables, **own}, "sts", "get-session-token")["Credentials"]
        found[component] = {
            "AWS_ACCESS_KEY_ID": session["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
            "AWS_SESSION_TOKEN": session["SessionToken"]}
    return found


def check_roles(report: Report, keys: dict[str, dict[str, str]], variables: dict[str, str]) -> None:
    """What neither role may do, though it would help an intruder."""
    def refused(component: str, *arguments: str) -> list[str]:
        done = subprocess.run(
            ["aws", *arguments], env={**variables, **keys[component]}, capture_output=True, text=True, check=False)
        if done.returncode == 0 or "AccessDenied" not in done.stderr:
            return [f"{component}: aws {' '.join(arguments[:2])}: {done.stdout}{done.stderr}"]
        return []

    listed = subprocess.run(
        ["aws", "secretsmanager", "list-secrets", "--output", "json"], env=variables, capture_output=True, text=True, check=True)
    names = [secret["Name"] for secret in json.loads(listed.stdout)["SecretList"]]
    credentials = next(name for name in names if "/credentials-" in name)
    settings = next(name for name in names if "/settings-" in name)
    read = ("secretsmanager", "get-secret-value", "--secret-id")
    report.check("access: neither role reads a client secret", refused("serve", *read, credentials) + refused("worker", *read, credentials))
    report.check("access: the API reads no settings and touches no stack", refused("serve", *read, settings) + refused(
        "serve", "cloudformation", "delete-stack", "--stack-name", "stepgate-cell-main"))
    report.check("access: the worker makes no role outside its path", refused(
        "worker", "iam", "create-role", "--role-name", "admin", "--assume-role-policy-document", "{}"))
    report.check("access: the worker reads no foreign secret", refused("worker", *read, "somebody-else"))


def check_other_account(report: Report, keys: dict[str, dict[str, str]], root: Path, variables: dict[str, str]) -> None:
    """A cell's role in another account is taken once the stack of the service's own roles names it, and not before."""
    other, role = {**variables, "AWS_ACCESS_KEY_ID": "222233334444"}, "arn:aws:iam::222233334444:role/stepgate-cell"

    def aws(environment: dict[str, str], *arguments: str) -> str:
        done = subprocess.run(["aws", *arguments, "--output", "json"], env=environment, capture_output=True, text=True, check=False)
        return "" if done.returncode == 0 else done.stderr

    def take(component: str) -> str:
        return aws({**variables, **keys[component]}, "sts", "assume-role", "--role-arn", role, "--role-session-name", "stepgate")

    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}}]}
    problems = [aws(other, "iam", "create-role", "--role-name", "stepgate-cell", "--assume-role-policy-document", json.dumps(trust))]
    problems += [f"{component} takes it before it is named" for component in keys if "AccessDenied" not in take(component)]
    problems.append(aws(
        variables, "cloudformation", "deploy", "--stack-name", "stepgate-access", "--capabilities", "CAPABILITY_NAMED_IAM",
        "--template-file", str(root / "src/provisioning/templates/access.yaml"), "--parameter-overrides", f"CellRoleArns={role}"))
    policy = "arn:aws:iam::123456789012:policy/stepgate-cell-roles"
    for component in keys:
        listed = subprocess.run(
            ["aws", "iam", "list-attached-role-policies", "--role-name", f"stepgate-{component}", "--output", "json"],
            env=variables, capture_output=True, text=True, check=False)
        problems += [] if policy in listed.stdout else [f"{component} does not have {policy}: {listed.stdout}{listed.stderr}"]
        problems.append(aws(variables, "iam", "attach-user-policy", "--user-name", f"stepgate-{component}", "--policy-arn", policy))
        problems.append(take(component))
    report.check("access: a cell's role in another account is taken once it is named", [problem for problem in problems if problem])


def make_admin(psql: Path, password: str) -> str:
    """A user of the database that may do what RDS's master user may, who is no superuser."""
    name = f"install_admin_{os.urandom(4).hex()}"
    url = os.environ["STEPGATE_TEST_DATABASE_URL"]
    statements = f"""CREATE ROLE {name} LOGIN NOSUPERUSER CREATEDB CREATEROLE PASSWORD '{password}';
        SELECT 'GRANT stepgate_app TO {name} WITH ADMIN OPTION' WHERE EXISTS (SELECT FROM pg_roles WHERE rolname = 'stepgate_app') \\gexec
    """
    done = subprocess.run(
        [psql, url, "--quiet", "--set", "ON_ERROR_STOP=1"], input=statements, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"psql: {done.stderr}")
    return name


def start_simulator(program: Path, secret: str, log: Path) -> tuple[subprocess.Popen, str]:
    host = f"127.0.0.1:{free_port()}"
    with log.open("w") as output:
        process = subprocess.Popen(
            [program, "--listen", host], env={"BLOCKID_SIM_CLIENT_SECRET": secret},
            stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    return process, host


def environment(
    arguments: argparse.Namespace, folder: Path, front: TlsFront, blockid_host: str, secret: str, aws_url: str, receiver: Sink,
    admin: str,
) -> dict[str, str]:
    """What the page's variables are here."""
    path = [folder / "bin", Path(sys.executable).parent, arguments.psql.parent, *os.environ["PATH"].split(os.pathsep)]
    return {
        "PATH": os.pathsep.join(map(str, path)),
        "HOME": str(folder),
        "AWS_ENDPOINT_URL": aws_url,
        "AWS_CA_BUNDLE": str(folder / "ca.pem"),
        # Twelve digits are the root of that account in the emulator.
        "AWS_ACCESS_KEY_ID": "123456789012",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "IMAGE": "registry.example.com/stepgate",
        "DATABASE_HOST": "localhost",
        "DATABASE_PORT": str(front.port),
        "DATABASE_CA": str(folder / "ca.pem"),
        "DATABASE_ADMIN": admin,
        "PGPASSWORD": secret,
        "BLOCKID_TENANT_DNS": blockid_host,
        "BLOCKID_CLIENT_ID": "demo-client",
        "BLOCKID_CLIENT_SECRET": secret,
        "WEBHOOK_URL": f"{receiver.url}/stepgate",
        "RECEIVED": str(folder / "received"),
        "CRDS": str(folder / "crds.yaml"),
    }


def run_page(report: Report, page: list[tuple[str, str]], root: Path, variables: dict[str, str]) -> bool:
    """Runs all blocks in one shell, as a reader would; a check each."""
    script = "set -euo pipefail\n"
    for number, (_, code) in enumerate(page):
        before, after = ("".join(lines for words, lines in hooks.items() if words in code) for hooks in (BEFORE, MEANWHILE))
        script += f"{before}\n{code}\n{after}\nprintf 'done {number}\\n' >&3\n"
    reader, writer = os.pipe()
    process = subprocess.Popen(
        ["bash", "-c", f"exec 3>&{writer}\n{script}"], cwd=root, env=variables, pass_fds=[writer], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    os.close(writer)
    try:
        output, _ = process.communicate(timeout=SCRIPT_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        output += f"\nnot done after {SCRIPT_WITHIN_S} s"
    with os.fdopen(reader) as pipe:
        done = {int(line.split()[1]) for line in pipe}
    for number, (heading, code) in enumerate(page):
        first = next(line for line in code.splitlines() if line.strip())
        problem = [] if number in done else [output[-4000:] if number == len(done) else "not reached"]
        report.check(f"docs/install.md, {heading}: {first[:60]}", problem)
    return len(done) == len(page)


def check_restored(report: Report, folder: Path, variables: dict[str, str]) -> None:
    """What was restored won over what AWS had gone on to."""
    meanwhile = json.loads((folder / "settings-meanwhile.json").read_text())
    listed = subprocess.run(
        ["aws", "secretsmanager", "batch-get-secret-value", "--filters", "Key=name,Values=stepgate/", "--output", "json"],
        env=variables, capture_output=True, text=True, check=False)
    problems = []
    if not meanwhile["suspended"]:
        problems.append("the tenant was not suspended after the dump")
    try:
        values = [json.loads(secret["SecretString"]) for secret in json.loads(listed.stdout)["SecretValues"] if "/settings-" in secret["Name"]]
        restored = next(value for value in values if value["tenant_id"] == meanwhile["tenant_id"])
        if restored["suspended"] or restored["generation"] <= meanwhile["generation"]:
            problems.append(f"AWS still has generation {restored['generation']}, suspended: {restored['suspended']}")
    except (ValueError, KeyError, StopIteration) as error:
        problems.append(f"{error!r}: {listed.stdout} {listed.stderr}")
    report.check("installation: what was restored won over what AWS had gone on to", problems)


def check_webhook(report: Report, receiver: Sink, secret: str) -> None:
    """Messages came, signed with the secret that was told, also after the encryption key was replaced."""
    key, problems, tests = base64.b64decode(secret.removeprefix("whsec_")), [], 0
    for path, headers, body in receiver.requests:
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        if path != "/stepgate" or expected not in headers["webhook-signature"].split(" "):
            problems.append(f"{path}: not signed with the secret: {body[:200]!r}")
        tests += json.loads(body)["type"] == "dev.stepgate.webhook.test"
    report.check("installation: signed messages before and after the encryption key was replaced", problems or (
        [] if tests == 3 else [f"{tests} test messages of 3"]))


def check_kept(report: Report, variables: dict[str, str]) -> None:
    """Removing the control plane removes nothing in AWS."""
    listed = subprocess.run(
        ["aws", "cloudformation", "describe-stacks", "--query", "Stacks[].[StackName, StackStatus]", "--output", "json"],
        env=variables, capture_output=True, text=True, check=True)
    stacks = {name: status for name, status in json.loads(listed.stdout) if status.endswith("_COMPLETE")}
    # Access, the cell, and one for each tenant.
    wanted = len(stacks) == 4 and {"stepgate-access", "stepgate-cell-main"} <= set(stacks)
    report.check("installation: without the control plane, AWS is as it was", [] if wanted else [str(stacks)])


def check_afterwards(report: Report, cluster: Cluster, front: TlsFront, secrets: list[str], logs: Path) -> None:
    report.check("installation: the database was reached by TLS alone", [] if front.taken and not front.refused else [
        f"{front.taken} connections by TLS, {front.refused} without"])
    text = "".join(log.read_text() for log in logs.glob("installation-*.log"))
    report.check("installation: workers took tenants through passes", [] if "pass ended" in text else ["no log of a pass"])
    report.check("installation: no secret in a log", ["a secret is in a log"] if any(secret in text for secret in secrets) else [])
    wrong = [f"{component} ended with {code}" for component, code, _ in cluster.stops if code != 0]
    wrong += [] if len(cluster.stops) >= 6 else [f"only {len(cluster.stops)} were stopped"]
    report.check("installation: SIGTERM ends every process in time and without an error", wrong)
    values = yaml.safe_load((cluster.helm.chart / "values.yaml").read_text())
    limits = {component: int(values[component]["resources"]["limits"]["memory"].removesuffix("Mi")) for component in ("serve", "worker")}
    # Empty where the system does not tell.
    held = cluster.peaks_mib
    report.check("installation: memory stays within the limits", [
        f"{component} held {held.get(component)} MiB of {limit}"
        for component, limit in limits.items() if held and not 0 < held.get(component, 0) <= limit])
    slowest = max((seconds for *_, seconds in cluster.stops), default=0)
    print(json.dumps({"note": f"peak memory {cluster.peaks_mib} MiB; slowest stop {slowest:.1f} s"}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    for name in ("stepgate", "simulator", "artifacts", "psql", "ministack", "logs"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.root = arguments.root.resolve()
    report = Report()
    page = blocks((arguments.root / "docs/install.md").read_text())
    for log in arguments.logs.glob("installation-*.log"):
        log.unlink()
    secret = "install-canary-" + os.urandom(12).hex()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "ca.pem")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate = authority.issue_cert("localhost", "127.0.0.1")
        certificate.configure_cert(context)
        certificate.private_key_pem.write_to_path(folder / "server-key.pem")
        for part in certificate.cert_chain_pems:
            part.write_to_path(folder / "server.pem", append=True)
        database = urllib.parse.urlsplit(os.environ["STEPGATE_TEST_DATABASE_URL"])
        front = TlsFront(context, (database.hostname, database.port))
        simulator, blockid_host = start_simulator(arguments.simulator, secret, arguments.logs / "installation-simulator.log")
        emulator, aws_url = start_emulator(arguments.ministack, folder, arguments.logs / "installation-emulator.log")
        receiver = Sink(folder / "received")
        (folder / "crds.yaml").write_text(CRDS)
        variables = environment(arguments, folder, front, blockid_host, secret, aws_url, receiver, make_admin(arguments.psql, secret))
        keys: dict[str, dict[str, str]] = {}

        # The page's associations: each of the two accounts with the role of its name.
        def keys_of(account: str) -> dict[str, str]:
            if not keys:
                keys.update(make_users(variables))
            return keys[account.removeprefix("stepgate-")]

        agent = PodIdentityAgent(folder / "pod-identity", keys_of)

        cluster = Cluster(
            Helm(arguments.root / "helm/stepgate"), arguments.stepgate, arguments.artifacts, folder, arguments.logs,
            overlay={"aws": {"endpointUrl": aws_url}, "config": {
                "shutdownDelayS": 1, "workerPollMs": 250, "allowedWebhookNetworks": ["127.0.0.1/32"]},
                "networkPolicy": {"extraEgress": [{"to": [{"ipBlock": {"cidr": "127.0.0.1/32"}}]}]}},
            # Plain HTTP to the simulator, which no value of the chart allows, and the emulator's certificate.
            variables={"STEPGATE_DEV_INSECURE_LOOPBACK": "1", "SSL_CERT_FILE": str(folder / "ca.pem")}, identity=agent.variables)
        address = str(folder / "cluster.socket")
        install_commands(folder / "bin", address, sys.executable)
        variables["API"] = f"http://127.0.0.1:{cluster.api_port}"
        try:
            with Listener(address, "AF_UNIX") as listener:
                threading.Thread(target=serve_commands, args=(listener, cluster), daemon=True).start()
                # The page writes files: not into the clone.
                work = folder / "work"
                work.mkdir()
                for entry in ("helm", "src", "docs"):
                    (work / entry).symlink_to(arguments.root / entry)
                if run_page(report, page, work, variables):
                    check_restored(report, work, variables)
                    check_roles(report, keys, variables)
                    check_other_account(report, keys, arguments.root, variables)
                    report.check("installation: pods found their roles' keys by EKS Pod Identity", [] if set(agent.asked) == {
                        "stepgate-serve", "stepgate-worker"} else [f"asked for: {agent.asked}"])
                    check_webhook(report, receiver, (work / "webhook-secret").read_text())
                    check_kept(report, variables)
                    canaries = [secret, *(work / "encryption-keys").read_text().split(), (work / "webhook-secret").read_text()]
                    check_afterwards(report, cluster, front, canaries, arguments.logs)
            run_variants(report, arguments, front, aws_url, folder)
        finally:
            for process in [*(process for process, _ in cluster.running.values()), *(process for _, process, _ in cluster.stopping)]:
                process.kill()
            for process in (simulator, emulator):
                process.terminate()
                process.wait(10)


if __name__ == "__main__":
    main()
