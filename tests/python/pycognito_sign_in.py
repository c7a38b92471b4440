"""Signs in with PyPI pycognito, unmodified, and reports what it got.

Reads one JSON object from standard input (endpoint, region, pool_id, client_id, simulator, username,
password) and writes one to standard output: per case whether there were tokens, and the error if not.
The code of the step-up comes from the simulator, in the stead of a person with a phone.
"""

import base64
import json
import sys
import urllib.request

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from pycognito.aws_srp import AWSSRP


def main():
    given = json.load(sys.stdin)
    cognito = boto3.client(
        "cognito-idp",
        region_name=given["region"],
        endpoint_url=given["endpoint"],
        config=Config(signature_version=UNSIGNED, retries={"max_attempts": 1}),
    )
    password = given["password"]
    report = {
        "wrong_password": attempt(lambda: sign_in(cognito, given, password + "x", step_up)),
        "plain_srp": attempt(lambda: srp(cognito, given, password).authenticate_user()),
        "no_step_up": attempt(lambda: password_only(cognito, given, password)),
        "wrong_code": attempt(lambda: sign_in(cognito, given, password, wrong_code)),
        "signed_in": attempt(lambda: sign_in(cognito, given, password, step_up)),
    }
    json.dump(report, sys.stdout)


def attempt(run):
    try:
        answer = run()
    except ClientError as error:
        return {"tokens": False, "error": error.response["Error"]["Code"]}
    result = answer.get("AuthenticationResult")
    if not result:
        return {"tokens": False, "challenge": answer.get("ChallengeName")}
    return {"tokens": True, "id_claims": claims(result["IdToken"])}


def srp(cognito, given, password):
    return AWSSRP(
        username=given["username"],
        password=password,
        pool_id=given["pool_id"],
        client_id=given["client_id"],
        client=cognito,
    )


def password_only(cognito, given, password):
    """The password by pycognito's SRP, in a flow that goes on to a custom challenge."""
    client = srp(cognito, given, password)
    parameters = client.get_auth_params()
    begun = cognito.initiate_auth(
        ClientId=given["client_id"],
        AuthFlow="CUSTOM_AUTH",
        AuthParameters={**parameters, "CHALLENGE_NAME": "SRP_A"},
    )
    return cognito.respond_to_auth_challenge(
        ClientId=given["client_id"],
        ChallengeName="PASSWORD_VERIFIER",
        Session=begun["Session"],
        ChallengeResponses=client.process_challenge(begun["ChallengeParameters"], parameters),
    )


def sign_in(cognito, given, password, answer):
    challenge = password_only(cognito, given, password)
    return cognito.respond_to_auth_challenge(
        ClientId=given["client_id"],
        ChallengeName=challenge["ChallengeName"],
        Session=challenge["Session"],
        ChallengeResponses={
            "USERNAME": given["username"],
            "ANSWER": json.dumps(answer(given, challenge["ChallengeParameters"])),
        },
    )


def step_up(given, parameters):
    request = urllib.request.Request(
        given["simulator"] + "/sim/step-ups",
        data=json.dumps({"authorize_url": parameters["authorize_url"]}).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        posted = json.load(answer)
    return {"code": posted["code"], "state": posted["state"]}


def wrong_code(_given, parameters):
    return {"code": "not-a-code", "state": parameters["state"]}


def claims(jwt):
    payload = jwt.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


if __name__ == "__main__":
    main()
