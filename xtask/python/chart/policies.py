"""What every rendered manifest must keep, whatever the values: each function yields what is wrong."""

import json
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

NAME = re.compile(r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
# The longest request takes 60 s (`src/api/middleware/edge.rs`).
LONGEST_REQUEST_S = 60
SECRET_NAME = re.compile(r"PASSWORD|SECRET|TOKEN|ACCESS_KEY|CREDENTIAL")
USER_INFO = re.compile(r"://[^/\s:@]+:[^/\s@]+@")
VOLUMES = {"configMap", "secret", "emptyDir", "projected", "persistentVolumeClaim", "downwardAPI"}
CLUSTER_WIDE = {"ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "Namespace", "CustomResourceDefinition"}
WORKLOADS = {"Deployment", "StatefulSet", "Job"}


def pods(documents: list[dict]) -> Iterator[tuple[str, dict, dict]]:
    """Name, labels and spec of every pod or pod template."""
    for document in documents:
        where = f"{document['kind']}/{document['metadata']['name']}"
        if document["kind"] == "Pod":
            yield where, document["metadata"].get("labels", {}), document["spec"]
        elif document["kind"] in WORKLOADS:
            template = document["spec"]["template"]
            yield where, template["metadata"].get("labels", {}), template["spec"]


def containers(documents: list[dict]) -> Iterator[tuple[str, dict]]:
    for where, _, spec in pods(documents):
        for container in spec.get("initContainers", []) + spec["containers"]:
            yield f"{where} container {container['name']}", container


def pod_security(documents: list[dict]) -> Iterator[str]:
    """The restricted Pod Security Standard, a read-only root, and no token of Kubernetes."""
    for where, _, spec in pods(documents):
        security = spec.get("securityContext", {})
        if security.get("runAsNonRoot") is not True or security.get("runAsUser", 0) == 0:
            yield f"{where}: may run as root"
        if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{where}: no seccomp profile"
        for host in ("hostNetwork", "hostPID", "hostIPC"):
            if spec.get(host):
                yield f"{where}: {host}"
        if spec.get("automountServiceAccountToken") is not False:
            yield f"{where}: a token of Kubernetes is mounted"
        for volume in spec.get("volumes", []):
            if not VOLUMES.intersection(volume):
                yield f"{where}: volume {volume['name']} of a kind that is not allowed"
    for where, container in containers(documents):
        security = container.get("securityContext", {})
        if security.get("allowPrivilegeEscalation") is not False or security.get("privileged"):
            yield f"{where}: may gain privileges"
        if security.get("readOnlyRootFilesystem") is not True:
            yield f"{where}: root is writable"
        if security.get("capabilities") != {"drop": ["ALL"]}:
            yield f"{where}: keeps capabilities"


def images(documents: list[dict]) -> Iterator[str]:
    for where, container in containers(documents):
        image = container["image"]
        tag = image.rsplit("/", 1)[-1].partition(":")[2]
        if "@sha256:" not in image and tag in ("", "latest"):
            yield f"{where}: image {image} may change under the same name"


def resources(documents: list[dict]) -> Iterator[str]:
    for where, container in containers(documents):
        given = container.get("resources", {})
        if not {"cpu", "memory"} <= set(given.get("requests", {})):
            yield f"{where}: no requests"
        # A user may take the limit of CPU away; what we ship has both.
        if not {"cpu", "memory"} <= set(given.get("limits", {})):
            yield f"{where}: no limits"


def secrets(documents: list[dict]) -> Iterator[str]:
    """Secrets are in secrets: not in variables, ConfigMaps or annotations."""
    for where, container in containers(documents):
        for variable in container.get("env", []):
            if SECRET_NAME.search(variable["name"]) and variable.get("value"):
                yield f"{where}: {variable['name']} holds a value"
    for document in documents:
        where = f"{document['kind']}/{document['metadata']['name']}"
        if document["kind"] == "Secret":
            continue
        if USER_INFO.search(json.dumps(document)):
            yield f"{where}: a URL with a password"
        if document["kind"] == "ConfigMap":
            for key, text in document.get("data", {}).items():
                if re.search(r"(?i)(password|secret_?access_?key|private key)\"?\s*[:=]\s*\S", f"{key}: {text}"):
                    yield f"{where}: {key} looks like a secret"


def probes_and_stop(documents: list[dict]) -> Iterator[str]:
    for document in documents:
        if document["kind"] != "Deployment":
            continue
        where, spec = f"Deployment/{document['metadata']['name']}", document["spec"]["template"]["spec"]
        container = spec["containers"][0]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            if probe not in container:
                yield f"{where}: no {probe}"
        if container.get("livenessProbe", {}).get("httpGet", {}).get("path") == "/readyz":
            yield f"{where}: would be restarted because the database is away"
        env = {variable["name"]: variable.get("value", "") for variable in container["env"]}
        delay, grace = int(env["STEPGATE_SHUTDOWN_DELAY_S"]), int(env["STEPGATE_SHUTDOWN_GRACE_S"])
        if grace <= LONGEST_REQUEST_S:
            yield f"{where}: a request may take {LONGEST_REQUEST_S} s, and the grace is {grace} s"
        if spec["terminationGracePeriodSeconds"] <= delay + grace:
            yield f"{where}: killed before it has stopped"
        if document["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] != 0:
            yield f"{where}: an update takes copies away before new ones are ready"


def references(documents: list[dict]) -> Iterator[str]:
    """Selectors select, and names name something."""
    def named(kind: str) -> set[str]:
        return {document["metadata"]["name"] for document in documents if document["kind"] == kind}

    def selected(selector: dict) -> bool:
        wanted = selector.get("matchLabels", selector).items()
        return any(wanted <= labels.items() for _, labels, _ in pods(documents))

    for document in documents:
        kind, where, spec = document["kind"], f"{document['kind']}/{document['metadata']['name']}", document.get("spec", {})
        if kind in ("Deployment", "StatefulSet"):
            if not spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items():
                yield f"{where}: does not select its own pods"
        elif kind == "Service" and not selected(spec["selector"]):
            yield f"{where}: selects nothing"
        elif kind == "PodDisruptionBudget" and not selected(spec["selector"]):
            yield f"{where}: selects nothing"
        elif kind == "HorizontalPodAutoscaler":
            target = spec["scaleTargetRef"]["name"]
            if target not in named("Deployment"):
                yield f"{where}: scales {target}, which is not there"
            for deployment in documents:
                if deployment["kind"] == "Deployment" and deployment["metadata"]["name"] == target and "replicas" in deployment["spec"]:
                    yield f"{where}: every upgrade would set the replicas back"
        elif kind == "Ingress":
            for path in spec["rules"][0]["http"]["paths"]:
                if path["backend"]["service"]["name"] not in named("Service"):
                    yield f"{where}: leads to no service"
        elif kind == "HTTPRoute":
            for backend in spec["rules"][0]["backendRefs"]:
                if backend["name"] not in named("Service"):
                    yield f"{where}: leads to no service"
    for where, _, spec in pods(documents):
        mounted = {mount["name"] for container in spec["containers"] for mount in container.get("volumeMounts", [])}
        there = {volume["name"] for volume in spec.get("volumes", [])}
        if where.startswith("StatefulSet"):
            there.add("data")
        if not mounted <= there:
            yield f"{where}: mounts {mounted - there}, which are not there"


def network(documents: list[dict]) -> Iterator[str]:
    """Where there is a policy, it covers every pod, both ways."""
    policies = [document for document in documents if document["kind"] == "NetworkPolicy"]
    if not policies:
        return
    for where, labels, _ in pods(documents):
        def covers(policy: dict) -> bool:
            selector = policy["spec"]["podSelector"]
            fits = selector.get("matchLabels", {}).items() <= labels.items()
            return fits and all(labels.get(rule["key"]) in rule["values"] for rule in selector.get("matchExpressions", []))

        covering = [policy for policy in policies if covers(policy)]
        if not covering:
            yield f"{where}: no policy covers it"
        if any(set(policy["spec"]["policyTypes"]) != {"Ingress", "Egress"} for policy in covering):
            yield f"{where}: its policy leaves a direction open"


def flows(documents: list[dict]) -> Iterator[str]:
    """A policy lets through what pods cannot do without: names, the database, AWS and BlockID, and callers."""
    policies = [document for document in documents if document["kind"] == "NetworkPolicy"]
    if not policies:
        return
    policy = next(p for p in policies if "matchExpressions" in p["spec"]["podSelector"])["spec"]
    out = {(port["protocol"], port["port"]) for rule in policy["egress"] for port in rule.get("ports", [])}
    into = {port["port"] for rule in policy["ingress"] for port in rule["ports"]}
    for where, container in containers(documents):
        url = next((v["value"] for v in container.get("env", []) if v["name"] == "STEPGATE_DATABASE_URL"), None)
        wanted = {("UDP", 53), ("TCP", 53)}
        if url is not None:
            wanted.add(("TCP", urlsplit(url).port or 5432))
        if container["name"] in ("serve", "worker"):
            wanted.add(("TCP", 443))
            if not {port["name"] for port in container["ports"]} <= into:
                yield f"{where}: nobody reaches it"
        if url is not None and not wanted <= out:
            yield f"{where}: does not get out to {sorted(wanted - out)}"


def disruptions(documents: list[dict]) -> Iterator[str]:
    """A node that is drained or lost keeps no pod from its place, and pods that are not ready keep no node from being drained."""
    for where, _, spec in pods(documents):
        for spread in spec.get("topologySpreadConstraints", []):
            if spread.get("nodeTaintsPolicy") != "Honor" or spread.get("matchLabelKeys") != ["pod-template-hash"]:
                yield f"{where}: waits for a place by {spread['topologyKey']} that there is not"
    for document in documents:
        if document["kind"] == "PodDisruptionBudget" and document["spec"].get("unhealthyPodEvictionPolicy") != "AlwaysAllow":
            yield f"PodDisruptionBudget/{document['metadata']['name']}: pods that are not ready hold a node"


def shape(documents: list[dict]) -> Iterator[str]:
    seen = set()
    for document in documents:
        name = document["metadata"]["name"]
        where = f"{document['kind']}/{name}"
        if document["kind"] in CLUSTER_WIDE:
            yield f"{where}: the chart needs no rights in Kubernetes"
        if len(name) > 63 or not NAME.match(name):
            yield f"{where}: not a usable name"
        if "namespace" not in document["metadata"]:
            yield f"{where}: no namespace"
        if where in seen:
            yield f"{where}: twice"
        seen.add(where)


def metrics_inside(documents: list[dict]) -> Iterator[str]:
    """What leads to the port of the metrics is for the cluster alone, and only headless services do."""
    inside = set()
    for document in documents:
        if document["kind"] != "Service":
            continue
        spec, name = document["spec"], document["metadata"]["name"]
        if any(port.get("targetPort") in ("metrics", 9090) for port in spec["ports"]):
            inside.add(name)
            if spec.get("clusterIP") != "None":
                yield f"Service/{name}: the metrics can be reached from outside"
    for document in documents:
        spec, where = document.get("spec", {}), f"{document['kind']}/{document['metadata']['name']}"
        backends = []
        if document["kind"] == "Ingress":
            backends = [path["backend"]["service"]["name"] for rule in spec["rules"] for path in rule["http"]["paths"]]
        elif document["kind"] == "HTTPRoute":
            backends = [backend["name"] for rule in spec["rules"] for backend in rule["backendRefs"]]
        if inside & set(backends):
            yield f"{where}: leads to the metrics, which can be reached from outside"


POLICIES = [pod_security, images, resources, secrets, probes_and_stop, references, network, flows, disruptions, metrics_inside, shape]


def complaints(documents: list[dict]) -> list[str]:
    """Everything that is wrong."""
    return [complaint for policy in POLICIES for complaint in policy(documents)]
