"""An Airflow of our own, of the version that this interpreter has: a folder, a database in it, the DAG, its command.

Knows nothing of flags. The environment is built from nothing, so that no setting of the machine reaches Airflow.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

DAG_FILE = Path(__file__).resolve().parents[1] / "feature_flag_add_row.py"

# `airflow dags test` takes seconds; whatever takes minutes hangs.
PATIENCE_SECONDS = 180

SETTINGS = {
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
    "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
    "AIRFLOW__CORE__FERNET_KEY": "",
    "NO_COLOR": "1",
}


@dataclass
class Run:
    """How a run of the DAG ended, and its log."""

    succeeded: bool
    log: str


class AirflowHome:
    """A folder of its own for Airflow; gone when closed."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="airflow-home-")
        self.path = Path(self._folder.name)
        dags = self.path / "dags"
        dags.mkdir()
        self.dag_file = shutil.copy(DAG_FILE, dags)
        self.variables = {
            "PATH": os.defpath,
            "HOME": str(self.path),
            "LANG": "C.UTF-8",
            "AIRFLOW_HOME": str(self.path),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.path}/airflow.db",
            **SETTINGS,
        }
        migrated = self._airflow(["db", "migrate"], {})
        if not migrated.succeeded:
            raise RuntimeError(f"no database for Airflow:\n{migrated.log}")

    def close(self) -> None:
        self._folder.cleanup()

    def test_dag(self, dag_id: str, configuration: dict, variables: dict[str, str]) -> Run:
        """Runs a DAG once, as `airflow dags test` does, with variables besides Airflow's own."""
        return self._airflow(["dags", "test", dag_id, "--conf", json.dumps(configuration)], variables)

    def import_dag(self) -> dict:
        """Imports the DAG file in an interpreter of its own, and returns what it found."""
        script = Path(__file__).with_name("import_dag.py")
        done = self._start([sys.executable, script, self.dag_file], {})
        if done.returncode != 0:
            raise AssertionError(done.stdout)
        return json.loads(done.stdout.splitlines()[-1])

    def _airflow(self, words: list[str], variables: dict[str, str]) -> Run:
        done = self._start([Path(sys.executable).with_name("airflow"), *words], variables)
        return Run(done.returncode == 0, done.stdout)

    def _start(self, words: list, variables: dict[str, str]) -> subprocess.CompletedProcess:
        return subprocess.run(
            words,
            env={**self.variables, **variables},
            cwd=self.path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_SECONDS,
        )
