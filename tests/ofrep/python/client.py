"""OpenFeature in Python with its OFREP provider: reads questions, one JSON object per line, and answers each with one."""

import json
import sys

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext


def open_provider(question):
    headers = {"Authorization": f"Bearer {question['apiKey']}"} if "apiKey" in question else {}
    api.set_provider(OFREPProvider(question["url"], headers_factory=lambda: headers))
    return {}


def evaluate(question):
    context = EvaluationContext(targeting_key=question.get("targetingKey"), attributes={"plan": "premium"})
    client = api.get_client()
    ask = {"boolean": client.get_boolean_details, "string": client.get_string_details}[question["type"]]
    found = ask(question["key"], question["default"], context)
    return {
        "value": found.value,
        "reason": found.reason,
        "variant": found.variant,
        "errorCode": found.error_code and found.error_code.value,
        "errorMessage": found.error_message,
        "metadata": dict(found.flag_metadata),
    }


OPERATIONS = {"open": open_provider, "evaluate": evaluate}

for line in sys.stdin:
    question = json.loads(line)
    print(json.dumps(OPERATIONS[question["op"]](question)), flush=True)
