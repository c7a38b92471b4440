"""Makes users with permanent passwords, as the customer's own administrator would with the AWS SDK.

Reads one JSON object from standard input: user_pool_id, and users with username, password, email each.
Endpoint, region and credentials are the SDK's own environment variables.
"""

import json
import sys

import boto3

wanted = json.load(sys.stdin)
cognito = boto3.client("cognito-idp")
for user in wanted["users"]:
    who = {"UserPoolId": wanted["user_pool_id"], "Username": user["username"]}
    attributes = [{"Name": "email", "Value": user["email"]}, {"Name": "email_verified", "Value": "true"}]
    cognito.admin_create_user(**who, UserAttributes=attributes, MessageAction="SUPPRESS")
    cognito.admin_set_user_password(**who, Password=user["password"], Permanent=True)
