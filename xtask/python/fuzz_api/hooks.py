"""Leads requests to what exists: an id made up is answered 404 and shows little of the operation behind it.

Three of four well-formed ids in paths become the id of that kind which was made for the run; malformed ones stay. The key that
the requests are sent with is never named: revoked, it would have every later request answered 401, and nothing tested. Nor is
the tenant deleted: nothing can be asked of it then.

Likewise three of four well-formed `If-Match` become the `ETag` that the path was last answered with, where there was one: of a
made-up one only 412 can come.
"""

import json
import os
import re
import zlib

import schemathesis
from schemathesis.core.media_types import YAML_MEDIA_TYPES

IDS = json.loads(os.environ["STEPGATE_FUZZ_IDS"])
WELL_FORMED = re.compile(r"([a-z]+)_[0-9a-hjkmnp-tv-z]{26}")
ETAG = re.compile(r'"[1-9][0-9]{0,17}"')
ETAGS = {}


def what_is_changed(case):
    return case.formatted_path.removesuffix(":rollback")


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.operation.label == "DELETE /v1/tenants/{tenant_id}":
        return
    for name, value in dict(case.path_parameters or {}).items():
        if value == IDS["own_key"]:
            case.path_parameters[name] = value = IDS["key"]
        found = WELL_FORMED.fullmatch(value) if isinstance(value, str) else None
        if found and found[1] in IDS and zlib.crc32(value.encode()) % 4:
            case.path_parameters[name] = IDS[found[1]]
    given = (case.headers or {}).get("If-Match")
    # One that is malformed on purpose stays: it has to be refused.
    if isinstance(given, str) and ETAG.fullmatch(given) and zlib.crc32(json.dumps(case.body, default=str).encode()) % 4:
        case.headers["If-Match"] = ETAGS.get(what_is_changed(case), given)


@schemathesis.hook
def after_call(context, case, response):
    for etag in response.headers.get("etag", []):
        ETAGS[what_is_changed(case)] = etag


@schemathesis.deserializer(*YAML_MEDIA_TYPES)
def template(context, response):
    """The document describes templates as a text: CloudFormation's tags are none that a YAML reader knows."""
    return response.content.decode()
