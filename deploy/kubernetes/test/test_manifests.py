"""Checks what the overlays come to: against the schemas of Kubernetes, and against the service itself.

Run by `cargo xtask ci` with the interpreter of an environment that has kubernetes-validate in it. FLAG_TEST_BIN_DIR
holds `flagctl` and `flag-service`, FLAG_TEST_EMULATOR is where the Bigtable emulator listens.
"""

import ipaddress
import os
import re
import secrets
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml

from running import STOP_SECONDS, Service

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent.parent
BINARIES = Path(os.environ["FLAG_TEST_BIN_DIR"]).resolve()
ENVIRONMENTS = ("dev", "test", "prod")
# The oldest that has `sleep` for preStop switched on, and the newest that the validator knows.
KUBERNETES = ("1.30", "1.37")
# How long Google's load balancer keeps a connection without a request; nobody can change it.
BALANCER_IDLE_SECONDS = 600
CUSTOM = yaml.safe_load((HERE / "custom-resources.yaml").read_text())


def rendered(folder):
    """What `kubectl apply -k` would send."""
    done = subprocess.run(["kubectl", "kustomize", HERE.parent / folder], capture_output=True, text=True, check=True)
    return list(yaml.safe_load_all(done.stdout))


def closed(schema):
    """The schema with every object of known fields closed to others."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: closed(value) for key, value in schema.items()}
    return {"additionalProperties": False, **schema} if isinstance(schema.get("properties"), dict) else schema


def validate(manifest):
    """Fails if a field has no such name or no such value."""
    kind = f"{manifest['apiVersion']}/{manifest['kind']}"
    if kind in CUSTOM:
        jsonschema.validate(manifest["spec"], closed({"type": "object", **CUSTOM[kind]}))
        return
    for version in KUBERNETES:
        kubernetes_validate.validate(manifest, version, strict=True)


class Overlay:
    """The manifests of an environment, or of another folder."""

    def __init__(self, environment, folder=None):
        self.manifests = rendered(folder or f"overlays/{environment}")
        self.deployment = self.one("Deployment")
        self.pod = self.deployment["spec"]["template"]["spec"]
        [self.container] = self.pod["containers"]

    def one(self, kind):
        [found] = [manifest for manifest in self.manifests if manifest["kind"] == kind]
        return found

    def variables(self):
        """What the container's environment is."""
        name = self.container["envFrom"][0]["configMapRef"]["name"]
        [settings] = [m for m in self.manifests if m["kind"] == "ConfigMap" and m["metadata"]["name"] == name]
        return settings["data"] | {one["name"]: one["value"] for one in self.container.get("env", [])}

    def port(self):
        [port] = self.container["ports"]
        return port["name"], port["containerPort"]


OVERLAYS = {environment: Overlay(environment) for environment in ENVIRONMENTS}


def known_variables():
    """The variables of the table of settings, each with its default; a test compares that page with the code."""
    page = (TOP / "docs/configuration.md").read_text()
    table = page.split("<!-- settings -->")[1].split("<!-- end of settings -->")[0]
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| `--")]
    return {name: row[3].strip("`") for row in rows for name in re.findall(r"`([^`]+)`", row[1])}


class Manifests(unittest.TestCase):
    def test_every_field_is_one_of_kubernetes(self):
        for environment, overlay in OVERLAYS.items():
            for manifest in [*overlay.manifests, *rendered(f"overlays/{environment}/composer")]:
                with self.subTest(manifest["kind"]):
                    validate(manifest)

    def test_a_field_with_a_slip_is_noticed(self):
        overlay = Overlay("dev")
        overlay.container["readinesProbe"] = overlay.container.pop("readinessProbe")
        with self.assertRaises(kubernetes_validate.ValidationError):
            validate(overlay.deployment)
        policy = overlay.one("HealthCheckPolicy")
        policy["spec"]["default"]["config"]["httpHealthCheck"]["path"] = "/readyz"
        with self.assertRaises(jsonschema.ValidationError):
            validate(policy)

    def test_every_variable_is_a_setting(self):
        known = known_variables()
        self.assertIn("FLAG_LISTEN", known)
        for environment, overlay in OVERLAYS.items():
            [store] = rendered(f"overlays/{environment}/composer")
            for name in [*overlay.variables(), *store["data"]]:
                self.assertIn(name, known)
            self.assertLessEqual(store["data"].items(), overlay.variables().items())
            self.assertEqual(overlay.variables()["environment"], f"hcb-{environment}")

    def test_the_numbers_are_those_that_were_asked_for(self):
        for _, overlay in OVERLAYS.items():
            resources = overlay.container["resources"]
            self.assertEqual(resources["requests"], {"cpu": "800m", "memory": "1G"})
            self.assertEqual(resources["limits"], {"cpu": "1000m", "memory": "1G"})
            self.assertEqual(overlay.deployment["spec"]["replicas"], 2)
            self.assertEqual(overlay.deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"], 0)
            scaling = overlay.one("HorizontalPodAutoscaler")["spec"]
            self.assertEqual((scaling["minReplicas"], scaling["maxReplicas"]), (2, 3))
            self.assertEqual(scaling["metrics"][0]["resource"]["target"]["averageUtilization"], 75)

    def test_ports_and_names_agree(self):
        for _, overlay in OVERLAYS.items():
            name, number = overlay.port()
            labels = overlay.deployment["spec"]["template"]["metadata"]["labels"].items()
            service = overlay.one("Service")
            [port] = service["spec"]["ports"]
            self.assertEqual(port["targetPort"], name)
            self.assertEqual(overlay.variables()["FLAG_LISTEN"], f"0.0.0.0:{number}")
            [backend] = overlay.one("HTTPRoute")["spec"]["rules"][0]["backendRefs"]
            self.assertEqual(backend, {"name": service["metadata"]["name"], "port": port["port"]})
            check = overlay.one("HealthCheckPolicy")["spec"]["default"]["config"]["httpHealthCheck"]
            self.assertEqual(check["port"], number)
            for rule in overlay.one("NetworkPolicy")["spec"]["ingress"]:
                self.assertEqual([port["port"] for port in rule["ports"]], [name])
            monitoring = overlay.one("PodMonitoring")
            [endpoint] = monitoring["spec"]["endpoints"]
            self.assertEqual(endpoint["port"], name)
            rules = (TOP / "deploy/monitoring/rules.yaml").read_text()
            self.assertIn(f'job="{monitoring["metadata"]["name"]}"', rules)
            for selector in (
                overlay.deployment["spec"]["selector"]["matchLabels"],
                service["spec"]["selector"],
                overlay.one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
                overlay.one("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
                monitoring["spec"]["selector"]["matchLabels"],
            ):
                self.assertLessEqual(selector.items(), labels)

    def test_the_balancer_is_a_trusted_proxy(self):
        for _, overlay in OVERLAYS.items():
            trusted = [ipaddress.ip_network(one) for one in overlay.variables()["FLAG_TRUSTED_PROXIES"].split(",")]
            [address] = overlay.one("Gateway")["spec"]["addresses"]
            self.assertIn(ipaddress.ip_network(address["value"]), trusted)
            let_in = [one["ipBlock"]["cidr"] for one in overlay.one("NetworkPolicy")["spec"]["ingress"][0]["from"]]
            self.assertIn(ipaddress.ip_network(let_in[-1]), trusted)

    def test_prometheus_reaches_the_pods_where_google_runs_it(self):
        for _, overlay in OVERLAYS.items():
            names = [
                one["namespaceSelector"]["matchLabels"].get("kubernetes.io/metadata.name")
                for rule in overlay.one("NetworkPolicy")["spec"]["ingress"]
                for one in rule["from"]
                if "namespaceSelector" in one
            ]
            readers = {subject["namespace"] for subject in overlay.one("RoleBinding")["subjects"]}
            self.assertEqual(readers, {"gmp-system", "gke-gmp-system"})
            self.assertLessEqual(readers, set(names))

    def test_traces_leave_a_pod_where_an_overlay_opts_in(self):
        with tempfile.TemporaryDirectory(dir=HERE) as folder:
            (Path(folder) / "kustomization.yaml").write_text(
                "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: flag-service\n"
                "resources: [../../overlays/dev]\ncomponents: [../../components/traces]\n"
            )
            traced = Overlay("dev", folder)
        endpoint = urllib.parse.urlparse(traced.variables()["OTEL_EXPORTER_OTLP_ENDPOINT"])
        self.assertNotIn("OTEL_EXPORTER_OTLP_ENDPOINT", OVERLAYS["dev"].variables())
        before, after = (one.one("NetworkPolicy")["spec"]["egress"] for one in (OVERLAYS["dev"], traced))
        [added] = [rule for rule in after if rule not in before]
        self.assertEqual(added["ports"], [{"protocol": "TCP", "port": endpoint.port}])
        [to] = added["to"]
        namespace = to["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        self.assertEqual(endpoint.hostname.split(".")[1], namespace)
        self.assertIn("OTEL_EXPORTER_OTLP_ENDPOINT", known_variables())
        for manifest in traced.manifests:
            validate(manifest)

    def test_a_pod_may_end_before_it_is_killed(self):
        for _, overlay in OVERLAYS.items():
            pause = overlay.container["lifecycle"]["preStop"]["sleep"]["seconds"]
            self.assertGreater(overlay.pod["terminationGracePeriodSeconds"], pause + STOP_SECONDS)

    def test_idle_connections_outlast_those_of_the_balancer(self):
        for _, overlay in OVERLAYS.items():
            settings = known_variables() | overlay.variables()
            self.assertGreater(int(settings["FLAG_KEEP_ALIVE_SECONDS"]), BALANCER_IDLE_SECONDS)

    def test_the_service_starts_with_the_variables_and_answers_what_asks(self):
        for _, overlay in OVERLAYS.items():
            with tempfile.TemporaryDirectory() as folder:
                self.answers(overlay, Path(folder) / "api-keys")

    def answers(self, overlay, keys):
        variables = overlay.variables()
        # Where the Secret is mounted, and what an emulator is refused for in production.
        self.assertEqual(variables["FLAG_API_KEYS_FILE"], f"{overlay.container['volumeMounts'][0]['mountPath']}/api-keys")
        variables |= {
            "FLAG_LISTEN": "127.0.0.1:0",
            "FLAG_API_KEYS_FILE": str(keys),
            "BIGTABLE_EMULATOR_HOST": os.environ["FLAG_TEST_EMULATOR"],
            "INSTANCE_ID": f"manifests-{secrets.token_hex(8)}",
            "environment": "hcb-dev",
        }
        run = {"env": variables, "check": True, "capture_output": True, "text": True}
        subprocess.run([BINARIES / "flagctl", "init"], **run)
        created = subprocess.run(
            [BINARIES / "flagctl", "keys", "create", "--scope", "read", "--project", "*", "--file", keys, "-o", "name"],
            **run,
        )
        key = created.stdout.split()[-1]
        service = Service([BINARIES / "flag-service"], variables)
        self.addCleanup(service.kill)
        probes = {overlay.container[kind]["httpGet"]["path"] for kind in ("startupProbe", "readinessProbe", "livenessProbe")}
        check = overlay.one("HealthCheckPolicy")["spec"]["default"]["config"]["httpHealthCheck"]
        for path in probes | {check["requestPath"]}:
            service.get(path)
        [endpoint] = overlay.one("PodMonitoring")["spec"]["endpoints"]
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(service.url + endpoint["path"], timeout=10)
        refused.exception.close()
        self.assertEqual(refused.exception.code, 401)
        self.assertIn("flag_build_info", service.get(endpoint["path"], {"Authorization": f"Bearer {key}"}))
        self.assertEqual(service.stop(), 0)


if __name__ == "__main__":
    unittest.main()
