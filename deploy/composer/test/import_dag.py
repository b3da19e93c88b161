"""Imports the DAG file as Airflow does, and prints, as one line of JSON, what it found, and what work the import did.

Work is what Airflow's scheduler would repeat every minute: connections, databases, processes, files that are written.
It is kept from being done, and told even where somebody catches the error.
"""

import importlib.util
import json
import os
import sys
import warnings
from pathlib import Path

# All that the file imports, so that only the file itself is watched.
import airflow.providers.cncf.kubernetes.operators.pod  # noqa: F401

try:
    from airflow.sdk import DAG, Param  # noqa: F401
except ImportError:
    from airflow import DAG  # noqa: F401
    from airflow.models.param import Param  # noqa: F401
try:
    from airflow.serialization.serialized_objects import DagSerialization as Serialization
except ImportError:
    from airflow.serialization.serialized_objects import SerializedDAG as Serialization

WORK = ("socket.", "sqlite3.", "subprocess.", "urllib.", "os.exec", "os.fork", "os.posix_spawn", "os.system")


def watch(event: str, args: tuple) -> None:
    writes = event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if importing and (event.startswith(WORK) or writes):
        work.append(f"{event} {args}")
        raise RuntimeError(f"an import must not do {event}")


work: list[str] = []
importing = True
dag_file = Path(sys.argv[1])
sys.dont_write_bytecode = True
sys.addaudithook(watch)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    spec = importlib.util.spec_from_file_location("dag_file", dag_file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
importing = False

# What the scheduler stores is all that the trigger form knows.
stored = Serialization.from_dict(json.loads(json.dumps(Serialization.to_dict(module.dag))))


def is_required(param) -> bool:
    try:
        param.resolve()
    except Exception:  # Of another module in each version.
        return True
    return False


try:
    module.annotation({"row_cell_value": "x" * module.LONGEST_CONFIGURATION})
    too_long = None
except ValueError as error:
    too_long = str(error)
print(
    json.dumps(
        {
            "dag_id": stored.dag_id,
            "tasks": {task.task_id: task.retries for task in stored.tasks},
            "max_active_runs": stored.max_active_runs,
            "params": {
                name: {**stored.params.get_param(name).schema, "description": stored.params.get_param(name).description}
                for name in stored.params
            },
            "required": [name for name in module.PARAMS if is_required(module.PARAMS[name])],
            "work": work,
            "warnings": [str(one.message) for one in caught if Path(one.filename) == dag_file],
            "too_long": too_long,
        }
    )
)
