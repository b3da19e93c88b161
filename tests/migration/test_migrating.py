"""Follows docs/migrating.md: runs its blocks in order, on the emulator, beside the Python service.

Run by `cargo xtask migration`, with the interpreter of an environment that has google-cloud-bigtable in it.
FLAG_TEST_BIN_DIR holds `flagctl` and `flag-service`, FLAG_TEST_EMULATOR is where the Bigtable emulator listens. Where
FLAG_TEST_ROOTS names unpacked images, `flag-service` is that of the image, and only the page is followed.
"""

import json
import os
import re
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from google.cloud.bigtable.data import BigtableDataClient, SetCell

import container

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent.parent / "docs/migrating.md"
BINARIES = Path(os.environ["FLAG_TEST_BIN_DIR"]).resolve()
ROOTS = os.environ.get("FLAG_TEST_ROOTS")
PROJECT = "csr-assistant"
LIMIT_SECONDS = 120


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def blocks():
    """The commands of the page, in order."""
    return re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


class Row:
    """A revision as the Python framework writes it."""

    def __init__(self, flag_type, name, control, treatments, time="2024-10-01 08:00:00.000001", **others):
        self.key = f"PROJECT#{PROJECT}#ROWTYPE#REVISION#FLAGTYPE#{flag_type}#FLAGNAME#{name}#TIME#{time}"
        self.cells = {
            "Name": name,
            "Type": flag_type.upper(),
            "FormatVersion": "1",
            "ControlValue": control,
            "Comment": "as Python wrote it",
            "Treatments": treatments,
            "CreatedTime": time,
            **others,
        }


ROWS = [
    Row("feature", "multi_step_api_router", "False", "[]", "2024-09-25 18:50:00.000001"),
    Row(
        "feature",
        "multi_step_api_router",
        "False",
        str([{"OverrideList": ["A12345"], "PercentRollout": 40, "Value": True}]),
        "2024-09-25 19:15:28.248896",
    ),
    Row(
        "data",
        "llm_provider",
        "azure",
        str(
            [
                {"OverrideList": ["O'Brien"], "PercentRollout": 20, "Value": "vertex"},
                {"OverrideList": None, "PercentRollout": 33, "Value": "it's \"other\""},
            ]
        ),
    ),
    # Odd, and served by Python: an id twice, a fraction of zero, a name that none would be given today.
    Row(
        "feature",
        "_Odd name",
        "False",
        str(
            [
                {"OverrideList": ["A12345", "A12345"], "PercentRollout": 10.0, "Value": True},
                {"OverrideList": ["A12345"], "PercentRollout": 5, "Value": False},
            ]
        ),
    ),
]


class Migrating(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        port = free_port()
        self.environment = {
            "PATH": f"{BINARIES}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "BIGTABLE_EMULATOR_HOST": os.environ["FLAG_TEST_EMULATOR"],
            "PROJECT_ID": "test-project",
            "INSTANCE_ID": f"migrating-{secrets.token_hex(8)}",
            "BT_TABLE_ID": "csr_va_feature_flag_bigtable",
            "FF_LOG_TABLE_ID": "csr_va_feature_flag_service_operation_log",
            "PROJECT": PROJECT,
            "FLAG_OWNER": "John Smith",
            "FLAG_LISTEN": f"127.0.0.1:{port}",
            "FLAG_SERVICE_URL": f"http://127.0.0.1:{port}",
        }
        if ROOTS:
            self.use_the_image()
        self.run_block("flagctl init")
        self.write(ROWS)
        self.environment["PYTHON_URL"] = self.start_python()
        ids = [*(f"user-{number}" for number in range(300)), "A12345", "O'Brien", "日本語 é", "with space"]
        (self.folder / "ids.txt").write_text("\n".join(ids) + "\n")

    def use_the_image(self):
        """Puts a program before `flag-service` on the path that enters the image."""
        programs = self.folder / "programs"
        programs.mkdir()
        enter = container.entered(os.environ["FLAG_TEST_IMAGES"], ROOTS, "flag-service")
        service = programs / "flag-service"
        service.write_text(f'#!/bin/sh\necho entered >>{self.folder}/entered\nexec {shlex.join(enter)} "$@"\n')
        service.chmod(0o755)
        self.environment["PATH"] = f"{programs}:{self.environment['PATH']}"

    def write(self, rows):
        os.environ["BIGTABLE_EMULATOR_HOST"] = self.environment["BIGTABLE_EMULATOR_HOST"]
        client = BigtableDataClient(project=self.environment["PROJECT_ID"])
        table = client.get_table(self.environment["INSTANCE_ID"], self.environment["BT_TABLE_ID"])
        for row in rows:
            table.mutate_row(row.key, [SetCell("metadata", name, text) for name, text in row.cells.items()])
        client.close()

    def start_python(self):
        service = subprocess.Popen(
            [sys.executable, "-B", "-W", "ignore::RuntimeWarning", HERE / "python_service.py", "0"],
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(service.wait)
        self.addCleanup(service.stdout.close)
        self.addCleanup(service.kill)
        return service.stdout.readline().strip()

    def run_block(self, block, expected=0):
        """Runs commands as a person at a shell does; what they leave running is stopped at the end."""
        shell = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.addCleanup(stop, shell.pid)
        output, _ = shell.communicate(timeout=LIMIT_SECONDS)
        log = self.folder / "service.log"
        self.assertEqual(
            shell.returncode, expected, f"\n{block}\n{output}\n{log.read_text() if log.exists() else ''}"
        )
        return output

    def test_the_page_can_be_followed_from_the_first_step_to_the_last(self):
        outputs = [self.run_block(block) for block in blocks()]
        self.assertRegex(outputs[0], r"warning .*once more.*_Odd name")
        asked = 304
        compared = [output for output in outputs if " answers are equal" in output]
        self.assertIn(f"{3 * asked} answers are equal, 0 differ", compared[0])
        # With a flag and a roll-back that `flagctl` has written.
        self.assertIn(f"{4 * asked} answers are equal, 0 differ", compared[1])
        self.assertEqual((self.folder / "entered").exists(), bool(ROOTS))

    @unittest.skipIf(ROOTS, "shown with the binary")
    def test_what_python_would_answer_differently_is_named(self):
        self.environment["FLAG_V1_HASH_ALGORITHM"] = "sha256"
        for block in blocks()[:2]:
            self.run_block(block)
        compare = 'flagctl compare "$PROJECT" --with "$PYTHON_URL" --ids ids.txt'
        compared = json.loads(self.run_block(f"{compare} -o json 2>/dev/null", expected=7))
        self.assertGreater(compared["differing"], 300)
        flag = next(flag for flag in compared["flags"] if flag["flag_name"] == "multi_step_api_router")
        first = flag["differences"][0]
        self.assertNotEqual(first["ours"], first["theirs"])
        overridden = [difference for difference in flag["differences"] if difference["instance_id"] == "A12345"]
        self.assertEqual(overridden, [])
        # A new flag of version 2 is served here and unreadable there.
        self.run_block(
            'flagctl add "$PROJECT" feature new_one --description d --yes\n'
            'flagctl revise "$PROJECT" feature new_one --control true --comment c --yes'
        )
        table = self.run_block(compare, expected=7)
        self.assertRegex(table, r"feature +new_one +user-0 +true \(control\) +500 malformed node")

    @unittest.skipIf(ROOTS, "shown with the binary")
    def test_services_that_serve_nothing_are_no_proof(self):
        self.environment["PYTHON_URL"] += "/nowhere"
        for block in blocks()[:2]:
            self.run_block(block)
        nothing = 'flagctl compare "$PROJECT" --with "$PYTHON_URL" --service "$PYTHON_URL" --ids ids.txt'
        self.assertIn("neither service served a value", self.run_block(nothing, expected=1))
        gone = f'flagctl compare "$PROJECT" --with http://127.0.0.1:{free_port()} --ids ids.txt'
        self.assertIn("does not answer", self.run_block(gone, expected=1))


def stop(group):
    """Stops what a block has left running."""
    try:
        os.killpg(group, signal.SIGTERM)
    except ProcessLookupError:
        pass


if __name__ == "__main__":
    unittest.main()
