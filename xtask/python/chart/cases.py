"""What is rendered: every preset, every option, and values that must be refused."""

import copy

# What every installation has to give.
REQUIRED = {
    "image": {"repository": "registry.example.com/stepgate"},
    "database": {"host": "db.example.com", "existingSecret": "stepgate-database"},
}
IMAGE = {"image": {"repository": "registry.example.com/stepgate"}}
TRIAL = {**IMAGE, "postgresql": {"enabled": True}}
DIGEST = "sha256:" + "0123456789abcdef" * 4
ROLE = "arn:aws:iam::123456789012:role/stepgate"
FROM = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}]
RESOURCES = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "2Gi"}}
TOLERATIONS = [{"key": "spot", "operator": "Exists", "effect": "NoSchedule"}]
AFFINITY = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
    {"weight": 1, "podAffinityTerm": {"topologyKey": "kubernetes.io/hostname"}}]}}
EXTERNAL = {
    **IMAGE,
    "database": {"host": "db.example.com"},
    "externalSecrets": {
        "enabled": True,
        "secretStoreRef": {"name": "aws"},
        "database": {"remoteKey": "stepgate/database"},
    },
}


def merged(*parts: dict) -> dict:
    """`parts` laid over one another, as Helm does it."""
    result: dict = {}
    for part in parts:
        for key, value in part.items():
            if isinstance(value, dict) and isinstance(result.get(key), dict):
                result[key] = merged(result[key], value)
            else:
                result[key] = copy.deepcopy(value)
    return result


def at(path: str, value: object) -> dict:
    """`{"a": {"b": value}}` for `a.b`."""
    for part in reversed(path.split(".")):
        value = {part: value}
    return value


def _component(name: str) -> dict:
    scaled = merged(REQUIRED, at(f"{name}.autoscaling.enabled", True), at("database.serverMaxConnections", 500))
    return {
        f"{name}.replicas": (5, REQUIRED),
        f"{name}.resources": (RESOURCES, REQUIRED),
        f"{name}.serviceAccount.create": (False, REQUIRED),
        f"{name}.serviceAccount.name": ("mine", REQUIRED),
        f"{name}.serviceAccount.roleArn": (ROLE, REQUIRED),
        f"{name}.serviceAccount.annotations": ({"a": "b"}, REQUIRED),
        f"{name}.autoscaling.enabled": (True, REQUIRED),
        f"{name}.autoscaling.minReplicas": (3, scaled),
        f"{name}.autoscaling.maxReplicas": (9, scaled),
        f"{name}.autoscaling.targetCpuPercent": (50, scaled),
        f"{name}.podDisruptionBudget.enabled": (False, REQUIRED),
        f"{name}.podDisruptionBudget.maxUnavailable": ("50%", REQUIRED),
        f"{name}.topologySpread.enabled": (False, REQUIRED),
        f"{name}.topologySpread.whenUnsatisfiable": ("DoNotSchedule", REQUIRED),
        f"{name}.priorityClassName": ("high", REQUIRED),
        f"{name}.podAnnotations": ({"a": "b"}, REQUIRED),
        f"{name}.podLabels": ({"team": "identity"}, REQUIRED),
        f"{name}.nodeSelector": ({"kubernetes.io/arch": "arm64"}, REQUIRED),
        f"{name}.tolerations": (TOLERATIONS, REQUIRED),
        f"{name}.affinity": (AFFINITY, REQUIRED),
    }


_INGRESS = merged(REQUIRED, {"ingress": {"enabled": True, "host": "a.example.com"}, "networkPolicy": {"ingressFrom": FROM}})
_ROUTE = merged(REQUIRED, {"httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}]}, "networkPolicy": {"ingressFrom": FROM}})
_CA = merged(REQUIRED, at("database.ca.configMap", "rds-ca"))
_OWNER = merged(REQUIRED, at("database.migration.existingSecret", "owner"))
_MONITOR = merged(REQUIRED, at("metrics.serviceMonitor.enabled", True), at("networkPolicy.metricsFrom", FROM))
_KEY = merged(REQUIRED, at("config.encryption.existingSecret", "encryption"))
_RULES = merged(REQUIRED, at("metrics.prometheusRule.enabled", True))
_BOARDS = merged(REQUIRED, at("metrics.dashboards.enabled", True))
_OUT = merged(REQUIRED, at("networkPolicy.extraEgress", [{"ports": [{"protocol": "TCP", "port": 4318}]}]))
_TRACED = merged(_OUT, at("tracing.endpoint", "http://collector.example.com:4318"))
_LAG = merged(REQUIRED, at("worker.autoscaling.enabled", True), at("worker.autoscaling.queueLag.enabled", True))

# Every value of values.yaml: another value, and what it is laid over. Rendering it must change something.
OPTIONS: dict[str, tuple[object, dict]] = {
    "nameOverride": ("gate", REQUIRED),
    "fullnameOverride": ("gate", REQUIRED),
    "commonLabels": ({"team": "identity"}, REQUIRED),
    "image.repository": ("registry.example.com:5000/other/stepgate", REQUIRED),
    "image.tag": ("1.2.3", REQUIRED),
    "image.digest": (DIGEST, REQUIRED),
    "image.pullPolicy": ("Always", REQUIRED),
    "image.pullSecrets": (["registry"], REQUIRED),
    "database.host": ("other.example.com", REQUIRED),
    "database.port": (6432, REQUIRED),
    "database.name": ("other", REQUIRED),
    "database.sslMode": ("verify-ca", REQUIRED),
    "database.ca.configMap": ("rds-ca", REQUIRED),
    "database.ca.secret": ("stepgate-db-ca", REQUIRED),
    "database.ca.key": ("global-bundle.pem", _CA),
    "database.existingSecret": ("other", REQUIRED),
    "database.usernameKey": ("user", REQUIRED),
    "database.passwordKey": ("pass", REQUIRED),
    "database.maxConnections": (12, REQUIRED),
    "database.serverMaxConnections": (500, REQUIRED),
    "database.migration.existingSecret": ("owner", REQUIRED),
    "database.migration.usernameKey": ("user", _OWNER),
    "database.migration.passwordKey": ("pass", _OWNER),
    "database.migration.run": ("init", REQUIRED),
    "database.migration.backoffLimit": (0, REQUIRED),
    "database.migration.activeDeadlineSeconds": (60, REQUIRED),
    "database.migration.resources": (RESOURCES, REQUIRED),
    "database.migration.podAnnotations": ({"sidecar.istio.io/inject": "false"}, REQUIRED),
    "database.migration.podLabels": ({"team": "identity"}, REQUIRED),
    "database.migration.priorityClassName": ("high", REQUIRED),
    "database.migration.nodeSelector": ({"kubernetes.io/arch": "arm64"}, REQUIRED),
    "database.migration.tolerations": (TOLERATIONS, REQUIRED),
    "database.migration.affinity": (AFFINITY, REQUIRED),
    "aws.region": ("eu-central-1", REQUIRED),
    "aws.endpointUrl": ("http://aws.example.com:4566", REQUIRED),
    "aws.existingSecret": ("aws-keys", REQUIRED),
    "config.log": ("debug", REQUIRED),
    "config.logFormat": ("text", REQUIRED),
    "config.encryption.existingSecret": ("encryption", REQUIRED),
    "config.encryption.key": ("other", _KEY),
    "config.encryption.oldKeys": ("old", _KEY),
    "config.allowedWebhookNetworks": (["10.1.0.0/16", "fd00::/8"], _OUT),
    "config.eventsRetentionDays": (90, REQUIRED),
    "config.driftIntervalS": (2_592_000, REQUIRED),
    "config.driftChecksPerMin": (0, REQUIRED),
    "config.tenantGraceDays": (0, REQUIRED),
    "config.sandboxGraceDays": (0, REQUIRED),
    "config.shutdownDelayS": (30, REQUIRED),
    "config.shutdownGraceS": (120, REQUIRED),
    "config.rateLimitPerMin": (1_000_000, REQUIRED),
    "config.trustedIssuers.configMap": ("issuers", REQUIRED),
    "config.trustedIssuers.key": ("other.toml", merged(REQUIRED, at("config.trustedIssuers.configMap", "issuers"))),
    "config.console.origin": ("https://stepgate.example.com", REQUIRED),
    "config.console.loginSecret": ("console-login", REQUIRED),
    "config.workerPollMs": (500, REQUIRED),
    "config.workerLeaseS": (30, REQUIRED),
    "config.workerConcurrency": (2, REQUIRED),
    "extraEnv": ([{"name": "OTEL_RESOURCE_ATTRIBUTES", "value": "team=identity"}], REQUIRED),
    **_component("serve"),
    **_component("worker"),
    "worker.autoscaling.queueLag.enabled": (True, merged(REQUIRED, at("worker.autoscaling.enabled", True))),
    "worker.autoscaling.queueLag.metricName": ("lag", _LAG),
    "worker.autoscaling.queueLag.targetS": (5, _LAG),
    "service.type": ("LoadBalancer", merged(REQUIRED, at("networkPolicy.ingressFrom", FROM))),
    "service.port": (8443, REQUIRED),
    "service.annotations": ({"a": "b"}, REQUIRED),
    "ingress.enabled": (True, merged(_INGRESS, at("ingress.enabled", False))),
    "ingress.className": ("nginx", _INGRESS),
    "ingress.host": ("b.example.com", _INGRESS),
    "ingress.tlsSecret": ("certificate", _INGRESS),
    "ingress.annotations": ({"a": "b"}, _INGRESS),
    "httpRoute.enabled": (True, merged(_ROUTE, at("httpRoute.enabled", False))),
    "httpRoute.parentRefs": ([{"name": "other", "namespace": "gateways", "sectionName": "https"}], _ROUTE),
    "httpRoute.hostnames": (["a.example.com"], _ROUTE),
    "httpRoute.annotations": ({"a": "b"}, _ROUTE),
    "networkPolicy.enabled": (False, REQUIRED),
    "networkPolicy.ingressFrom": (FROM, REQUIRED),
    "networkPolicy.metricsFrom": (FROM, REQUIRED),
    "networkPolicy.dnsTo": ([{"ipBlock": {"cidr": "10.96.0.10/32"}}], REQUIRED),
    "networkPolicy.databaseTo": ([{"ipBlock": {"cidr": "10.1.0.0/16"}}], REQUIRED),
    "networkPolicy.httpsTo": ([{"ipBlock": {"cidr": "0.0.0.0/0"}}], REQUIRED),
    "networkPolicy.podIdentityAgent": (False, REQUIRED),
    "networkPolicy.extraEgress": ([{"ports": [{"protocol": "TCP", "port": 3128}]}], REQUIRED),
    "metrics.tenants": (["tnt_01jd7v0p3h8s5k2m4n6q9r1t0w"], REQUIRED),
    "metrics.serviceMonitor.enabled": (True, merged(REQUIRED, at("networkPolicy.metricsFrom", FROM))),
    "metrics.serviceMonitor.interval": ("15s", _MONITOR),
    "metrics.serviceMonitor.labels": ({"release": "prometheus"}, _MONITOR),
    "metrics.prometheusRule.enabled": (True, REQUIRED),
    "metrics.prometheusRule.runbookUrl": ("https://wiki.example.com/alerts", _RULES),
    "metrics.prometheusRule.labels": ({"release": "prometheus"}, _RULES),
    "metrics.dashboards.enabled": (True, REQUIRED),
    "metrics.dashboards.label": ("dashboard", _BOARDS),
    "metrics.dashboards.labelValue": ("yes", _BOARDS),
    "metrics.dashboards.annotations": ({"grafana_folder": "Stepgate"}, _BOARDS),
    "tracing.endpoint": ("http://collector.example.com:4318", _OUT),
    "tracing.sampleRatio": (0.1, _TRACED),
    "externalSecrets.enabled": (True, EXTERNAL),
    "externalSecrets.refreshInterval": ("5m", EXTERNAL),
    "externalSecrets.secretStoreRef.name": ("vault", EXTERNAL),
    "externalSecrets.secretStoreRef.kind": ("SecretStore", EXTERNAL),
    "externalSecrets.database.remoteKey": ("other", EXTERNAL),
    "externalSecrets.migration.remoteKey": ("stepgate/owner", EXTERNAL),
    "externalSecrets.encryption.remoteKey": ("stepgate/encryption", EXTERNAL),
    "postgresql.enabled": (True, TRIAL),
    "postgresql.image": ("postgres:16.10-alpine3.22", TRIAL),
    "postgresql.storage": ("1Gi", TRIAL),
    "postgresql.storageClassName": ("gp3", TRIAL),
    "postgresql.resources": (RESOURCES, TRIAL),
}
# What a switch is compared with, where it is not what the option is laid over.
COMPARED_WITH = {"postgresql.enabled": REQUIRED, "externalSecrets.enabled": REQUIRED}
# What changes no manifest: it is only compared with other values, and refused.
ONLY_CHECKED = {"database.serverMaxConnections"}

# Values that must be refused, and words that the message must hold.
REFUSED: dict[str, tuple[dict, list[str]]] = {
    "nothing given": ({}, ["image.repository", "database.host", "database.existingSecret"]),
    "a misspelt value": (merged(REQUIRED, at("serve.replica", 3)), ["/serve", "replica"]),
    "an unknown section": (merged(REQUIRED, {"redis": {}}), ["redis"]),
    "a text for a number": (merged(REQUIRED, at("serve.replicas", "three")), ["/serve/replicas", "integer"]),
    "the tag latest": (merged(REQUIRED, at("image.tag", "latest")), ["image.tag", "latest"]),
    "a tag inside the repository": (merged(REQUIRED, at("image.repository", "a/b:1")), ["/image/repository"]),
    "a digest that is none": (merged(REQUIRED, at("image.digest", "sha256:12")), ["/image/digest"]),
    "a URL for a host": (merged(REQUIRED, at("database.host", "postgres://u:p@h/d")), ["/database/host"]),
    "no TLS to the database": (merged(REQUIRED, at("database.sslMode", "disable")), ["/database/sslMode", "verify-full"]),
    "a grace shorter than a request": (merged(REQUIRED, at("config.shutdownGraceS", 20)), ["/config/shutdownGraceS", "61"]),
    "a lease of nothing": (merged(REQUIRED, at("config.workerLeaseS", 0)), ["/config/workerLeaseS"]),
    "no memory limit": (
        merged(REQUIRED, {"serve": {"resources": {"limits": None}}}), ["/serve/resources", "limits"]),
    "a role that is none": (merged(REQUIRED, at("serve.serviceAccount.roleArn", "admin")), ["/serve/serviceAccount/roleArn"]),
    "a role without our account": (
        merged(REQUIRED, {"worker": {"serviceAccount": {"create": False, "roleArn": ROLE}}}),
        ["worker.serviceAccount.roleArn", "create"]),
    "both kinds of authority": (merged(_CA, at("database.ca.secret", "x")), ["database.ca", "not both"]),
    "trial and external database": (merged(REQUIRED, at("postgresql.enabled", True)), ["database.host", "postgresql.enabled"]),
    "trial database by a hook": (merged(TRIAL, at("database.migration.run", "hook")), ["database.migration.run", "init"]),
    "trial and external secrets": (merged(TRIAL, at("externalSecrets.enabled", True)), ["postgresql.enabled", "externalSecrets.enabled"]),
    "external secrets without a store": (
        merged(IMAGE, at("database.host", "h"), at("externalSecrets.enabled", True)),
        ["externalSecrets.secretStoreRef.name", "externalSecrets.database.remoteKey"]),
    "external and existing secrets": (merged(EXTERNAL, at("database.existingSecret", "x")), ["database.existingSecret"]),
    "external secrets by a hook": (merged(EXTERNAL, at("database.migration.run", "hook")), ["database.migration.run"]),
    "an Ingress without a host": (merged(REQUIRED, at("ingress.enabled", True)), ["ingress.host", "networkPolicy.ingressFrom"]),
    "a route without a Gateway": (merged(REQUIRED, at("httpRoute.enabled", True)), ["httpRoute.parentRefs"]),
    "an Ingress that nobody may reach": (
        merged(_INGRESS, at("networkPolicy.ingressFrom", [])), ["networkPolicy.ingressFrom"]),
    "fewer at most than at least": (
        merged(REQUIRED, {"serve": {"autoscaling": {"enabled": True, "minReplicas": 5, "maxReplicas": 2}}}),
        ["serve.autoscaling.maxReplicas"]),
    "more connections than the server takes": (
        merged(REQUIRED, {"serve": {"autoscaling": {"enabled": True, "maxReplicas": 9}}}),
        ["database.serverMaxConnections", "13 copies", "135 connections of 100"]),
    "metrics that nobody may scrape": (
        merged(REQUIRED, at("metrics.serviceMonitor.enabled", True)), ["networkPolicy.metricsFrom"]),
    "old encryption keys without a key": (merged(REQUIRED, at("config.encryption.oldKeys", "old")), ["config.encryption.oldKeys"]),
    "an external encryption key without the operator": (
        merged(REQUIRED, at("externalSecrets.encryption.remoteKey", "x")), ["externalSecrets.encryption.remoteKey"]),
    "two encryption keys": (
        merged(EXTERNAL, at("externalSecrets.encryption.remoteKey", "x"), at("config.encryption.existingSecret", "y")),
        ["config.encryption.existingSecret"]),
    "a name for a network": (merged(REQUIRED, at("config.allowedWebhookNetworks", ["hooks.internal"])), ["/config/allowedWebhookNetworks"]),
    "a tenant that is none": (merged(REQUIRED, at("metrics.tenants", ["acme"])), ["/metrics/tenants"]),
    "a collector with a password": (merged(REQUIRED, at("tracing.endpoint", "http://u:p@c:4318")), ["/tracing/endpoint"]),
    "more than every trace": (merged(REQUIRED, at("tracing.sampleRatio", 10)), ["/tracing/sampleRatio"]),
    "the development switch": (
        merged(REQUIRED, {"extraEnv": [{"name": "STEPGATE_DEV_INSECURE_LOOPBACK", "value": "1"}]}),
        ["extraEnv", "STEPGATE_DEV_INSECURE_LOOPBACK"]),
    "the demonstration's way in": (
        merged(REQUIRED, {"extraEnv": [{"name": "STEPGATE_CONSOLE_DEMO_LINK", "value": "1"}]}),
        ["extraEnv", "STEPGATE_CONSOLE_DEMO_LINK"]),
    "a load balancer that nobody may reach": (
        merged(REQUIRED, at("service.type", "LoadBalancer")), ["networkPolicy.ingressFrom", "LoadBalancer"]),
    "a collector that nobody may reach": (
        merged(REQUIRED, at("tracing.endpoint", "http://c:4318")), ["networkPolicy.extraEgress", "tracing.endpoint"]),
    "receivers of webhooks that nobody may reach": (
        merged(REQUIRED, at("config.allowedWebhookNetworks", ["10.1.0.0/16"])), ["networkPolicy.extraEgress", "allowedWebhookNetworks"]),
    "a sampler that is set twice": (
        merged(_TRACED, {"extraEnv": [{"name": "OTEL_TRACES_SAMPLER", "value": "always_on"}]}), ["extraEnv", "OTEL_TRACES_SAMPLER"]),
    "a proxy that nothing would use": (
        merged(REQUIRED, {"extraEnv": [{"name": "https_proxy", "value": "http://proxy:3128"}]}), ["extraEnv", "https_proxy", "directly"]),
    "a console without TLS": (merged(REQUIRED, at("config.console.origin", "http://a.example.com")), ["/config/console/origin"]),
    "a password among the variables": (
        merged(REQUIRED, {"extraEnv": [{"name": "PGPASSWORD", "value": "x"}]}), ["extraEnv", "PGPASSWORD"]),
    "an AWS key among the variables": (
        merged(REQUIRED, {"extraEnv": [{"name": "AWS_SECRET_ACCESS_KEY", "value": "x"}]}), ["extraEnv", "AWS_SECRET_ACCESS_KEY"]),
}


def presets(read) -> dict[str, dict]:
    """The presets as a user completes them. `read` gives a preset's values by file name."""
    production = {
        **IMAGE,
        "database": {"host": "db.example.com", "ca": {"configMap": "rds-ca"}},
        "serve": {"serviceAccount": {"roleArn": ROLE}},
        "worker": {"serviceAccount": {"roleArn": ROLE}},
    }
    everything = {
        "ingress": {"enabled": True, "className": "nginx", "host": "a.example.com", "tlsSecret": "certificate"},
        "httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}], "hostnames": ["a.example.com"]},
        "networkPolicy": {"ingressFrom": FROM, "extraEgress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]},
        "worker": {"autoscaling": {"queueLag": {"enabled": True}}},
        "config": {"encryption": {"oldKeys": "old"}, "allowedWebhookNetworks": ["10.0.0.0/8"]},
    }
    return {
        "the default": REQUIRED,
        "values-small.yaml": merged(read("values-small.yaml"), IMAGE),
        "values-production.yaml": merged(read("values-production.yaml"), production),
        "values-production.yaml with everything": merged(
            read("values-production.yaml"), read("values-monitoring.yaml"), production, everything),
        "external secrets for two users": merged(
            EXTERNAL, at("externalSecrets.migration.remoteKey", "stepgate/owner"), at("externalSecrets.encryption.remoteKey", "stepgate/key")),
        "migrations run by hand": merged(REQUIRED, at("database.migration.run", "never")),
    }
