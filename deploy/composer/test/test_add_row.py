"""The DAG, run by the real Airflow, writes rows into the real emulator with the real `flagctl`.

Run by `cargo xtask test --with-airflow`, with the interpreter of a virtual environment that has Airflow in it. The
variables are those of the tests in Rust: FLAG_TEST_BIN_DIR holds `flagctl`, FLAG_TEST_EMULATOR is where the Bigtable
emulator listens.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import unittest
from importlib.metadata import version
from pathlib import Path

from airflow_home import AirflowHome, Run
from fake_kubernetes import FakeKubernetes, expand, matches

DAG_ID = "csr-va-hcb-iris-feature-flag-management-bigtable-add-row"
BINARIES = Path(os.environ["FLAG_TEST_BIN_DIR"]).resolve()
EMULATOR = os.environ["FLAG_TEST_EMULATOR"]
IMAGE = "example/flagctl:test"
FLAG = ("csr-assistant", "feature", "multi_step_api_router")

# As the issue tracker of the Python framework has it, to the letter.
REVISION = (
    "{'Name': 'multi_step_api_router', 'Type': 'FEATURE', 'FormatVersion': 1, 'ControlValue': False, "
    "'Comment': 'Rollout to 40%', 'OwnerID': 'John Smith', "
    "'Treatments': [{'OverrideList': ['A12345'], 'PercentRollout':40, 'Value': True}]}"
)
METADATA = (
    "{'Name': 'multi_step_api_router', 'Type': 'FEATURE', 'Description': 'Multi-step API router', "
    "'OwnerID': 'John Smith'}"
)


def configuration(row_type: str, cells: str, **others) -> dict:
    project, flag_type, name = FLAG
    return {
        "row_key_prefix_PROJECT": project,
        "row_key_prefix_ROWTYPE": row_type,
        "row_key_prefix_FLAGTYPE": flag_type,
        "row_key_prefix_FLAGNAME": name,
        "row_cell_value": cells,
        "add_new_feature_flag": row_type == "FLAG",
        **others,
    }


def cells(**changes) -> dict:
    """The cells of a revision at 40 %, with changes."""
    treatment = {"OverrideList": ["A12345"], "PercentRollout": changes.pop("percent", 40), "Value": True}
    return {
        "Name": FLAG[2],
        "Type": "FEATURE",
        "FormatVersion": 1,
        "ControlValue": False,
        "Comment": "Rollout",
        "OwnerID": "John Smith",
        "Treatments": [treatment],
        **changes,
    }


class AddRow(unittest.TestCase):
    """One Airflow and one cluster for all, one Bigtable instance for each."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.home = AirflowHome()
        cls.addClassCleanup(cls.home.close)
        cls.cluster = cls.enterClassContext(FakeKubernetes({IMAGE: BINARIES}))
        cls.kube_config = cls.home.path / "kube_config"
        cls.kube_config.write_text(cls.cluster.kube_config())

    def setUp(self) -> None:
        self.store = {
            "BIGTABLE_EMULATOR_HOST": EMULATOR,
            "PROJECT_ID": "test-project",
            "INSTANCE_ID": f"test-{secrets.token_hex(8)}",
        }
        self.cluster.seen.clear()

    def tearDown(self) -> None:
        self.assertEqual(self.cluster.pods, {}, "a pod was left behind")

    def trigger(self, configuration: dict) -> Run:
        variables = {"FLAG_DAG_IMAGE": IMAGE, "FLAG_DAG_KUBE_CONFIG": str(self.kube_config), **self.store}
        return self.home.test_dag(DAG_ID, configuration, variables)

    def assert_written(self, configuration: dict) -> Run:
        run = self.trigger(configuration)
        self.assertTrue(run.succeeded, run.log)
        return run

    def assert_refused(self, configuration: dict, *said: str) -> None:
        run = self.trigger(configuration)
        self.assertFalse(run.succeeded, run.log)
        for words in said:
            self.assertIn(words, run.log)

    def assert_modest(self, pod: dict) -> None:
        """Checks that a pod may do no more than it needs."""
        spec, container = pod["spec"], pod["spec"]["containers"][0]
        self.assertIs(spec["automountServiceAccountToken"], False)
        self.assertTrue(spec["securityContext"]["runAsNonRoot"])
        self.assertFalse(container["securityContext"]["allowPrivilegeEscalation"])
        self.assertEqual((spec["restartPolicy"], container["command"]), ("Never", ["flagctl"]))
        self.assertEqual({variable["name"] for variable in container["env"]}, {"FLAG_STORE", *self.store})

    def flagctl(self, *words: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [BINARIES / "flagctl", *words],
            env={"FLAG_STORE": "bigtable", "FLAG_OWNER": "John Smith", **self.store},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    def test_the_store_may_stand_in_a_config_map(self) -> None:
        self.cluster.config_maps["flag-store"] = self.store
        variables = {
            "FLAG_DAG_IMAGE": IMAGE,
            "FLAG_DAG_KUBE_CONFIG": str(self.kube_config),
            "FLAG_DAG_CONFIG_MAP": "flag-store",
        }
        run = self.home.test_dag(DAG_ID, configuration("FLAG", METADATA), variables)
        self.assertTrue(run.succeeded, run.log)
        [pod] = self.cluster.seen
        self.assertEqual([one["name"] for one in pod["spec"]["containers"][0]["env"]], ["FLAG_STORE"])
        self.assertIn("Multi-step API router", self.flagctl("list", FLAG[0]).stdout)

    def add_flag(self) -> None:
        added = self.flagctl("add", *FLAG, "--description", "Multi-step API router")
        self.assertEqual(added.returncode, 0, added.stderr)

    def flag(self) -> dict:
        got = self.flagctl("get", *FLAG, "-o", "json")
        self.assertEqual(got.returncode, 0, got.stderr)
        return json.loads(got.stdout)

    def test_a_flag_configuration_adds_the_flag(self) -> None:
        run = self.assert_written(configuration("FLAG", METADATA))
        self.assertIn("PROJECT#csr-assistant#ROWTYPE#FLAG#FLAGTYPE#feature#FLAGNAME#multi_step_api_router", run.log)
        (pod,) = self.cluster.seen
        self.assert_modest(pod)
        metadata = self.flag()["metadata"]
        self.assertEqual((metadata["description"], metadata["owner"]), ("Multi-step API router", "John Smith"))

    def test_a_revision_configuration_writes_the_row(self) -> None:
        self.add_flag()
        self.assert_written(configuration("REVISION", REVISION))
        revision = self.flag()["revision"]
        (treatment,) = revision["treatments"]
        self.assertEqual((revision["format_version"], revision["control"]), (1, False))
        self.assertEqual((revision["comment"], revision["owner"]), ("Rollout to 40%", "John Smith"))
        self.assertEqual((treatment["overrides"], treatment["percent"], treatment["value"]), (["A12345"], 40, True))

    def test_what_is_not_valid_fails_the_task_which_says_why(self) -> None:
        self.add_flag()
        self.assert_refused(
            configuration("REVISION", str(cells(percent=140))),
            "error:",
            "Rollout percentage: 140 is invalid. Value should be an integer in range [0, 100].",
        )
        self.assertIsNone(self.flag()["revision"])

    def test_a_text_arrives_as_it_was_typed(self) -> None:
        mark = self.home.path / "mark"
        typed = (
            f"""it's "quoted", {{{{ 1 + 1 }}}} {{% raw %}} {{# no #}}, $(touch {mark}) `touch {mark}`; touch {mark}\n"""
            "second line\t$$ $(FLAG_STORE) ${HOME} $HOME %s %(x)s \\ \\n <&> é 🚩"
        )
        self.add_flag()
        self.assert_written(configuration("REVISION", str(cells(Comment=typed))))
        self.assertEqual(self.flag()["revision"]["comment"], typed)
        self.assertFalse(mark.exists())

    def test_what_wants_the_flags_name_is_confirmed_by_a_field(self) -> None:
        self.add_flag()
        self.assert_written(configuration("REVISION", str(cells())))
        (treatment,) = cells()["Treatments"]
        treatment["Ranges"] = [[0, 40_000]]
        reshuffle = cells(FormatVersion=2, HashAlgorithm="md5", Salt="another", Treatments=[treatment])
        self.assert_refused(configuration("REVISION", str(reshuffle)), "error:", f"--yes-i-mean {FLAG[2]}")
        self.assertEqual(self.flag()["revision"]["format_version"], 1)
        self.assert_written(configuration("REVISION", str(reshuffle), yes_i_mean=FLAG[2]))
        self.assertEqual(self.flag()["revision"]["format_version"], 2)

    def test_what_the_form_does_not_offer_starts_no_pod(self) -> None:
        self.assert_refused(configuration("flag", METADATA), "row_key_prefix_ROWTYPE")
        self.assertEqual(self.cluster.seen, [])


class Import(unittest.TestCase):
    """What Airflow knows of the DAG without running it."""

    @classmethod
    def setUpClass(cls) -> None:
        home = AirflowHome()
        cls.addClassCleanup(home.close)
        cls.found = home.import_dag()

    def test_it_is_imported_without_work_or_warnings(self) -> None:
        self.assertEqual((self.found["dag_id"], self.found["work"], self.found["warnings"]), (DAG_ID, [], []))

    def test_nothing_is_tried_twice_or_at_once(self) -> None:
        self.assertEqual((self.found["tasks"], self.found["max_active_runs"]), ({"run-config": 0}, 1))

    def test_the_form_has_a_field_with_its_meaning_for_each_key(self) -> None:
        fields = self.found["params"]
        self.assertEqual(set(fields), {*configuration("FLAG", METADATA), "yes_i_mean"})
        for name, field in fields.items():
            with self.subTest(name):
                self.assertTrue(field["title"] and field["description"])
        self.assertEqual(fields["row_key_prefix_ROWTYPE"]["enum"], ["FLAG", "REVISION"])
        self.assertEqual(fields["row_key_prefix_FLAGTYPE"]["enum"], ["feature", "data"])
        self.assertEqual(fields["add_new_feature_flag"]["type"], "boolean")

    def test_what_has_no_default_must_be_given(self) -> None:
        optional = {"add_new_feature_flag", "yes_i_mean"}
        self.assertEqual(set(self.found["required"]), set(self.found["params"]) - optional)

    def test_a_configuration_too_long_for_a_pod_is_refused_with_the_way_out(self) -> None:
        self.assertIn("flagctl run-config -f FILE", self.found["too_long"])


class FakeItself(unittest.TestCase):
    """What the other tests trust the fake to do as Kubernetes does."""

    def test_variables_are_expanded_and_doubled_dollars_halved(self) -> None:
        self.assertEqual(expand("$(A) $$(A) $(B) $A $", {"A": "1"}), "1 $(A) $(B) $A $")

    def test_labels_are_selected(self) -> None:
        labels = {"a": "1", "b": "2"}
        self.assertTrue(matches(labels, "a=1,b==2,c!=3,!c,a"))
        for selector in ("a=2", "a!=1", "!a", "c", "c=3"):
            self.assertFalse(matches(labels, selector), selector)


def interrupt(*_) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    # So that folders and processes go, whichever way this ends.
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, interrupt)
    print(f"Airflow {version('apache-airflow')}, Kubernetes provider", end=" ")
    print(version("apache-airflow-providers-cncf-kubernetes"), flush=True)
    unittest.main()
