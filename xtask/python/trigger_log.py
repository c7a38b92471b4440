"""Prints what the triggers logged: every line of every log group, oldest first.

Endpoint, region and credentials are the SDK's own environment variables.
"""

import boto3

logs = boto3.client("logs")
events = []
for groups in logs.get_paginator("describe_log_groups").paginate():
    for group in groups["logGroups"]:
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"]):
            events.extend(page["events"])
for event in sorted(events, key=lambda event: event["timestamp"]):
    print(event["message"].rstrip())
