"""A stand-in for a cluster, for the commands of `docs/install.md`: what the chart renders is started as processes.

It does for one release what Kubernetes would: refuses kinds that were not installed, resolves variables from secrets, lays mounted
files out, runs the hook's Job before anything else or init containers before each pod, waits for readiness, sends SIGTERM. What it
changes is written in `Cluster._environment`: the container's addresses become loopback addresses, because there is no network of pods.
What is not here itself is in `Cluster.operators`: `store`, what External Secrets would read, and `database`, the trial PostgreSQL.
"""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import yaml
from cases import at, merged
from check import documents
from helm import Helm, Refused
from net import free_port, wait_for


# What a cluster has without anything installed. Other groups come with their CustomResourceDefinitions.
BUILT_IN = {"v1", "apps/v1", "batch/v1", "policy/v1", "autoscaling/v2", "networking.k8s.io/v1"}


# After how long pods hear that their deployment was scaled down. PostgreSQL waits 5 s for the connections to a database that is
# renamed: whoever does not wait for the pods finds it in use.
HEARD_AFTER_S = 7


class Failed(Exception):
    """A command that a real cluster would have refused, or something that did not come up."""


class Cluster:
    def __init__(self, helm: Helm, program: Path, artifacts: Path, folder: Path, logs: Path, overlay: dict, variables: dict, identity):
        self.helm, self.program, self.artifacts, self.folder, self.logs = helm, program, artifacts, folder, logs
        # What only the test needs: where the emulators are.
        self.overlay, self.variables = overlay, variables
        # What a pod of a service account is given to find its role's keys by, as EKS Pod Identity does.
        self.identity = identity
        self.secrets: dict[str, dict[str, str]] = {}
        self.config_maps: dict[str, dict[str, str]] = {}
        # Kinds that were installed, and what stands in for the programs that would act on them.
        self.kinds: set[str] = set()
        self.operators: dict = {}
        self.manifests: list[dict] = []
        # Values and manifests of every revision of the release.
        self.history: list[tuple[dict, list[dict]]] = []
        # Most memory that a process had, by component or command, MiB.
        self.peaks_mib: dict[str, int] = {}
        self.running: dict[str, tuple[subprocess.Popen, int]] = {}
        # Asked to stop and not waited for: what `kubectl scale` leaves behind.
        self.stopping: list[tuple[str, subprocess.Popen, float]] = []
        # Started and not waited for.
        self.coming: dict[str, tuple[subprocess.Popen, str, Path]] = {}
        self.api_port = free_port()
        self.stops: list[tuple[str, int, float]] = []

    # --- what a kubelet does ---------------------------------------------------------------------------------------

    def _mounts(self, spec: dict, container: dict) -> dict[str, Path]:
        """Lays the container's files out; folder by the path it is mounted at."""
        found = {}
        for mount in container.get("volumeMounts", []):
            volume = next(volume for volume in spec["volumes"] if volume["name"] == mount["name"])
            source = volume["configMap"]["name"] if "configMap" in volume else volume["secret"]["secretName"]
            files = (self.config_maps if "configMap" in volume else self.secrets)[source]
            everything = [{"key": key, "path": key} for key in files]
            items = volume.get("configMap", volume.get("secret")).get("items", everything)
            folder = self.folder / "mounts" / mount["mountPath"].strip("/").replace("/", "-")
            folder.mkdir(parents=True, exist_ok=True)
            for item in items:
                # Once: a running copy may be reading it.
                if not (folder / item["path"]).exists():
                    (folder / item["path"]).write_text(files[item["key"]])
            found[mount["mountPath"]] = folder
        for folder in found.values():
            for file in folder.iterdir():
                # Files name one another by where they are mounted.
                text = file.read_text()
                moved = _moved(text, found, '"')
                if moved != text:
                    file.write_text(moved)
        return found

    def _environment(self, spec: dict, container: dict, port: int) -> dict[str, str]:
        environment = {}
        mounts = self._mounts(spec, container)
        for variable in container.get("env", []):
            value = self._value(variable)
            value = _moved(value, mounts)
            if "database" in self.operators:
                value = value.replace("//stepgate-postgresql:5432/", f"//{self.operators['database'].address}/")
            # The pod's own address becomes a port on loopback.
            value = value.replace("0.0.0.0:8080", f"127.0.0.1:{port}")
            environment[variable["name"]] = value.replace("0.0.0.0:9090", f"127.0.0.1:{free_port()}")
        return {**environment, **self.identity(spec.get("serviceAccountName")), **self.variables}

    def _value(self, variable: dict) -> str:
        if "valueFrom" not in variable:
            return variable["value"]
        reference = variable["valueFrom"]["secretKeyRef"]
        if reference["key"] not in self.secrets.get(reference["name"], {}):
            raise Failed(f"secret {reference['name']} has no key {reference['key']}")
        return self.secrets[reference["name"]][reference["key"]]

    def _pod(self, kind: str, ending: str) -> dict:
        return self._template(kind, ending)["spec"]

    def _template(self, kind: str, ending: str) -> dict:
        """The pod, or what pods of that kind are made after."""
        for manifest in self.manifests:
            if manifest["kind"] == kind and manifest["metadata"]["name"].endswith(ending):
                return manifest if kind == "Pod" else manifest["spec"]["template"]
        raise Failed(f"there is no {kind} {ending}")

    def _run(self, spec: dict, container: dict, arguments: list[str] | None = None) -> str:
        """Runs a container to its end."""
        arguments = arguments or [self._resolved(argument) for argument in container["args"]]
        environment = self._environment(spec, container, 0)
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            process = subprocess.Popen(
                [self.program, *arguments], env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
            words = " ".join(part for part in arguments[:2] if re.fullmatch("[a-z-]+", part))
            # What the system adds up for a child that has ended begins with the memory of its parent.
            while process.poll() is None:
                self._note_memory(words, process)
                time.sleep(0.01)
            output.seek(0)
            errors.seek(0)
            printed, told = output.read(), errors.read()
        with (self.logs / "installation-containers.log").open("a") as log:
            log.write(f"--- {' '.join(arguments)}\n{told}")
        if process.returncode != 0:
            raise Failed(f"{' '.join(arguments)} ended with {process.returncode}:\n{told}")
        return printed

    def _resolved(self, argument: str) -> str:
        """Names of services become addresses."""
        return re.sub(r"^http://stepgate\.stepgate:80/", f"http://127.0.0.1:{self.api_port}/", argument)

    def _start(self, component: str, *, wait: bool = True) -> None:
        """A new copy that becomes ready; then the old one is asked to stop. Without `wait` as `kubectl scale` does it."""
        spec = self._pod("Deployment", f"-{component}")
        for container in spec.get("initContainers", []):
            self._run(spec, container)
        container = spec["containers"][0]
        old = self.running.pop(component, None)
        # There is no service in front: the one address goes over to the new copy as a service would do it.
        if component == "serve" and old is not None:
            self._stop(component, old)
        port = self.api_port if component == "serve" else free_port()
        log = self.logs / f"installation-{component}.log"
        with log.open("a") as output:
            process = subprocess.Popen(
                [self.program, *container["args"]],
                env=self._environment(spec, container, port), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )
        self.running[component] = (process, port)
        self.coming[component] = (process, self._probe(container, port), log)
        if wait:
            self._wait_ready(component)
        if old is not None and component != "serve":
            self._stop(component, old)

    @staticmethod
    def _probe(container: dict, port: int) -> str:
        probe = container["readinessProbe"]["httpGet"]
        assert probe["port"] == container["ports"][0]["name"], "the probe names the port"
        assert container["ports"][0]["containerPort"] == 8080
        return f"http://127.0.0.1:{port}{probe['path']}"

    def _wait_ready(self, component: str) -> None:
        process, url, log = self.coming.pop(component)
        if wait_for(url, lambda: process.poll() is None):
            return
        raise Failed(f"{component} is not ready; end of its log:\n{log.read_text()[-2000:]}")

    def _stop(self, component: str, running: tuple[subprocess.Popen, int]) -> None:
        self._ask_to_stop(component, running)
        self._wait_stopped()

    def _ask_to_stop(self, component: str, running: tuple[subprocess.Popen, int], after_s: int = 0) -> None:
        process, _ = running
        self._note_memory(component, process)
        if after_s:
            threading.Timer(after_s, process.send_signal, [signal.SIGTERM]).start()
        else:
            process.send_signal(signal.SIGTERM)
        self.stopping.append((component, process, time.monotonic() + after_s))

    def _wait_stopped(self) -> None:
        while self.stopping:
            self._wait_for_end(*self.stopping.pop())

    def _wait_for_end(self, component: str, process: subprocess.Popen, began: float) -> None:
        grace = self._pod("Deployment", f"-{component}")["terminationGracePeriodSeconds"]
        try:
            code = process.wait(grace + max(0, began - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        self.stops.append((component, code, time.monotonic() - began))

    def stop_all(self) -> None:
        for component in list(self.running):
            self._stop(component, self.running.pop(component))

    def _note_memory(self, component: str, process: subprocess.Popen) -> None:
        """Most resident memory that a copy had, where the system tells."""
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except OSError:
            return
        # Nothing for one that has ended.
        if peak := re.search(r"VmHWM:\s+(\d+) kB", status):
            self.peaks_mib[component] = max(int(peak[1]) // 1024, self.peaks_mib.get(component, 0))

    # --- the commands ----------------------------------------------------------------------------------------------

    def command(self, arguments: list[str], working_folder: str) -> str:
        """Runs `helm …` or `kubectl …`; returns what it prints."""
        program, *rest = arguments
        rest = [part for part in rest if part not in ("--namespace", "stepgate", "--wait")] if program == "kubectl" else rest
        if program == "helm":
            return self._helm(rest, Path(working_folder))
        match rest:
            case ["create", "namespace"] | ["label", "namespace", _]:
                return ""
            case ["create", "secret", "generic", name, *literals]:
                self.secrets[name] = dict(literal.removeprefix("--from-literal=").split("=", 1) for literal in literals)
                return ""
            case ["create", "configmap", name, *files]:
                pairs = (file.removeprefix("--from-file=").split("=", 1) for file in files)
                self.config_maps[name] = {key: (Path(working_folder) / path).read_text() for key, path in pairs}
                return ""
            case ["delete", "secret", name]:
                if self.secrets.pop(name, None) is None:
                    raise Failed(f'secrets "{name}" not found')
                return ""
            case ["create", "--filename", file]:
                for definition in yaml.safe_load_all((Path(working_folder) / file).read_text()):
                    spec = definition["spec"]
                    self.kinds |= {f"{spec['group']}/{version['name']}/{spec['names']['kind']}" for version in spec["versions"]}
                return ""
            case ["exec", target, "--", "/stepgate", *command]:
                return self._exec(target.removeprefix("deployment/stepgate-"), command)
            case ["scale", *deployments, replicas]:
                for component in (deployment.removeprefix("deployment/stepgate-") for deployment in deployments):
                    if replicas == "--replicas=0":
                        self._ask_to_stop(component, self.running.pop(component), HEARD_AFTER_S)
                    else:
                        self._start(component, wait=False)
                return ""
            case ["wait", "--for=delete", "pod", "--timeout=180s", "--selector", selector]:
                for deployment in ("serve", "worker"):
                    labels = self._template("Deployment", f"-{deployment}")["metadata"]["labels"]
                    if not _selects(selector, labels):
                        raise Failed(f"{selector} does not select the pods of {deployment}: {labels}")
                self._wait_stopped()
                return ""
            case ["rollout", "status", target]:
                component = target.removeprefix("deployment/stepgate-")
                if component not in self.running:
                    raise Failed(f"{component} does not run")
                if component in self.coming:
                    self._wait_ready(component)
                return ""
        raise Failed(f"kubectl {' '.join(rest)}: not known here")

    def _exec(self, component: str, command: list[str]) -> str:
        if component not in self.running or component in self.coming:
            raise Failed(f"{component} does not run, or is not ready")
        spec = self._pod("Deployment", f"-{component}")
        # The triggers of the image are those of this machine here.
        if "--artifacts" in command:
            place = command.index("--artifacts") + 1
            assert re.fullmatch(r"/artifacts/(arm64|x86_64)", command[place]), command[place]
            architecture = json.loads((self.artifacts / "manifest.json").read_text())["architecture"]
            command = [*command[:place], str(self.artifacts), *command[place + 1 :], "--architecture", architecture,
                       "--allowed-provider-network", "127.0.0.1/32"]
        return self._run(spec, spec["containers"][0], command)

    def _helm(self, arguments: list[str], working_folder: Path) -> str:
        if arguments[0] == "test":
            spec = self._pod("Pod", "-test")
            for container in spec["containers"]:
                self._run(spec, container)
            return ""
        if arguments[:2] == ["uninstall", "stepgate"]:
            if not self.history:
                raise Failed("uninstall: Release not loaded: stepgate: release: not found")
            self.stop_all()
            self.manifests, self.history = [], []
            return ""
        if arguments[:2] == ["rollback", "stepgate"]:
            if len(self.history) < 2:
                raise Failed("release has no earlier revision")
            # The hook is for installs and upgrades: the schema stays.
            self._roll_out(*self.history[-2], hooks=[])
            self._check_patience(arguments)
            return ""
        if arguments[:3] not in (["upgrade", "--install", "stepgate"], ["upgrade", "stepgate", "helm/stepgate"]):
            raise Failed(f"helm {' '.join(arguments)}: not known here")
        if "--install" not in arguments and not self.history:
            raise Failed('"stepgate" has no deployed releases')
        earlier = self.history[-1][0] if "--reuse-values" in arguments else {}
        files = [arguments[place + 1] for place, part in enumerate(arguments) if part == "--values"]
        settings = [arguments[place + 1] for place, part in enumerate(arguments) if part == "--set"]
        given = [at(*setting.split("=", 1)) for setting in settings]
        self.install(merged(earlier, *(yaml.safe_load((working_folder / file).read_text()) for file in files), *given, self.overlay))
        self._check_patience(arguments)
        return ""

    def _check_patience(self, arguments: list[str]) -> None:
        """Helm waits five minutes unless it is told otherwise, and gives up on a Job that may still be at work."""
        minutes = next((arguments[place + 1] for place, part in enumerate(arguments) if part == "--timeout"), "5m")
        assert re.fullmatch(r"\d+m", minutes), minutes
        longest_s = max((manifest["spec"]["activeDeadlineSeconds"] for manifest in self.manifests if manifest["kind"] == "Job"), default=0)
        if "--wait" in arguments and int(minutes[:-1]) * 60 <= longest_s:
            raise Failed(f"Helm gives up after {minutes}, and the Job may take {longest_s} s")

    def install(self, values: dict) -> None:
        """`helm upgrade --install` with these values."""
        try:
            manifests = documents(self.helm.render(values))
        except Refused as refused:
            raise Failed(str(refused)) from refused
        unknown = [
            f'resource mapping not found for name: "{manifest["metadata"]["name"]}": no matches for kind "{manifest["kind"]}" in version '
            f'"{manifest["apiVersion"]}"; ensure CRDs are installed first'
            for manifest in manifests
            if manifest["apiVersion"] not in BUILT_IN and f"{manifest['apiVersion']}/{manifest['kind']}" not in self.kinds]
        if unknown:
            raise Failed("unable to build kubernetes objects from release manifest: " + "\n".join(unknown))
        self._roll_out(values, manifests, hooks=[manifest for manifest in manifests if manifest["kind"] == "Job"])

    def _roll_out(self, values: dict, manifests: list[dict], hooks: list[dict]) -> None:
        self.manifests = manifests
        for job in hooks:
            spec = job["spec"]["template"]["spec"]
            self._run(spec, spec["containers"][0])
        for manifest in manifests:
            name = manifest["metadata"]["name"]
            if manifest["kind"] == "Secret":
                self.secrets[name] = {key: base64.b64decode(value).decode() for key, value in manifest["data"].items()}
            elif manifest["kind"] == "ExternalSecret":
                self.secrets[name] = {entry["secretKey"]: self.operators["store"][entry["remoteRef"]["key"]][entry["remoteRef"]["property"]]
                                      for entry in manifest["spec"]["data"]}
            elif manifest["kind"] == "StatefulSet":
                container = manifest["spec"]["template"]["spec"]["containers"][0]
                self.operators["database"].make({variable["name"]: self._value(variable) for variable in container["env"]})
        for component in ("serve", "worker"):
            self._start(component)
        self.history.append((values, manifests))


def _selects(selector: str, labels: dict[str, str]) -> bool:
    """Whether a selector of equalities and sets, `a=b,c in (d,e)`, takes these labels."""
    terms = re.findall(r"([\w./-]+)(?:=([\w.-]+)| in \(([^)]*)\))", selector)
    return bool(terms) and all(labels.get(key) in ([equals] if equals else members.split(",")) for key, equals, members in terms)


def _moved(text: str, mounts: dict[str, Path], before: str = "") -> str:
    """`text` with the folders that files are mounted at replaced by where they are here."""
    for path, folder in mounts.items():
        if before or text.startswith(f"{path}/"):
            text = text.replace(f"{before}{path}/", f"{before}{folder}/")
    return text


def install_commands(folder: Path, address: str, python: str) -> None:
    """Puts programs `helm` and `kubectl` into `folder` that hand their arguments over to the stand-in."""
    folder.mkdir(parents=True)
    for name in ("helm", "kubectl"):
        program = folder / name
        program.write_text(
            f"#!{python}\n"
            "import os, sys\n"
            "from multiprocessing.connection import Client\n"
            f"with Client({address!r}, 'AF_UNIX') as connection:\n"
            f"    connection.send(([{name!r}, *sys.argv[1:]], os.getcwd()))\n"
            "    ok, text = connection.recv()\n"
            "print(text, end='', file=sys.stdout if ok else sys.stderr)\n"
            "sys.exit(not ok)\n"
        )
        program.chmod(0o755)
    assert shutil.which("bash"), "bash is needed"
    assert os.name == "posix"
