"""Checks a bill of materials on standard input against the CycloneDX schema and prints one JSON object a check."""

import json
import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

text = sys.stdin.read()
bill = json.loads(text)
error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
print(json.dumps({"check": "bill of materials: CycloneDX 1.6", "ok": error is None, "detail": str(error or "")}))
names = {component["name"] for component in bill["components"]}
unexpected = {"proptest", "blockid-sim", "attacks", "xtask"} & names
# The last two are in the triggers alone, which are in the image as well.
missing = {"tokio", "sqlx", "rustls", "aws-sdk-cognitoidentityprovider", "triggers", "lambda_runtime"} - names
problems = [f"not in the program: {name}" for name in unexpected] + [f"missing: {name}" for name in missing]
print(json.dumps({"check": "bill of materials: what is compiled in", "ok": not problems, "detail": "\n".join(problems)}))
unlicensed = [component["name"] for component in bill["components"] if not component.get("licenses")]
print(json.dumps({"check": "bill of materials: licences", "ok": not unlicensed, "detail": ", ".join(unlicensed)}))
print(json.dumps({"note": f"{len(bill['components'])} components"}))
