"""What Schemathesis is to know of flags, and JSON Schema cannot say."""

import atexit
import collections
import random

import schemathesis

#: The flags of `flag-service --demo`, which the store holds.
REAL = [
    ("feature", "multi_step_api_router"),
    ("data", "llm_provider"),
    ("data", "llm_version"),
]

#: Hypothesis winds the common generator back before each case, so that it would always choose the same.
CHANCE = random.Random(0)


@schemathesis.hook
def filter_query(context, query):
    """An instance id has at most 512 bytes; a schema counts characters."""
    instance = (query or {}).get("instance_id")
    return not isinstance(instance, str) or len(instance.encode("utf-8", "surrogatepass")) <= 512


@schemathesis.hook
def filter_body(context, body):
    """The same of a targeting key."""
    within = body.get("context") if isinstance(body, dict) else None
    key = within.get("targetingKey") if isinstance(within, dict) else None
    return not isinstance(key, str) or len(key.encode("utf-8", "surrogatepass")) <= 512


@schemathesis.hook
def before_call(context, case, kwargs):
    """Half of the questions that can be are about a flag that there is."""
    query = case.query
    meta = case.meta
    if meta is None or not meta.generation.mode.is_positive or CHANCE.random() < 0.5:
        return
    parameters = case.path_parameters or {}
    if "project" in parameters:
        parameters["project"] = "csr-assistant"
    if "key" in parameters:
        parameters["key"] = CHANCE.choice(REAL)[1]
    if query and "flag_name" in query:
        query["project_name"] = "csr-assistant"
        query["flag_type"], query["flag_name"] = CHANCE.choice(REAL)


ANSWERS = collections.Counter()


@schemathesis.hook
def after_call(context, case, response):
    ANSWERS[case.method, case.path, response.status_code] += 1


@atexit.register
def tell():
    """What was answered, so that a run that met no flag doesn't look like one that did."""
    for (method, path, status), count in sorted(ANSWERS.items()):
        print(f"{count:7} {status} {method} {path}")
