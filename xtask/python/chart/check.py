"""Checks the chart without a cluster; prints one JSON object a check: {"check": …, "ok": …, "detail": …}.

    python check.py ROOT [--write-docs] [--rules FILE]

`ROOT` is the clone. With `--write-docs` the table of values in the chart's README is written first. With `--rules` nothing is checked:
the groups of a rendered PrometheusRule are written to `FILE`, as a rule file of Prometheus.
"""

import argparse
import copy
import json
import re
import tempfile
from pathlib import Path

import docs
import jsonschema
import kubernetes_validate
import yaml
from cases import COMPARED_WITH, ONLY_CHECKED, OPTIONS, REFUSED, REQUIRED, at, merged, presets
from helm import Helm, Refused
from mutants import MUTANTS
from policies import LONGEST_REQUEST_S, complaints

# Settings of the service that no value leads to: development, demonstrations, and the file that all of this stands for.
UNREACHABLE = {"STEPGATE_CONFIG", "STEPGATE_CONSOLE_DEMO_LINK", "STEPGATE_DEV_INSECURE_LOOPBACK"}
# Kubernetes versions that the chart is for.
VERSIONS = [f"1.{minor}" for minor in range(28, 38)]
CRDS = {path.stem: json.loads(path.read_text()) for path in (Path(__file__).parent / "crds").glob("*.json")}


class StrictLoader(yaml.SafeLoader):
    """YAML in which a key is given once, as Kubernetes' strict validation wants it."""


def _mapping(loader: StrictLoader, node: yaml.MappingNode, deep: bool = False) -> dict:
    keys = [loader.construct_object(key, deep=deep) for key, _ in node.value]
    if twice := {key for key in keys if keys.count(key) > 1}:
        raise yaml.YAMLError(f"given twice: {', '.join(map(str, twice))}, {node.start_mark}")
    return yaml.SafeLoader.construct_mapping(loader, node, deep=deep)


StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, lambda loader, node: _mapping(loader, node, deep=True))


def documents(rendered: dict[str, str]) -> list[dict]:
    """Manifests of a rendering."""
    found = []
    for template, text in rendered.items():
        if not template.endswith("NOTES.txt"):
            found += [document for document in yaml.load_all(text, StrictLoader) if document]
    return found


def told(rendered: dict[str, str]) -> str:
    """A rendering to be compared with another: without the one value that is random."""
    return re.sub(r"(password|pass): \S+", r"\1: …", json.dumps(rendered, sort_keys=True))


class Report:
    def __init__(self) -> None:
        self.failed = 0

    def check(self, name: str, problems: list[str]) -> None:
        self.failed += bool(problems)
        print(json.dumps({"check": name, "ok": not problems, "detail": "\n".join(problems)}), flush=True)


class Validator:
    """Validates manifests; one that was seen before is not validated again."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, str]] = set()

    def problems(self, manifests: list[dict], versions: list[str]) -> list[str]:
        found = []
        for manifest in manifests:
            text, where = json.dumps(manifest, sort_keys=True), f"{manifest['kind']}/{manifest['metadata']['name']}"
            for version in ["any"] if manifest["kind"] in CRDS else versions:
                if (text, version) in self.seen:
                    continue
                try:
                    if version == "any":
                        jsonschema.validate(manifest, CRDS[manifest["kind"]])
                    else:
                        kubernetes_validate.validate(manifest, version, strict=True)
                    self.seen.add((text, version))
                except (jsonschema.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
                    found.append(f"{where}, Kubernetes {version}: {getattr(error, 'message', error)}")
        return found


def attempt(work) -> list[str]:
    """Problems that `work` returns, or why it could not."""
    try:
        return work()
    except (Refused, yaml.YAMLError, docs.Undocumented, KeyError) as error:
        return [f"{type(error).__name__}: {error}"]


def check_render(helm: Helm, report: Report, validator: Validator, named: dict[str, dict]) -> None:
    """Each preset: lint, every version of Kubernetes, the policies; also under names that are as long as may be."""
    for name, values in named.items():
        report.check(f"chart lint: {name}", attempt(lambda: helm.lint(values)))
        for release in ("stepgate", "r" * 53):
            title = name if release == "stepgate" else f"{name}, longest release name"

            def render() -> list[str]:
                manifests = documents(helm.render(values, release, "n" * 63 if release != "stepgate" else "stepgate"))
                return validator.problems(manifests, VERSIONS) + complaints(manifests)

            report.check(f"chart render: {title}", attempt(render))


def check_options(helm: Helm, report: Report, validator: Validator, leaves: set[str]) -> None:
    """Each option: it changes something, and what comes out is valid for every version of Kubernetes."""
    report.check("chart options: every value has a case", sorted(leaves ^ set(OPTIONS)))
    for path, (value, base) in OPTIONS.items():

        def render() -> list[str]:
            rendered = helm.render(merged(base, at(path, value)))
            manifests = documents(rendered)
            problems = validator.problems(manifests, VERSIONS) + complaints(manifests)
            if path not in ONLY_CHECKED and told(rendered) == told(helm.render(COMPARED_WITH.get(path, base))):
                problems.append("changes nothing")
            return problems

        report.check(f"chart option: {path}", attempt(render))


def check_refusals(helm: Helm, report: Report) -> None:
    """Bad values are refused with words that name them."""
    for name, (values, words) in REFUSED.items():
        try:
            helm.render(values)
            problems = ["was rendered"]
        except Refused as refused:
            problems = [f"`{word}` is not in the message: {refused}" for word in words if word not in str(refused)]
        report.check(f"chart refuses: {name}", problems)


def check_mutants(helm: Helm, report: Report, values: dict) -> None:
    """Each policy can fail."""
    manifests = documents(helm.render(values))
    for name, (mutate, words) in MUTANTS.items():
        mutant = copy.deepcopy(manifests)
        mutate(mutant)
        found = complaints(mutant)
        report.check(f"chart policy notices: {name}", [] if any(words in text for text in found) else [f"complaints: {found}"])
    unknown = copy.deepcopy(manifests)
    for manifest in unknown:
        manifest["spec" if "spec" in manifest else "metadata"]["unknownField"] = 1
        if manifest["kind"] in ("ConfigMap", "ServiceAccount"):
            continue
        found = Validator().problems([manifest], VERSIONS[-1:])
        report.check(f"chart schema notices: {manifest['kind']}/{manifest['metadata']['name']}", [] if found else ["an unknown field passes"])


def check_settings(helm: Helm, report: Report, root: Path, named: dict[str, dict]) -> None:
    """Every variable of ours that the chart sets is a setting of the service, and every setting can be reached by a value."""
    known = set(re.findall(r"^\| `(STEPGATE_[A-Z_]+)` \|", (root / "docs/configuration.md").read_text(), re.MULTILINE))
    renderings = [*named.values(), *(merged(base, at(path, value)) for path, (value, base) in OPTIONS.items() if path.startswith(("config.", "metrics.")))]
    reached = set()
    for values in renderings:
        reached |= set(re.findall(r'"(STEPGATE_[A-Z_]+)"', json.dumps(documents(helm.render(values)))))
    report.check("chart settings: the service knows them", [f"{name} is no setting" for name in sorted(reached - known)])
    report.check("chart settings: a value leads to every one", [
        f"{name} cannot be set" for name in sorted(known - reached - UNREACHABLE)] + [
        f"{name} is called unreachable and is set" for name in sorted(UNREACHABLE & reached)])
    edge = (root / "src/api/middleware/edge.rs").read_text()
    longest = re.search(r"REQUEST_TIMEOUT: Duration = Duration::from_mins\((\d+)\)", edge)
    known = longest is not None and int(longest[1]) * 60 == LONGEST_REQUEST_S
    report.check("chart stop: longer than the longest request of the service", [] if known else [
        f"policies.py has {LONGEST_REQUEST_S} s, src/api/middleware/edge.rs another REQUEST_TIMEOUT"])


def check_release(helm: Helm, report: Report, root: Path) -> None:
    """Versions follow the workspace, the archive holds what it should, and the notes tell what comes next."""
    chart = yaml.safe_load((helm.chart / "Chart.yaml").read_text())
    version = re.search(r'\[workspace\.package\]\s+version = "([^"]+)"', (root / "Cargo.toml").read_text())[1]
    wrong = [f"{key} is {chart[key]}, the workspace's version {version}" for key in ("version", "appVersion") if chart[key] != version]
    report.check("chart versions: those of the workspace", wrong)
    with tempfile.TemporaryDirectory() as folder:
        import tarfile

        with tarfile.open(helm.package(Path(folder))) as archive:
            names = set(archive.getnames())
    wanted = {f"stepgate/{name}" for name in ("values.schema.json", "values-small.yaml", "values-production.yaml", "values-monitoring.yaml", "README.md", "rules/kubernetes.yaml")}
    strange = {name for name in names if "rules/tests" in name}
    report.check("chart package: complete", sorted(wanted - names) + sorted(strange))
    notes = helm.render(REQUIRED).get("stepgate/templates/NOTES.txt")
    if notes is not None:  # the program shows notes only when it installs
        words = ["helm test stepgate", "keys bootstrap", "cell apply", "port-forward", "owns the schema", "No encryption key", "60 connections"]
        report.check("chart notes: next steps and warnings", [word for word in words if word not in notes])
        two = merged(REQUIRED, at("database.migration.existingSecret", "owner"), at("config.encryption.existingSecret", "key"))
        quiet = helm.render(two)["stepgate/templates/NOTES.txt"]
        report.check("chart notes: no warning without a reason", [word for word in ("owns the schema", "No encryption key") if word in quiet])


def write_rules(helm: Helm, file: Path) -> None:
    """The rules as the operator hands them to Prometheus, under names that need quoting if anything does."""
    values = merged(REQUIRED, at("metrics.prometheusRule", {"enabled": True, "runbookUrl": "https://wiki.example.com/a?b=c&d='e'"}))
    rule = next(found for found in documents(helm.render(values, "r" * 53, "n" * 63)) if found["kind"] == "PrometheusRule")
    file.write_text(yaml.safe_dump({"groups": rule["spec"]["groups"]}))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path)
    parser.add_argument("--write-docs", action="store_true")
    parser.add_argument("--rules", type=Path)
    arguments = parser.parse_args()
    chart = arguments.root / "helm/stepgate"
    if arguments.rules:
        write_rules(Helm(chart), arguments.rules)
        return
    values = yaml.load((chart / "values.yaml").read_text(), StrictLoader)
    report, validator = Report(), Validator()

    def readme() -> list[str]:
        have, want = docs.readme(chart, values)
        if have != want and arguments.write_docs:
            (chart / "README.md").write_text(want)
            return []
        return [] if have == want else ["helm/stepgate/README.md is not up to date: cargo xtask chart --write-docs"]

    report.check("chart docs: the table of values", attempt(readme))
    helm = Helm(chart)
    print(json.dumps({"note": helm.name}), flush=True)
    named = presets(lambda name: yaml.load((chart / name).read_text(), StrictLoader))
    check_render(helm, report, validator, named)
    check_options(helm, report, validator, set(docs.leaves(values)))
    check_refusals(helm, report)
    check_mutants(helm, report, named["values-production.yaml with everything"])
    check_settings(helm, report, arguments.root, named)
    check_release(helm, report, arguments.root)


if __name__ == "__main__":
    main()
