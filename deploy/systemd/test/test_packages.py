"""Unpacks what is handed out, and uses it as an operator would.

Run by `cargo xtask ci`. FLAG_TEST_PACKAGES has what `cargo xtask dist` makes.
"""

import gzip
import hashlib
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import tempfile
import tomllib
import unittest
from pathlib import Path

from running import STOP_SECONDS, Service

PACKAGES = Path(os.environ["FLAG_TEST_PACKAGES"])
SOURCE = Path(__file__).resolve().parent.parent
# Of 100, in tenths as systemd-analyze counts: the least that reading keys by group and a low port leave.
EXPOSURE = 16


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, **options)
    if done.returncode != 0:
        raise AssertionError(f"{command}: {done.returncode} {done.stdout}{done.stderr}")
    return done.stdout


class Packages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.root = Path(cls.folder.name) / "root"
        for package in PACKAGES.glob("*.deb"):
            run("dpkg-deb", "--extract", package, cls.root)

    def test_checksums_are_right_and_name_everything(self):
        lines = (PACKAGES / "SHA256SUMS").read_text().splitlines()
        sums = dict(reversed(line.split("  ")) for line in lines)
        files = {path.name: path for path in PACKAGES.iterdir() if path.name != "SHA256SUMS"}
        self.assertEqual(sums.keys(), files.keys())
        self.assertEqual(len(files), 5)
        for name, path in files.items():
            self.assertEqual(hashlib.sha256(path.read_bytes()).hexdigest(), sums[name])

    def test_the_service_of_the_package_serves_with_the_settings_of_the_package(self):
        settings = tomllib.loads((self.root / "etc/flag-service/flag-service.toml").read_text())
        data = Path(self.folder.name) / "state"
        config = Path(self.folder.name) / "flag-service.toml"
        # Where systemd makes the folder, and a port that is free.
        self.assertEqual(settings["data_dir"], "/var/lib/flag-service")
        text = (self.root / "etc/flag-service/flag-service.toml").read_text()
        config.write_text(text.replace("/var/lib/flag-service", str(data)))
        flagctl = self.root / "usr/bin/flagctl"
        flag = ["csr-assistant", "feature", "multi_step_api_router"]
        variables = {"FLAG_CONFIG": str(config), "FLAG_OWNER": "John Smith"}
        run(flagctl, "add", *flag, "--description", "of a test", env=variables)
        run(flagctl, "revise", *flag, "--control", "false", "--percent", "40", "--override", "A12345", "--comment", "try", env=variables)
        binary = self.root / "usr/bin/flag-service"
        run(binary, "--check-config", f"--config={config}", env={})
        told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(told.close)
        told.bind(str(Path(self.folder.name) / "notify"))
        told.settimeout(STOP_SECONDS)
        service = Service([binary, f"--config={config}"], {"NOTIFY_SOCKET": told.getsockname()})
        self.addCleanup(service.kill)
        self.assertEqual(told.recv(64), b"READY=1")
        query = "project_name=csr-assistant&flag_type=feature&flag_name=multi_step_api_router&instance_id=A12345"
        self.assertIs(json.loads(service.get(f"/get-feature-flag?{query}"))["flag_value"], True)
        self.assertEqual(service.stop(), 0)
        self.assertEqual(told.recv(64), b"STOPPING=1")
        self.assertIn("\nType=notify\n", (self.root / "usr/lib/systemd/system/flag-service.service").read_text())

    def test_every_setting_that_is_commented_out_is_known(self):
        page = (SOURCE.parent.parent / "docs/configuration.md").read_text()
        keys = re.findall(r"(?m)^#?([a-z_]+) = ", (SOURCE / "flag-service.toml").read_text())
        self.assertIn("bigtable_app_profile", keys)
        for key in keys:
            self.assertIn(f"| `{key}` |", page)

    def test_manual_pages_and_completions_are_where_debian_looks(self):
        for page in ("man8/flag-service.8.gz", "man1/flagctl.1.gz", "man1/flagctl-revise.1.gz"):
            self.assertTrue((self.root / "usr/share/man" / page).is_file(), page)
        page = gzip.decompress((self.root / "usr/share/man/man8/flag-service.8.gz").read_bytes()).decode()
        for section in ("DESCRIPTION", "OPTIONS", "TLS", "UNIT", "EXIT STATUS"):
            self.assertRegex(page, rf'(?m)^\.SH "?{section}"?$')
        self.assertIn("\\-\\-tls\\-certificate\\-file", page)
        self.assertNotIn("generate", page)
        for name in ("flagctl", "flag-service"):
            script = self.root / "usr/share/bash-completion/completions" / name
            run("bash", "-c", 'source "$1" && complete -p "$2"', "bash", script, name)
            for path in (f"zsh/vendor-completions/_{name}", f"fish/vendor_completions.d/{name}.fish"):
                self.assertIn(name, (self.root / "usr/share" / path).read_text())

    def test_packages_say_what_they_need(self):
        for name in ("flag-service", "flagctl"):
            [package] = PACKAGES.glob(f"{name}_*.deb")
            fields = run("dpkg-deb", "--field", package)
            self.assertRegex(fields, r"(?m)^Depends: libc6 \(>= 2\.[0-9]+\), libgcc-s1, ca-certificates$")
            self.assertIn(f"{name}_{re.search('(?m)^Version: (.*)$', fields)[1]}_", package.name)
        [package] = PACKAGES.glob("flag-service_*.deb")
        with tempfile.TemporaryDirectory() as folder:
            run("dpkg-deb", "--control", package, folder)
            self.assertEqual((Path(folder) / "conffiles").read_text(), "/etc/flag-service/flag-service.toml\n")
            for script in ("postinst", "prerm", "postrm"):
                run("sh", "-n", Path(folder) / script)
                self.assertTrue((Path(folder) / script).stat().st_mode & stat.S_IXUSR)

    def test_the_archive_holds_the_same_programs(self):
        [archive] = PACKAGES.glob("*.tar.gz")
        with tempfile.TemporaryDirectory() as folder:
            run("tar", "--extract", "--gzip", "--file", archive, "--directory", folder)
            [top] = Path(folder).iterdir()
            for name in ("flag-service", "flagctl"):
                run(top / "bin" / name, "--version")
                self.assertEqual((top / "bin" / name).read_bytes(), (self.root / "usr/bin" / name).read_bytes())

    def test_bills_name_what_is_in_the_programs(self):
        for name in ("flag-service", "flagctl"):
            [bill] = PACKAGES.glob(f"{name}-*.cdx.json")
            bill = json.loads(bill.read_text())
            self.assertEqual(bill["metadata"]["component"]["name"], name)
            components = {one["name"]: one for one in bill["components"]}
            self.assertIn("hashes", components["ring"])
            self.assertNotIn("proptest", components)
            refs = {one["bom-ref"] for one in [*bill["components"], bill["metadata"]["component"]]}
            self.assertEqual({one["ref"] for one in bill["dependencies"]}, refs)

    @unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
    def test_the_unit_is_valid_and_gives_little_away(self):
        unit = self.root / "usr/lib/systemd/system/flag-service.service"
        with tempfile.TemporaryDirectory() as folder:
            # The programs and pages that it names are in the package, not on this machine.
            text = unit.read_text().replace("/usr/bin/flag-service", "/bin/true")
            text = re.sub(r"(?m)^Documentation=.*\n", "", text)
            (Path(folder) / unit.name).write_text(text)
            said = subprocess.run(["systemd-analyze", "verify", Path(folder) / unit.name], capture_output=True, text=True)
            self.assertEqual((said.returncode, said.stderr), (0, ""))
        run("systemd-analyze", "security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE}", unit)

    def test_the_unit_waits_longer_than_the_service_takes(self):
        unit = (SOURCE / "flag-service.service").read_text()
        self.assertGreater(int(re.search(r"(?m)^TimeoutStopSec=([0-9]+)$", unit)[1]), STOP_SECONDS)


if __name__ == "__main__":
    unittest.main()
