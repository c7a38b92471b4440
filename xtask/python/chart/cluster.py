"""A stand-in for a cluster, for the commands of `docs/install.md`: what the chart renders is started as processes.

It does for one release what Kubernetes would: resolves variables from secrets, lays mounted files out, runs the hook's
Job before anything else, waits for readiness, sends SIGTERM. What it changes is written in `Cluster._environment`: the
container's addresses become loopback addresses, because there is no network of pods.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import yaml
from cases import merged
from check import documents
from helm import Helm, Refused
from net import free_port, wait_for


class Failed(Exception):
    """A command that a real cluster would have refused, or something that did not come up."""


class Cluster:
    def __init__(self, helm: Helm, program: Path, artifacts: Path, folder: Path, logs: Path, overlay: dict, variables: dict, identity):
        self.helm, self.program, self.artifacts, self.folder, self.logs = helm, program, artifacts, folder, logs
        # What only the test needs: where the emulators are.
        self.overlay, self.variables = overlay, variables
        # Keys for the role that a service account is annotated with, as IRSA would give them.
        self.identity = identity
        self.secrets: dict[str, dict[str, str]] = {}
        self.config_maps: dict[str, dict[str, str]] = {}
        self.manifests: list[dict] = []
        self.running: dict[str, tuple[subprocess.Popen, int]] = {}
        self.api_port = free_port()
        self.stops: list[tuple[str, int, float]] = []

    # --- what a kubelet does ---------------------------------------------------------------------------------------

    def _mounts(self, spec: dict, container: dict) -> dict[str, Path]:
        """Lays the container's files out; folder by the path it is mounted at."""
        found = {}
        for mount in container.get("volumeMounts", []):
            volume = next(volume for volume in spec["volumes"] if volume["name"] == mount["name"])
            source = volume["configMap"]["name"] if "configMap" in volume else volume["secret"]["secretName"]
            items = volume.get("configMap", volume.get("secret"))["items"]
            files = (self.config_maps if "configMap" in volume else self.secrets)[source]
            folder = self.folder / "mounts" / mount["mountPath"].strip("/").replace("/", "-")
            folder.mkdir(parents=True, exist_ok=True)
            for item in items:
                # Once: a running copy may be reading it.
                if not (folder / item["path"]).exists():
                    (folder / item["path"]).write_text(files[item["key"]])
            found[mount["mountPath"]] = folder
        return found

    def _environment(self, spec: dict, container: dict, port: int) -> dict[str, str]:
        environment = {}
        mounts = self._mounts(spec, container)
        for variable in container.get("env", []):
            if "valueFrom" in variable:
                reference = variable["valueFrom"]["secretKeyRef"]
                if reference["key"] not in self.secrets.get(reference["name"], {}):
                    raise Failed(f"secret {reference['name']} has no key {reference['key']}")
                value = self.secrets[reference["name"]][reference["key"]]
            else:
                value = variable["value"]
            for path, folder in mounts.items():
                if value.startswith(f"{path}/"):
                    value = str(folder / value.removeprefix(f"{path}/"))
            # The pod's own address becomes a port on loopback.
            value = value.replace("0.0.0.0:8080", f"127.0.0.1:{port}")
            environment[variable["name"]] = value.replace("0.0.0.0:9090", f"127.0.0.1:{free_port()}")
        return {**environment, **self._keys(spec), **self.variables}

    def _keys(self, spec: dict) -> dict[str, str]:
        for manifest in self.manifests:
            if manifest["kind"] == "ServiceAccount" and manifest["metadata"]["name"] == spec.get("serviceAccountName"):
                return self.identity(manifest["metadata"]["annotations"]["eks.amazonaws.com/role-arn"])
        return {}

    def _pod(self, kind: str, ending: str) -> dict:
        for manifest in self.manifests:
            if manifest["kind"] == kind and manifest["metadata"]["name"].endswith(ending):
                return manifest["spec"] if kind == "Pod" else manifest["spec"]["template"]["spec"]
        raise Failed(f"there is no {kind} {ending}")

    def _run(self, spec: dict, container: dict, arguments: list[str] | None = None) -> str:
        """Runs a container to its end."""
        arguments = arguments or [self._resolved(argument) for argument in container["args"]]
        environment = self._environment(spec, container, 0)
        done = subprocess.run([self.program, *arguments], env=environment, capture_output=True, text=True, check=False)
        with (self.logs / "installation-containers.log").open("a") as log:
            log.write(f"--- {' '.join(arguments)}\n{done.stderr}")
        if done.returncode != 0:
            raise Failed(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
        return done.stdout

    def _resolved(self, argument: str) -> str:
        """Names of services become addresses."""
        return re.sub(r"^http://stepgate\.stepgate:80/", f"http://127.0.0.1:{self.api_port}/", argument)

    def _start(self, component: str) -> None:
        """A new copy that becomes ready; then the old one is asked to stop."""
        spec = self._pod("Deployment", f"-{component}")
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
        probe = container["readinessProbe"]["httpGet"]
        assert probe["port"] == container["ports"][0]["name"], "the probe names the port"
        assert container["ports"][0]["containerPort"] == 8080
        self._wait_ready(component, process, f"http://127.0.0.1:{port}{probe['path']}", log)
        if old is not None and component != "serve":
            self._stop(component, old)

    def _wait_ready(self, component: str, process: subprocess.Popen, url: str, log: Path) -> None:
        if wait_for(url, lambda: process.poll() is None):
            return
        raise Failed(f"{component} is not ready; end of its log:\n{log.read_text()[-2000:]}")

    def _stop(self, component: str, running: tuple[subprocess.Popen, int]) -> None:
        process, _ = running
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        grace = self._pod("Deployment", f"-{component}")["terminationGracePeriodSeconds"]
        try:
            code = process.wait(grace)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        self.stops.append((component, code, time.monotonic() - began))

    def stop_all(self) -> None:
        for component in list(self.running):
            self._stop(component, self.running.pop(component))

    def memory_mib(self) -> dict[str, int]:
        """Resident memory of what runs, where the system tells."""
        found = {}
        for component, (process, _) in self.running.items():
            status = Path(f"/proc/{process.pid}/status")
            if status.exists():
                # Nothing for one that has ended.
                if peak := re.search(r"VmHWM:\s+(\d+) kB", status.read_text()):
                    found[component] = int(peak[1]) // 1024
        return found

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
            case ["exec", target, "--", "/stepgate", *command]:
                return self._exec(target.removeprefix("deployment/stepgate-"), command)
            case ["scale", *deployments, replicas]:
                for component in (deployment.removeprefix("deployment/stepgate-") for deployment in deployments):
                    if replicas == "--replicas=0":
                        self._stop(component, self.running.pop(component))
                    else:
                        self._start(component)
                return ""
            case ["rollout", "status", target]:
                component = target.removeprefix("deployment/stepgate-")
                if component not in self.running:
                    raise Failed(f"{component} does not run")
                return ""
        raise Failed(f"kubectl {' '.join(rest)}: not known here")

    def _exec(self, component: str, command: list[str]) -> str:
        if component not in self.running:
            raise Failed(f"{component} does not run")
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
        if arguments[:3] != ["upgrade", "--install", "stepgate"]:
            raise Failed(f"helm {' '.join(arguments)}: not known here")
        files = [arguments[place + 1] for place, part in enumerate(arguments) if part == "--values"]
        values = merged(*(yaml.safe_load((working_folder / file).read_text()) for file in files), self.overlay)
        try:
            self.manifests = documents(self.helm.render(values))
        except Refused as refused:
            raise Failed(str(refused)) from refused
        job = self._pod("Job", "-migrate")
        self._run(job, job["containers"][0])
        for component in ("serve", "worker"):
            self._start(component)
        return ""


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
