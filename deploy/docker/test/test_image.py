"""Runs the programs in the unpacked images: as a user without rights, in a file system that cannot be written.

Run by `cargo xtask ci` as root. FLAG_TEST_IMAGES has the layouts of the images, FLAG_TEST_ROOTS what umoci unpacked of
them, and FLAG_TEST_EMULATOR is where the Bigtable emulator listens.
"""

import json
import os
import re
import secrets
import stat
import subprocess
import tempfile
import unittest
from pathlib import Path

import container
from container import USER
from running import Service

IMAGES = Path(os.environ["FLAG_TEST_IMAGES"])
ROOTS = Path(os.environ["FLAG_TEST_ROOTS"])
DOCKERFILE = Path(__file__).resolve().parent.parent / "Dockerfile"
FLAG = ["csr-assistant", "feature", "multi_step_api_router"]
QUESTION = "project_name=csr-assistant&flag_type=feature&flag_name=multi_step_api_router&instance_id=A12345"

def configuration(name):
    return container.configuration(IMAGES, name)


def entered(name, arguments, volume=""):
    return container.entered(IMAGES, ROOTS, name, arguments, volume)


def flagctl(variables, *arguments, volume=""):
    variables = {"FLAG_OWNER": "John Smith", **variables}
    command = entered("flagctl", arguments, volume)
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"flagctl {arguments}: {done.returncode} {done.stderr}")
    return done.stdout


class Images(unittest.TestCase):
    def serves_a_flag(self, variables, volume=""):
        flagctl(variables, "init", volume=volume)
        flagctl(variables, "add", *FLAG, "--description", "of a test", volume=volume)
        flagctl(variables, "revise", *FLAG, "--control", "false", "--percent", "40", "--override", "A12345", "--comment", "try", volume=volume)
        service = Service(entered("flag-service", [], volume), variables)
        self.addCleanup(service.kill)
        self.assertIn('"ready"', service.get("/readyz"))
        answer = json.loads(service.get(f"/get-feature-flag?{QUESTION}"))
        self.assertIs(answer["flag_value"], True)
        status = Path(f"/proc/{service.process.pid}/status").read_text()
        self.assertRegex(status, rf"(?m)^Uid:\t{USER}\t{USER}\t{USER}\t{USER}$")
        self.assertRegex(status, r"(?m)^CapEff:\t0+$")
        self.assertEqual(service.stop(), 0)

    def test_a_flag_in_bigtable_is_served_with_nothing_that_can_be_written(self):
        self.serves_a_flag(
            {
                "FLAG_STORE": "bigtable",
                "BIGTABLE_EMULATOR_HOST": os.environ["FLAG_TEST_EMULATOR"],
                "PROJECT_ID": "image-test",
                "INSTANCE_ID": f"image-{secrets.token_hex(8)}",
            }
        )

    def test_a_flag_in_local_files_is_served_from_a_volume(self):
        with tempfile.TemporaryDirectory() as volume:
            os.chown(volume, USER, USER)
            self.serves_a_flag({"FLAG_DATA_DIR": "/tmp/flag-data"}, volume)

    def test_without_a_volume_local_files_are_refused(self):
        done = subprocess.run(entered("flag-service", []), env={}, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn("flag-data", done.stderr)

    def test_the_root_has_certificates_and_nothing_to_run_but_the_program(self):
        for name in ("flag-service", "flagctl"):
            root = ROOTS / name / "rootfs"
            self.assertEqual([path.name for path in (root / "usr/bin").iterdir()], [name])
            certificates = (root / "etc/ssl/certs/ca-certificates.crt").read_text()
            self.assertGreater(certificates.count("BEGIN CERTIFICATE"), 100)
            for path in root.rglob("*"):
                found = path.lstat()
                self.assertEqual((found.st_uid, found.st_gid), (0, 0), path)
                if not path.is_symlink() and path.name != "tmp":
                    self.assertEqual(stat.S_IMODE(found.st_mode) & 0o6022, 0, path)

    def test_the_dockerfile_says_the_same(self):
        stages = re.split(r"(?m)^FROM ", DOCKERFILE.read_text())
        for name in ("flag-service", "flagctl"):
            [stage] = [stage for stage in stages if re.match(rf"\S+ AS {name}\n", stage)]
            says = configuration(name)["config"]
            self.assertIn(f"\nENTRYPOINT {json.dumps(says['Entrypoint'])}\n", stage)
            self.assertIn(f"\nUSER {says['User']}\n", stage)
            labels = re.findall(r"(org\.opencontainers\.image\.\w+)=", stage)
            self.assertEqual(sorted(labels), sorted(says["Labels"]))
            self.assertIn(f"{says['Labels']['org.opencontainers.image.description']}", stage)


if __name__ == "__main__":
    unittest.main()
