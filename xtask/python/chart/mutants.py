"""Manifests with one thing wrong, to show that each policy can fail."""

import copy


def _serve(documents: list[dict]) -> dict:
    return next(d for d in documents if d["kind"] == "Deployment" and d["metadata"]["name"].endswith("-serve"))


def _pod(documents: list[dict]) -> dict:
    return _serve(documents)["spec"]["template"]["spec"]


def _container(documents: list[dict]) -> dict:
    return _pod(documents)["containers"][0]


def _kind(documents: list[dict], kind: str) -> dict:
    return next(document for document in documents if document["kind"] == kind)


def _ports_out(documents: list[dict]) -> list[dict]:
    return [port for rule in _kind(documents, "NetworkPolicy")["spec"]["egress"] for port in rule.get("ports", [])]


def _variable(documents: list[dict], name: str) -> dict:
    return next(variable for variable in _container(documents)["env"] if variable["name"] == name)


# What is done to the manifests, and words of the complaint that must follow.
MUTANTS = {
    "runs as root": (lambda d: _pod(d)["securityContext"].update(runAsUser=0), "may run as root"),
    "no seccomp": (lambda d: _pod(d)["securityContext"].pop("seccompProfile"), "no seccomp"),
    "host network": (lambda d: _pod(d).update(hostNetwork=True), "hostNetwork"),
    "token mounted": (lambda d: _pod(d).pop("automountServiceAccountToken"), "token of Kubernetes"),
    "host path": (lambda d: _pod(d).setdefault("volumes", []).append({"name": "h", "hostPath": {"path": "/"}}), "not allowed"),
    "privileges": (lambda d: _container(d)["securityContext"].pop("allowPrivilegeEscalation"), "gain privileges"),
    "writable root": (lambda d: _container(d)["securityContext"].update(readOnlyRootFilesystem=False), "writable"),
    "capabilities": (lambda d: _container(d)["securityContext"].update(capabilities={"drop": ["ALL"], "add": ["NET_ADMIN"]}), "capabilities"),
    "latest": (lambda d: _container(d).update(image="a/b:latest"), "may change"),
    "no tag": (lambda d: _container(d).update(image="registry:5000/b"), "may change"),
    "no limits": (lambda d: _container(d)["resources"].pop("limits"), "no limits"),
    "no limit of CPU": (lambda d: _container(d)["resources"]["limits"].pop("cpu"), "no limits"),
    "no requests": (lambda d: _container(d)["resources"].pop("requests"), "no requests"),
    "password in a variable": (lambda d: _variable(d, "PGPASSWORD").update(value="x"), "PGPASSWORD holds a value"),
    "password in the URL": (lambda d: _variable(d, "STEPGATE_DATABASE_URL").update(value="postgres://u:p@h/d"), "URL with a password"),
    "password in a ConfigMap": (
        lambda d: d.append({"kind": "ConfigMap", "metadata": {"name": "c", "namespace": "n"}, "data": {"x": "password: y"}}),
        "looks like a secret"),
    "no readiness": (lambda d: _container(d).pop("readinessProbe"), "no readinessProbe"),
    "restarts without database": (lambda d: _container(d)["livenessProbe"]["httpGet"].update(path="/readyz"), "would be restarted"),
    "short grace": (lambda d: _variable(d, "STEPGATE_SHUTDOWN_GRACE_S").update(value="30"), "a request may take"),
    "killed early": (lambda d: _pod(d).update(terminationGracePeriodSeconds=30), "killed before"),
    "copies taken away": (lambda d: _serve(d)["spec"]["strategy"]["rollingUpdate"].update(maxUnavailable=1), "takes copies away"),
    "foreign selector": (lambda d: _serve(d)["spec"]["selector"]["matchLabels"].update(x="y"), "own pods"),
    "service without pods": (lambda d: _kind(d, "Service")["spec"]["selector"].update(x="y"), "selects nothing"),
    "budget without pods": (lambda d: _kind(d, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"].update(x="y"), "selects nothing"),
    "scales nothing": (lambda d: _kind(d, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"].update(name="x"), "not there"),
    "replicas beside scaling": (lambda d: _serve(d)["spec"].update(replicas=3), "set the replicas back"),
    "ingress to nowhere": (
        lambda d: _kind(d, "Ingress")["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"].update(name="x"), "no service"),
    "route to nowhere": (lambda d: _kind(d, "HTTPRoute")["spec"]["rules"][0]["backendRefs"][0].update(name="x"), "no service"),
    "ingress to the metrics": (
        lambda d: _kind(d, "Ingress")["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"].update(name="stepgate-serve-metrics"),
        "reached from outside"),
    "metrics on a balancer": (lambda d: next(s for s in d if s["kind"] == "Service" and s["metadata"]["name"].endswith("-worker-metrics"))["spec"].pop("clusterIP"),
        "reached from outside"),
    "mount of nothing": (lambda d: _pod(d).pop("volumes"), "which are not there"),
    "pod without policy": (lambda d: _serve(d)["spec"]["template"]["metadata"]["labels"].update({"app.kubernetes.io/name": "x"}), "no policy covers"),
    "open direction": (lambda d: _kind(d, "NetworkPolicy")["spec"].update(policyTypes=["Ingress"]), "direction open"),
    "no names": (lambda d: _ports_out(d)[0].update(port=54), "does not get out to [('UDP', 53)]"),
    "no way to the database": (
        lambda d: next(p for p in _ports_out(d) if p["port"] == 5432).update(port=5433), "does not get out to [('TCP', 5432)]"),
    "no way to AWS": (lambda d: next(p for p in _ports_out(d) if p["port"] == 443).update(port=80), "does not get out to [('TCP', 443)]"),
    "no callers": (lambda d: _kind(d, "NetworkPolicy")["spec"]["ingress"].pop(0), "nobody reaches it"),
    "counts lost nodes": (lambda d: _pod(d)["topologySpreadConstraints"][0].pop("nodeTaintsPolicy"), "waits for a place"),
    "counts pods of the version before": (
        lambda d: _pod(d)["topologySpreadConstraints"][1].pop("matchLabelKeys"), "waits for a place by kubernetes.io/hostname"),
    "unready pods hold a node": (
        lambda d: _kind(d, "PodDisruptionBudget")["spec"].pop("unhealthyPodEvictionPolicy"), "hold a node"),
    "rights in Kubernetes": (
        lambda d: d.append({"kind": "ClusterRole", "metadata": {"name": "c", "namespace": "n"}}), "needs no rights"),
    "long name": (lambda d: _serve(d)["metadata"].update(name="x" * 64 + "-serve"), "usable name"),
    "no namespace": (lambda d: _serve(d)["metadata"].pop("namespace"), "no namespace"),
    "twice": (lambda d: d.append(copy.deepcopy(_serve(d))), "twice"),
}
