"""The DAG that adds a row to the flag table, as the Python framework had it: takes its run configuration as it is.

Runs `flagctl run-config` in a pod. What a flag owner typed travels as an annotation of the pod, which the kubelet
writes into a file: it meets neither Jinja nor a shell, nor Kubernetes' own `$(NAME)`. What is valid is `flagctl`'s
business; here is only what the trigger form needs. Importing this file reads environment variables and nothing else.
"""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta, timezone

try:
    from airflow.sdk import DAG, Param
except ImportError:  # Airflow 2 has no airflow.sdk, and Airflow 3 warns of the places where Airflow 2 has them.
    from airflow import DAG
    from airflow.models.param import Param
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from kubernetes.client import models as k8s

DAG_ID = "csr-va-hcb-iris-feature-flag-management-bigtable-add-row"

# Settings of the store that the pod gets from Airflow's own environment, where they are set there.
STORE_SETTINGS = (
    "environment",
    "ENVIRONMENT",
    "TENANT_NAME",
    "PROJECT_ID",
    "INSTANCE_ID",
    "BT_TABLE_ID",
    "FF_LOG_TABLE_ID",
    "FLAG_BIGTABLE_APP_PROFILE",
    "FLAG_BIGTABLE_ENDPOINT",
    "BIGTABLE_EMULATOR_HOST",
)

ANNOTATION = "flag-run-configuration"
FOLDER = "/etc/flag"
FILE = "run-configuration"

# Kubernetes takes 256 KiB of annotations per pod, names included; others may add theirs.
LONGEST_CONFIGURATION = 250_000

EXAMPLE = """\
{
  "row_key_prefix_PROJECT": "csr-assistant",
  "row_key_prefix_ROWTYPE": "REVISION",
  "row_key_prefix_FLAGTYPE": "feature",
  "row_key_prefix_FLAGNAME": "multi_step_api_router",
  "row_cell_value": "{'Name': 'multi_step_api_router', 'Type': 'FEATURE', 'FormatVersion': 1, \
'ControlValue': False, 'Comment': 'Rollout to 40%', 'OwnerID': 'John Smith', \
'Treatments': [{'OverrideList': ['A12345'], 'PercentRollout': 40, 'Value': True}]}",
  "add_new_feature_flag": false
}"""

DOCUMENTATION = f"""\
Adds one row to the flag table: the metadata of a new flag, or a revision of a flag that exists. Nothing is ever
overwritten. To take a revision back, use `flagctl rollback` where you can: an old revision that is appended by hand counts
as a new one, and a later rollback goes back to the one that it was to replace.

Trigger with the form, or with a configuration such as:

```json
{EXAMPLE}
```

What is not valid is refused, and the task's log says what was found where and what was expected. Each run that succeeds
appends a row: clearing a task, or triggering once more, appends another.
"""

PARAMS = {
    "row_key_prefix_PROJECT": Param(
        type="string",
        minLength=1,
        title="Project",
        description="Project of the flag.",
        examples=["csr-assistant"],
    ),
    "row_key_prefix_ROWTYPE": Param(
        type="string",
        enum=["FLAG", "REVISION"],
        title="Row type",
        description="FLAG: what a new flag is for. REVISION: who gets which value from now on.",
    ),
    "row_key_prefix_FLAGTYPE": Param(
        type="string",
        enum=["feature", "data"],
        title="Flag type",
        description="feature: on or off. data: text.",
    ),
    "row_key_prefix_FLAGNAME": Param(
        type="string",
        minLength=1,
        title="Flag name",
        description="Name of the flag, the same as Name in the cells; new ones in snake_case.",
        examples=["multi_step_api_router"],
    ),
    "row_cell_value": Param(
        type="string",
        format="multiline",
        minLength=1,
        title="Cells",
        description="The cells of the row, as a Python dict literal or as JSON.",
        description_md=(
            "The cells of the row, as a Python dict literal or as JSON.\n\n"
            "FLAG: `{'Name': 'multi_step_api_router', 'Type': 'FEATURE', 'Description': 'Multi-step API router', "
            "'OwnerID': 'John Smith'}`\n\n"
            "REVISION: `{'Name': 'multi_step_api_router', 'Type': 'FEATURE', 'FormatVersion': 1, "
            "'ControlValue': False, 'Comment': 'Rollout to 40%', 'OwnerID': 'John Smith', "
            "'Treatments': [{'OverrideList': ['A12345'], 'PercentRollout': 40, 'Value': True}]}`"
        ),
    ),
    "add_new_feature_flag": Param(
        False,
        type="boolean",
        title="Add a new flag",
        description="On for row type FLAG, off for REVISION: the two must agree.",
    ),
    "yes_i_mean": Param(
        None,
        type=["null", "string"],
        title="Yes, I mean",
        description=(
            "Name of the flag, to confirm a change that flagctl wants confirmed, such as a new bucket for everybody; "
            "else empty. Not part of the row."
        ),
    ),
}


class RunConfigOperator(KubernetesPodOperator):
    """Runs `flagctl run-config` on the parameters of the DAG run.

    They are put into the finished pod, after Airflow has rendered its templates, so that `{{ }}` in a comment stays.
    """

    def build_pod_request_obj(self, context=None, **options):
        if not self.image:
            raise ValueError("FLAG_DAG_IMAGE is not set: it names the image that holds flagctl")
        pod = super().build_pod_request_obj(context, **options)
        # flagctl never speaks with Kubernetes. Set here, as the operator of Airflow 2.10 has no argument for it.
        pod.spec.automount_service_account_token = False
        if context is None:  # A dry run of the operator, which has no parameters.
            return pod
        configuration = dict(context["params"])
        confirmed = configuration.pop("yes_i_mean", None)
        pod.metadata.annotations = {**(pod.metadata.annotations or {}), ANNOTATION: annotation(configuration)}
        container = pod.spec.containers[0]
        container.args = ["run-config", "--verbose", f"--file={FOLDER}/{FILE}"]
        if confirmed:
            container.args.append(f"--yes-i-mean={verbatim(confirmed)}")
        return pod


def annotation(configuration: dict) -> str:
    """Writes the run configuration as JSON; in ASCII, so that invalid text arrives as it is, for flagctl to refuse."""
    text = json.dumps(configuration, indent=2)
    if len(text) > LONGEST_CONFIGURATION:
        raise ValueError(
            f"the run configuration has {len(text)} bytes, and a pod takes {LONGEST_CONFIGURATION}: "
            "write the row with `flagctl run-config -f FILE` from a terminal"
        )
    return text


def verbatim(text: str) -> str:
    """Keeps Kubernetes from reading `$(NAME)` in arguments and variables, where `$$` stands for `$`."""
    return text.replace("$", "$$")


def setting(name: str, default: str | None = None) -> str | None:
    """Reads a variable; one that is set to nothing means nothing, whatever the default."""
    return os.environ.get(name, default) or None


def store_settings() -> dict[str, str]:
    """Tells the pod which store to use; never the embedded one, which would go with the pod."""
    found = {name: os.environ.get(name) for name in STORE_SETTINGS}
    return {"FLAG_STORE": "bigtable"} | {name: verbatim(value) for name, value in found.items() if value}


def config_map() -> list[k8s.V1EnvFromSource]:
    """Names the ConfigMap of the pod's namespace that has settings of the store; those of Airflow count before it."""
    name = setting("FLAG_DAG_CONFIG_MAP")
    return [k8s.V1EnvFromSource(config_map_ref=k8s.V1ConfigMapEnvSource(name=name))] if name else []


with DAG(
    dag_id=DAG_ID,
    description="Adds a flag, or a revision of a flag, to the flag table",
    doc_md=DOCUMENTATION,
    schedule=None,
    start_date=datetime(2025, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    # One after the other, in the order of triggering.
    max_active_runs=1,
    params=PARAMS,
    tags=["feature-flags"],
    default_args={
        "owner": "feature-flags",
        # A run whose end was lost may have appended its row, and the next would append it again.
        "retries": 0,
        "execution_timeout": timedelta(minutes=15),
    },
) as dag:
    RunConfigOperator(
        task_id="run-config",
        name="flagctl-run-config",
        image=setting("FLAG_DAG_IMAGE"),
        cmds=["flagctl"],
        env_vars=store_settings(),
        env_from=config_map(),
        namespace=setting("FLAG_DAG_NAMESPACE", "composer-user-workloads"),
        service_account_name=setting("FLAG_DAG_SERVICE_ACCOUNT"),
        config_file=setting("FLAG_DAG_KUBE_CONFIG", "/home/airflow/composer_kube_config"),
        kubernetes_conn_id=setting("FLAG_DAG_KUBERNETES_CONN_ID", "kubernetes_default"),
        volumes=[
            k8s.V1Volume(
                name="run-configuration",
                downward_api=k8s.V1DownwardAPIVolumeSource(
                    items=[
                        k8s.V1DownwardAPIVolumeFile(
                            path=FILE,
                            field_ref=k8s.V1ObjectFieldSelector(
                                field_path=f"metadata.annotations['{ANNOTATION}']"
                            ),
                        )
                    ]
                ),
            )
        ],
        volume_mounts=[k8s.V1VolumeMount(name="run-configuration", mount_path=FOLDER, read_only=True)],
        # flagctl writes no files and needs no rights.
        security_context=k8s.V1PodSecurityContext(
            run_as_non_root=True,
            run_as_user=65532,
            run_as_group=65532,
            seccomp_profile=k8s.V1SeccompProfile(type="RuntimeDefault"),
        ),
        container_security_context=k8s.V1SecurityContext(
            allow_privilege_escalation=False,
            read_only_root_filesystem=True,
            capabilities=k8s.V1Capabilities(drop=["ALL"]),
        ),
        startup_timeout_seconds=300,
        # The log shows what flagctl printed, and the failure repeats its last lines.
        get_logs=True,
        termination_message_policy="FallbackToLogsOnError",
        # The specification is long, and would bury them.
        log_pod_spec_on_failure=False,
        log_events_on_failure=True,
        on_finish_action="delete_pod",
        do_xcom_push=False,
        deferrable=False,
    )
