"""Makes a user with a permanent password, as the customer's own administrator would with the AWS SDK.

Reads one JSON object from standard input: user_pool_id, username, password, email.
Endpoint, region and credentials are the SDK's own environment variables.
"""

import json
import sys

import boto3

wanted = json.load(sys.stdin)
cognito = boto3.client("cognito-idp")
user = {"UserPoolId": wanted["user_pool_id"], "Username": wanted["username"]}
attributes = [{"Name": "email", "Value": wanted["email"]}, {"Name": "email_verified", "Value": "true"}]
cognito.admin_create_user(**user, UserAttributes=attributes, MessageAction="SUPPRESS")
cognito.admin_set_user_password(**user, Password=wanted["password"], Permanent=True)
