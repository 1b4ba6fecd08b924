"""Local AWS with what ministack lacks and the template relies on.

- Condition keys, so that the template's own policies hold here too: the encryption context of a call to KMS, what an
  identity token is asked for, and which function and schedule a secret is to be renewed by.
- Rotation in Secrets Manager: RotateSecret invokes the function step by step, CancelRotateSecret stops it, a version is
  empty until it is put, and is not put twice with different content.
"""

import contextvars
import json
import threading
import time
import uuid
from urllib.parse import parse_qs

from ministack.app import main
from ministack.core import iam_actions
from ministack.core.responses import error_response_json, json_response
from ministack.services import lambda_svc, secretsmanager

STEPS = ["createSecret", "setSecret", "testSecret", "finishSecret"]
PENDING = "AWSPENDING"

tags_of_request = iam_actions.request_tag_context
get_value, put_value, handle = secretsmanager._get_secret_value, secretsmanager._put_secret_value, secretsmanager.handle_request


def condition_keys(service, action, body, params):
    keys = tags_of_request(service, action, body, params)
    if service == "kms":
        return {**keys, **encryption_context(body)}
    if action == "sts:GetWebIdentityToken":
        return {**keys, **identity_token(body)}
    if action == "secretsmanager:RotateSecret":
        return {**keys, **rotation(body)}
    return keys


def fields(body):
    try:
        return json.loads(body or b"{}")
    except ValueError:
        return {}


def encryption_context(body):
    context = fields(body).get("EncryptionContext") or {}
    named = {f"kms:EncryptionContext:{name}": value for name, value in context.items()}
    return {**named, "kms:EncryptionContextKeys": list(context)}


def identity_token(body):
    form = {name: values[0] for name, values in parse_qs((body or b"").decode()).items()}
    audiences = [value for name, value in form.items() if name.startswith("Audience.member.")]
    duration = form.get("DurationSeconds", "300")
    keys = {"sts:DurationSeconds": duration, "sts:SigningAlgorithm": form.get("SigningAlgorithm")}
    return {**keys, **({"sts:IdentityTokenAudience": audiences} if audiences else {})}


def rotation(body):
    asked = fields(body)
    rules = {"secretsmanager:ModifyRotationRules": "true" if asked.get("RotationRules") else "false"}
    function = asked.get("RotationLambdaARN")
    return {**rules, **({"secretsmanager:RotationLambdaARN": function} if function else {})}


def invoke(function, event):
    record, config, _ = lambda_svc._get_func_record_for_ref(function)
    if record is None:
        raise LookupError(f"no function {function}")
    answer = lambda_svc._execute_function_with_config_scope(lambda_svc._execution_record_for_config(record, config), event)
    if isinstance(answer, dict) and answer.get("error"):
        raise RuntimeError(answer.get("body"))


def in_background(function, secret, token, steps, after=lambda: None):
    def run():
        try:
            for step in steps:
                invoke(function, {"Step": step, "SecretId": secret["ARN"], "ClientRequestToken": token})
        except Exception as error:  # as in AWS: the version stays pending, and whoever looks finds it
            print(f"rotation of {secret['Name']} stopped: {error}", flush=True)
        after()

    threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True).start()


def rotate(data):
    _, secret = secretsmanager._resolve(data.get("SecretId"))
    if not secret:
        return error_response_json("ResourceNotFoundException", "Secrets Manager can't find the specified secret.", 400)
    current, version = secretsmanager._find_stage_version(secret, "AWSCURRENT")
    pending, _ = secretsmanager._find_stage_version(secret, PENDING)
    if pending not in (None, current):
        return error_response_json("InvalidRequestException", "A previous rotation isn't complete.", 400)
    function = data.get("RotationLambdaARN") or secret.get("RotationLambdaARN")
    if not function:
        return error_response_json("InvalidRequestException", "No Lambda rotation function ARN is associated with this secret.", 400)
    secret.update(RotationEnabled=True, RotationLambdaARN=function, LastChangedDate=int(time.time()))
    if data.get("RotationRules"):
        secret["RotationRules"] = data["RotationRules"]
    token = data.get("ClientRequestToken") or str(uuid.uuid4())
    secretsmanager._remove_stage_everywhere(secret, PENDING)
    made = {"SecretString": None, "SecretBinary": None, "CreatedDate": int(time.time()), "Stages": [PENDING]}
    secret["Versions"][token] = made
    if data.get("RotateImmediately", True):
        in_background(function, secret, token, STEPS)
    else:
        # AWS only tests the function, with a version that it takes back.
        made["SecretString"] = version["SecretString"] if version else None
        in_background(function, secret, token, ["testSecret"], lambda: secret["Versions"].pop(token, None))
    return json_response({"ARN": secret["ARN"], "Name": secret["Name"], "VersionId": token})


def cancel(data):
    _, secret = secretsmanager._resolve(data.get("SecretId"))
    if not secret:
        return error_response_json("ResourceNotFoundException", "Secrets Manager can't find the specified secret.", 400)
    secret["RotationEnabled"] = False
    return json_response({"ARN": secret["ARN"], "Name": secret["Name"]})


def get(data):
    answer = get_value(data)
    if answer[0] == 200 and not {"SecretString", "SecretBinary"} & json.loads(answer[2]).keys():
        return error_response_json("ResourceNotFoundException", "Secrets Manager can't find the specified secret value.", 400)
    return answer


def put(data):
    _, secret = secretsmanager._resolve(data.get("SecretId"))
    token, stages = data.get("ClientRequestToken"), data.get("VersionStages") or []
    before = secret["Versions"].get(token) if secret else None
    if before and before.get("SecretString") is not None:
        if before["SecretString"] != data.get("SecretString"):
            return error_response_json("ResourceExistsException", "You can't modify an existing version.", 400)
        return json_response({"ARN": secret["ARN"], "Name": secret["Name"], "VersionId": token, "VersionStages": before["Stages"]})
    answer = put_value(data)
    if answer[0] == 200 and PENDING in stages:
        token = json.loads(answer[2])["VersionId"]
        secretsmanager._remove_stage_everywhere(secret, PENDING, token)
        secretsmanager._add_stage(secret, token, PENDING)
    return answer


async def handle_request(method, path, headers, body, query):
    if headers.get("x-amz-target", "").endswith(".CancelRotateSecret"):
        return cancel(json.loads(body or b"{}"))
    return await handle(method, path, headers, body, query)


iam_actions.request_tag_context = condition_keys
secretsmanager._rotate_secret, secretsmanager._get_secret_value, secretsmanager._put_secret_value = rotate, get, put
secretsmanager.handle_request = handle_request

if __name__ == "__main__":
    main()
