"""A newcomer's walk: add a flag, roll it out to 40 %, read it from an application, roll it back, look at exposures, stop.

Run by `cargo xtask ci`, with the programs as they were built and one service over local files; and, where FLAG_TEST_ROOTS
names the unpacked images, with two replicas from the image behind haproxy, over the Bigtable emulator. FLAG_TEST_BIN_DIR
holds the programs and `examples/plain`, an application; FLAG_TEST_EMULATOR is where the emulator listens.
"""

import json
import os
import re
import secrets
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

import container
from running import Service

BINARIES = Path(os.environ["FLAG_TEST_BIN_DIR"]).resolve()
ROOTS = os.environ.get("FLAG_TEST_ROOTS")
FLAG = ["csr-assistant", "feature", "multi_step_api_router"]
QUESTION = "/get-feature-flag?project_name=csr-assistant&flag_type=feature&flag_name=multi_step_api_router&instance_id="
IDS = [f"user-{number}" for number in range(200)]

# A change is served within a second; a busy machine may take longer.
PATIENCE_SECONDS = 10

HAPROXY = """
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 10s
  option httpchk GET /readyz
  default-server check inter 100ms fall 1 rise 1
frontend front
  bind {address}
  default_backend replicas
backend replicas
"""


def until(is_so, what):
    """Waits until something is so; says how long it took."""
    began = time.monotonic()
    while not is_so():
        if time.monotonic() > began + PATIENCE_SECONDS:
            raise AssertionError(f"not {what} after {PATIENCE_SECONDS} s")
        time.sleep(0.02)
    print(f"{what} after {time.monotonic() - began:.2f} s", flush=True)


class Walk(unittest.TestCase):
    def walk(self, flagctl, variables, services, url):
        """Walks with this command, these settings of the store, these services, and the address where they are asked."""

        def run(*arguments):
            settings = {"FLAG_OWNER": "John Smith", **variables}
            done = subprocess.run([*flagctl, *arguments], env=settings, capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, f"flagctl {arguments}: {done.stderr}")
            return done.stdout

        def answers(instance):
            """What the service says, as often as it takes to ask each replica."""
            asked = [urllib.request.urlopen(url + QUESTION + instance, timeout=10) for _ in services]
            return {json.loads(answer.read())["flag_value"] for answer in asked}

        def revision(number):
            return lambda: len(run("history", *FLAG, "-o", "name").splitlines()) == number

        run("add", *FLAG, "--description", "Plans several calls", "--yes")
        run("revise", *FLAG, "--control", "false", "--comment", "Off", "--yes")
        run("revise", *FLAG, "--percent", "40", "--comment", "Rollout to 40 %", "--yes")
        self.assertTrue(revision(2)())

        application = self.application(url)
        lines = {one: application(one) for one in IDS}
        on = [one for one, line in lines.items() if line.startswith(f"{one}: steps several")]
        off = [one for one, line in lines.items() if line.startswith(f"{one}: steps one")]
        self.assertEqual(len(on) + len(off), len(IDS), lines)
        # 40 % of 200 are 80; five standard deviations more or less.
        self.assertTrue(45 <= len(on) <= 115, len(on))
        groups = [run("explain", *FLAG, one, "-o", "name").strip() for one in (on[0], off[0])]
        self.assertEqual(groups, ["treatment_1", "control"])
        self.assertEqual((answers(on[0]), answers(off[0])), ({True}, {False}))

        run("rollback", *FLAG, "--comment", "Slow", "--yes")
        until(lambda: answers(on[0]) == {False}, "the old answer is served")
        self.assertRegex(application(on[0]), "^user-[0-9]+: steps one")
        self.assertTrue(revision(3)())

        def exposures():
            rows = run("exposures", *FLAG, "--limit", "1000")
            return set(re.findall(r"(user-\d+) .*\b(treatment_1|control)\b", rows))

        until(lambda: {(on[0], "treatment_1"), (on[0], "control"), (off[0], "control")} <= exposures(), "the exposures are there")
        self.assertEqual([service.stop() for service in services], [0 for _ in services])
        self.assertIn("(default: ", application("user-new"))

    def application(self, url):
        """The example application, whose answers count for no time; asks it for an instance."""
        process = subprocess.Popen(
            [BINARIES / "examples/plain", "0"],
            env={"FLAG_SERVICE_URL": url},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)

        def ask(instance):
            process.stdin.write(f"{instance}\n")
            process.stdin.flush()
            return process.stdout.readline().strip()

        return ask

    def started(self, command, variables):
        service = Service(command, variables)
        self.addCleanup(service.kill)
        service.get("/readyz")
        return service

    def balanced(self, services):
        """Starts haproxy in front of services; gives its address."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = "{}:{}".format(*free.getsockname())
        replicas = [f"  server replica{at} {one.url.removeprefix('http://')}" for at, one in enumerate(services)]
        file = self.enterContext(tempfile.NamedTemporaryFile("w", suffix=".cfg"))
        file.write(HAPROXY.format(address=address) + "\n".join(replicas) + "\n")
        file.flush()
        balancer = subprocess.Popen(["haproxy", "-db", "-f", file.name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(balancer.wait)
        self.addCleanup(balancer.kill)

        def is_there():
            try:
                return urllib.request.urlopen(f"http://{address}/livez", timeout=10).status == 200
            except urllib.error.URLError:
                return False

        until(is_there, "the balancer serves")
        return f"http://{address}"

    @unittest.skipIf(ROOTS, "walked with the programs as they were built")
    def test_with_one_service_over_local_files(self):
        variables = {"FLAG_STORE": "embedded", "FLAG_DATA_DIR": self.enterContext(tempfile.TemporaryDirectory())}
        service = self.started([BINARIES / "flag-service"], variables)
        self.walk([BINARIES / "flagctl"], variables, [service], service.url)

    @unittest.skipUnless(ROOTS, "no image is unpacked")
    def test_with_two_replicas_from_the_image_behind_a_balancer(self):
        images = os.environ["FLAG_TEST_IMAGES"]
        variables = {
            "FLAG_STORE": "bigtable",
            "BIGTABLE_EMULATOR_HOST": os.environ["FLAG_TEST_EMULATOR"],
            "PROJECT_ID": "walk-test",
            "INSTANCE_ID": f"walk-{secrets.token_hex(8)}",
        }
        flagctl = container.entered(images, ROOTS, "flagctl")
        subprocess.run([*flagctl, "init"], env=variables, check=True, stdout=subprocess.DEVNULL, timeout=60)
        services = [self.started(container.entered(images, ROOTS, "flag-service"), variables) for _ in range(2)]
        self.walk(flagctl, variables, services, self.balanced(services))


if __name__ == "__main__":
    unittest.main()
