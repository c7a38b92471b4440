"""The real Helm: the program where one is on the PATH, else the same code as a library."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path


class Refused(Exception):
    """Helm did not render: values it does not take, or a template that failed."""


class Helm:
    """Lints, renders and packages one chart."""

    def __init__(self, chart: Path):
        self.chart = chart
        self.program = shutil.which("helm")
        if self.program is None:
            import helm_python

            self.library = helm_python
            self.name = f"Helm {helm_python.helm_sdk_version()} as a library"
            self.loaded = helm_python.Chart.load(str(chart))
        else:
            version = self._run("version", "--short").strip()
            self.name = f"Helm {version} ({self.program})"

    def _run(self, *arguments: str) -> str:
        done = subprocess.run([self.program, *arguments], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Refused(done.stderr + done.stdout)
        return done.stdout

    def render(self, values: dict, name: str = "stepgate", namespace: str = "stepgate") -> dict[str, str]:
        """Rendered text by template."""
        if self.program is None:
            try:
                return self.loaded.render(values, name=name, namespace=namespace)
            except self.library.HelmError as error:
                raise Refused(str(error)) from error
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(values, file)
            file.flush()
            text = self._run("template", name, str(self.chart), "--namespace", namespace, "--values", file.name)
        return {"helm template": text}

    def lint(self, values: dict) -> list[str]:
        """What `helm lint --strict` complains about."""
        if self.program is None:
            report = self.library.lint(str(self.chart), values, strict=True)
            complaints = [f"{found['path']}: {found['error']}" for found in report["messages"] if found["severity"] >= 2]
            return complaints + report["errors"]
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(values, file)
            file.flush()
            try:
                self._run("lint", "--strict", str(self.chart), "--values", file.name)
            except Refused as refused:
                return [str(refused)]
        return []

    def package(self, folder: Path) -> Path:
        """Packs the chart; returns the archive."""
        if self.program is None:
            return Path(self.library.package(str(self.chart), destination=str(folder)))
        self._run("package", str(self.chart), "--destination", str(folder))
        return next(folder.glob("*.tgz"))
