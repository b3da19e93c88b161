"""Compares the ways to make the store with what the programs expect of it.

Run by `cargo xtask ci`. FLAG_TEST_BIN_DIR holds `flagctl`, FLAG_TEST_EMULATOR is where the Bigtable emulator listens.
"""

import json
import os
import re
import secrets
import shutil
import subprocess
import unittest
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent
TOP = FOLDER.parent.parent
BINARIES = Path(os.environ["FLAG_TEST_BIN_DIR"]).resolve()
PAGE = (FOLDER / "README.md").read_text()
TERRAFORM = {path.name: path.read_text() for path in FOLDER.glob("*.tf")}


def defaults():
    """The default of each setting, by its variable."""
    page = (TOP / "docs/configuration.md").read_text()
    rows = re.findall(r"(?m)^\| `--[^`]+` \| ([^|]+) \| `[^`]+` \| `?([^`|]+)`? \|", page)
    return {name: default for names, default in rows for name in re.findall(r"`([^`]+)`", names)}


def variable(name):
    """The default of a variable of Terraform."""
    found = re.search(rf'variable "{name}" {{.*?default += ([^\n]+)\n}}', TERRAFORM["variables.tf"], re.DOTALL)
    return json.loads(found[1])


# Who is meant by a local value of Terraform.
HOLDERS = {"service": ["service"], "owners": ["writer", "owners"], "auditors": ["auditors"]}


def holder(member):
    """Who is meant by a member of a policy: `service`, `writer`, `owners`, `auditors`."""
    return re.fullmatch(r"(?:serviceAccount|group):flag-(\w+)@.+|group:(\w+)@.+", member).expand(r"\1\2")


class Bigtable(unittest.TestCase):
    def test_terraform_has_the_names_of_the_programs(self):
        known = defaults()
        self.assertEqual(variable("flag_table"), known["BT_TABLE_ID"])
        self.assertEqual(variable("log_table"), known["FF_LOG_TABLE_ID"])
        self.assertEqual(variable("environment"), known["environment"])
        self.assertEqual(variable("tenant"), known["TENANT_NAME"])
        main = TERRAFORM["main.tf"]
        for name, default in (("project", known["PROJECT_ID"]), ("instance", known["INSTANCE_ID"])):
            self.assertIn(f'coalesce(var.{name}, "{default.replace("{", "${var.")}")', main)
        self.assertEqual(str(variable("log_retention_days")), known["FLAG_EXPOSURE_RETENTION_DAYS"])
        self.assertEqual(set(re.findall(r'(?m)^ +(?:family|column_family) += "(\w+)"', main)), {"metadata"})
        for overlay in (TOP / "deploy/kubernetes/base").glob("kustomization.yaml"):
            [profile] = re.findall(r"FLAG_BIGTABLE_APP_PROFILE=(\S+)", overlay.read_text())
            self.assertIn(f'app_profile_id = "{profile}"', main)

    def test_the_page_gives_the_rights_that_terraform_gives(self):
        tables = {"csr_va_feature_flag_bigtable": "flags", "csr_va_feature_flag_service_operation_log": "log"}
        [owners] = re.findall(r"(?m)^for owner in (.+); do$", PAGE)
        calls = re.findall(r'(?m)^ *grant (\w+) (\w+) "?([^\s"]+)"?$', PAGE)
        by_hand = {
            (tables[table], role, holder(member))
            for table, role, members in calls
            for member in members.replace("$owner", owners).split()
        }
        block = r'table += google_bigtable_table\.(\w+)\.name\s+role += "roles/bigtable\.(\w+)"\s+member += (\S+)'
        resources = TERRAFORM["rights.tf"].split('resource "google_bigtable_table_iam_member"')[1:]
        by_terraform = set()
        for resource in resources:
            [(table, role, member)] = re.findall(block, resource)
            [each] = re.findall(r"for_each += (.+)", resource) or [member]
            by_terraform |= {(table, role, one) for name in re.findall(r"local\.(\w+)", each) for one in HOLDERS[name]}
        self.assertEqual(by_hand, by_terraform)
        self.assertEqual({right[:2] for right in by_hand if right[2] == "service"}, {("flags", "reader"), ("log", "user")})
        self.assertEqual({right[1] for right in by_hand if right[2] == "auditors"}, {"reader"})

    def test_the_holders_of_terraform_are_those(self):
        rights = TERRAFORM["rights.tf"]
        self.assertRegex(rights, r"owners += merge\(\{ dag = local\.writer \}, \{ .* in var\.owners")
        self.assertRegex(rights, r"auditors += \{ .* in var\.auditors")
        for name in ("service", "writer"):
            self.assertRegex(rights, rf'{name} += "serviceAccount:\$\{{google_service_account\.{name}\.email\}}"')
            self.assertRegex(rights, rf'resource "google_service_account" "{name}" \{{\s+account_id += "flag-{name}"')

    @unittest.skipUnless(shutil.which("cbt"), "cbt is not installed")
    def test_tables_made_by_hand_are_as_flagctl_wants_them(self):
        [block] = [block for block in re.findall(r"(?s)```sh\n(.*?)```", PAGE) if "createtable" in block]
        commands = "".join(re.findall(r"(?m)^cbt (?:.*\\\n)*.*\n", block))
        self.assertEqual(commands.count("createtable"), 2)
        project, instance = "bigtable-test", f"bigtable-{secrets.token_hex(8)}"
        commands = commands.replace("=PROJECT", f"={project}").replace("=INSTANCE", f"={instance}")
        emulator = {"BIGTABLE_EMULATOR_HOST": os.environ["FLAG_TEST_EMULATOR"]}
        subprocess.run(["sh", "-ec", commands], env={**os.environ, **emulator}, check=True, timeout=60)
        variables = {**emulator, "FLAG_STORE": "bigtable", "PROJECT_ID": project, "INSTANCE_ID": instance}
        doctor = subprocess.run([BINARIES / "flagctl", "doctor"], env=variables, capture_output=True, text=True, timeout=60)
        self.assertEqual(doctor.returncode, 0, doctor.stdout + doctor.stderr)
        self.assertRegex(doctor.stdout, r"(?m)^ok +table csr_va_feature_flag_bigtable +keeps one version of each cell for ever$")
        self.assertRegex(doctor.stdout, r"(?m)^ok +table \w+_log +keeps one version of each cell for 90 days$")

    @unittest.skipUnless(shutil.which("terraform"), "terraform is not installed")
    def test_terraform_is_formatted(self):
        done = subprocess.run(["terraform", "fmt", "-check", "-diff", FOLDER], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stdout, "")
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
