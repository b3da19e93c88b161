"""As much of a Kubernetes API server as KubernetesPodOperator asks for; a pod is a local process.

Runs the container's command with the container's environment and nothing else, expands `$(NAME)` as Kubernetes does,
writes downward API volumes, and serves status, logs, events, patches and deletions. An image is a folder of programs.
There is no file system of its own: where an argument names a mount, it gets the folder that stands for the mount.
Knows nothing of Airflow or of flags. Runs any program that a request names, so it listens on 127.0.0.1 and asks
for a token.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import tempfile
import threading
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

ANNOTATIONS_LIMIT = 256 * 1024
TERMINATION_MESSAGE_LIMIT = 2048
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
ANNOTATION_FIELD = re.compile(r"metadata\.annotations\['([^']+)'\]")


class Refused(Exception):
    """What a real server would refuse too, with its status."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


class FakeKubernetes:
    """A server that runs as long as the `with` block."""

    def __init__(self, images: dict[str, Path]):
        self.images = images
        self.config_maps: dict[str, dict[str, str]] = {}
        self.token = secrets.token_hex(16)
        self.pods: dict[str, Pod] = {}
        self.seen: list[dict] = []
        self._folder = tempfile.TemporaryDirectory(prefix="fake-kubernetes-")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("BoundHandler", (Handler,), {"cluster": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> FakeKubernetes:
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._server.shutdown()
        self._server.server_close()
        for pod in list(self.pods.values()):
            pod.kill()
        self._folder.cleanup()

    def kube_config(self) -> str:
        """What a client needs to find and enter this server; JSON is YAML."""
        address = f"http://127.0.0.1:{self._server.server_address[1]}"
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "fake", "cluster": {"server": address}}],
                "users": [{"name": "fake", "user": {"token": self.token}}],
                "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
                "current-context": "fake",
            }
        )

    def create(self, namespace: str, manifest: dict) -> dict:
        check(manifest)
        name = manifest["metadata"]["name"]
        if name in self.pods:
            raise Refused(409, f"pods {name!r} already exists")
        image = manifest["spec"]["containers"][0]["image"]
        if image not in self.images:
            raise Refused(422, f"no image {image!r}")
        for source in manifest["spec"]["containers"][0].get("envFrom") or []:
            if source["configMapRef"]["name"] not in self.config_maps:
                raise Refused(422, f"no config map {source['configMapRef']['name']!r}")
        manifest["metadata"]["namespace"] = namespace
        self.seen.append(manifest)
        pod = Pod(manifest, self.images[image], self.config_maps, Path(self._folder.name))
        self.pods[name] = pod
        return pod.manifest()

    def pod(self, namespace: str, name: str) -> Pod:
        pod = self.pods.get(name)
        if pod is None or pod.metadata["namespace"] != namespace:
            raise Refused(404, f"pods {name!r} not found")
        return pod

    def select(self, namespace: str, selector: str) -> list[dict]:
        pods = [pod for pod in list(self.pods.values()) if pod.metadata["namespace"] == namespace]
        return [pod.manifest() for pod in pods if matches(pod.metadata.get("labels") or {}, selector)]

    def delete(self, namespace: str, name: str) -> dict:
        pod = self.pod(namespace, name)
        pod.kill()
        del self.pods[name]
        return pod.manifest()


class Pod:
    """A process, and what the API reports of it."""

    def __init__(self, manifest: dict, image: Path, config_maps: dict[str, dict[str, str]], folder: Path):
        self._manifest = manifest
        self._config_maps = config_maps
        self.metadata = manifest["metadata"]
        self.metadata |= {"uid": secrets.token_hex(8), "creationTimestamp": now(), "resourceVersion": "1"}
        self._container = manifest["spec"]["containers"][0]
        self._lines: list[tuple[str, bytes]] = []
        self._changed = threading.Condition()
        self._code: int | None = None
        self._started, self._finished = now(), None
        self._process = self._start(image, folder / self.metadata["name"])
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _start(self, image: Path, folder: Path) -> subprocess.Popen:
        folder.mkdir()
        variables: dict[str, str] = {}
        for source in self._container.get("envFrom") or []:
            variables |= self._config_maps[source["configMapRef"]["name"]]
        for variable in self._container.get("env") or []:
            variables[variable["name"]] = expand(variable.get("value", ""), variables)
        words = [*self._container["command"], *(self._container.get("args") or [])]
        words = [expand(word, variables) for word in words]
        for mount, place in self._mount(folder).items():
            words = [word.replace(f"{mount}/", f"{place}/") for word in words]
        return subprocess.Popen(
            [image / words[0], *words[1:]],
            env={"PATH": str(image), **variables},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _mount(self, folder: Path) -> dict[str, Path]:
        volumes = {volume["name"]: volume for volume in self._manifest["spec"].get("volumes") or []}
        places = {}
        for mount in self._container.get("volumeMounts") or []:
            place = folder / "volumes" / mount["name"]
            place.mkdir(parents=True)
            for item in volumes[mount["name"]]["downwardAPI"]["items"]:
                key = ANNOTATION_FIELD.fullmatch(item["fieldRef"]["fieldPath"])[1]
                value = (self.metadata.get("annotations") or {}).get(key, "")
                (place / item["path"]).write_bytes(value.encode())
            places[mount["mountPath"]] = place
        return places

    def _read(self) -> None:
        for line in self._process.stdout:
            with self._changed:
                self._lines.append((now(), line.removesuffix(b"\n")))
                self._changed.notify_all()
        code = self._process.wait()
        self._process.stdout.close()
        with self._changed:
            self._code = code if code >= 0 else 128 - code
            self._finished = now()
            self._changed.notify_all()

    def kill(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._reader.join()

    def log(self, follow: bool, timestamps: bool):
        """Lines as they come, up to the last one there is, or with `follow` up to the process's last."""
        told = 0
        while True:
            with self._changed:
                while follow and self._code is None and told == len(self._lines):
                    self._changed.wait()
                lines, ended = self._lines[told:], self._code is not None
            told += len(lines)
            for time, line in lines:
                yield (time.encode() + b" " if timestamps else b"") + line + b"\n"
            if ended or not follow:
                return

    def manifest(self) -> dict:
        return {"apiVersion": "v1", "kind": "Pod", **self._manifest, "status": self._status()}

    def _status(self) -> dict:
        with self._changed:
            code, finished = self._code, self._finished
            last = b"\n".join(line for _, line in self._lines)[-TERMINATION_MESSAGE_LIMIT:]
        state: dict = {"running": {"startedAt": self._started}}
        if code is not None:
            ended = {"exitCode": code, "startedAt": self._started, "finishedAt": finished}
            ended["reason"] = "Error" if code else "Completed"
            if code and self._container.get("terminationMessagePolicy") == "FallbackToLogsOnError":
                ended["message"] = last.decode(errors="replace")
            state = {"terminated": ended}
        return {
            "phase": {None: "Running", 0: "Succeeded"}.get(code, "Failed"),
            "startTime": self._started,
            "conditions": [{"type": "PodScheduled", "status": "True"}],
            "containerStatuses": [
                {
                    "name": self._container["name"],
                    "image": self._container["image"],
                    "imageID": "",
                    "ready": code is None,
                    "restartCount": 0,
                    "state": state,
                }
            ],
        }

    def events(self) -> list[dict]:
        return [
            {
                "metadata": {"name": f"{self.metadata['name']}.1", "uid": f"{self.metadata['uid']}-1"},
                "involvedObject": {"kind": "Pod", "name": self.metadata["name"]},
                "type": "Normal",
                "reason": "Started",
                "message": "Started container as a local process",
            }
        ]

    def patch(self, change: dict) -> dict:
        for kind in ("labels", "annotations"):
            for key, value in ((change.get("metadata") or {}).get(kind) or {}).items():
                self.metadata.setdefault(kind, {})[key] = value
        return self.manifest()


class Handler(BaseHTTPRequestHandler):
    """One request: a path of the API becomes a call to the cluster."""

    protocol_version = "HTTP/1.1"
    cluster: FakeKubernetes

    ROUTES = (
        ("POST", r"/api/v1/namespaces/([^/]+)/pods", "create"),
        ("GET", r"/api/v1/namespaces/([^/]+)/pods", "select"),
        ("GET", r"/api/v1/namespaces/([^/]+)/pods/([^/]+)", "read"),
        ("PATCH", r"/api/v1/namespaces/([^/]+)/pods/([^/]+)", "patch"),
        ("DELETE", r"/api/v1/namespaces/([^/]+)/pods/([^/]+)", "delete"),
        ("GET", r"/api/v1/namespaces/([^/]+)/pods/([^/]+)/log", "log"),
        ("GET", r"/api/v1/namespaces/([^/]+)/events", "events"),
    )

    def handle_request(self) -> None:
        url = urlsplit(self.path)
        self.query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        # Read in any case, as the next request on this connection follows it.
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            if self.headers.get("Authorization") != f"Bearer {self.cluster.token}":
                raise Refused(401, "Unauthorized")
            for method, path, does in self.ROUTES:
                match = re.fullmatch(path, url.path)
                if method == self.command and match:
                    return getattr(self, f"api_{does}")(*match.groups())
            raise Refused(404, f"this fake has no {self.command} {url.path}")
        except Refused as refused:
            self.answer(
                {"apiVersion": "v1", "kind": "Status", "status": "Failure", "message": str(refused)},
                refused.status,
            )

    do_GET = do_POST = do_PATCH = do_DELETE = handle_request

    def api_create(self, namespace: str) -> None:
        self.answer(self.cluster.create(namespace, json.loads(self.body)), 201)

    def api_select(self, namespace: str) -> None:
        pods = self.cluster.select(namespace, self.query.get("labelSelector", ""))
        self.answer({"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": pods})

    def api_read(self, namespace: str, name: str) -> None:
        self.answer(self.cluster.pod(namespace, name).manifest())

    def api_patch(self, namespace: str, name: str) -> None:
        self.answer(self.cluster.pod(namespace, name).patch(json.loads(self.body)))

    def api_delete(self, namespace: str, name: str) -> None:
        self.answer(self.cluster.delete(namespace, name))

    def api_events(self, namespace: str) -> None:
        selector = dict(part.split("=", 1) for part in self.query.get("fieldSelector", "").split(",") if part)
        pod = self.cluster.pod(namespace, selector["involvedObject.name"])
        self.answer({"apiVersion": "v1", "kind": "EventList", "metadata": {}, "items": pod.events()})

    def api_log(self, namespace: str, name: str) -> None:
        pod = self.cluster.pod(namespace, name)
        follow, timestamps = (self.query.get(key, "").lower() == "true" for key in ("follow", "timestamps"))
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in pod.log(follow, timestamps):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def answer(self, body: dict, status: int = 200) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_) -> None:
        """Says nothing: the tests tell what went wrong."""


def check(manifest: dict) -> None:
    """Refuses what a real server refuses and a careless DAG might send."""
    metadata, spec = manifest["metadata"], manifest["spec"]
    annotations = metadata.get("annotations") or {}
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if size > ANNOTATIONS_LIMIT:
        raise Refused(422, f"metadata.annotations: Too long: may not be more than {ANNOTATIONS_LIMIT} bytes")
    if not NAME.fullmatch(metadata["name"]):
        raise Refused(422, f"metadata.name: Invalid value: {metadata['name']!r}")
    for key, value in (metadata.get("labels") or {}).items():
        if not LABEL.fullmatch(value):
            raise Refused(422, f"metadata.labels: Invalid value: {key}={value!r}")
    if len(spec["containers"]) != 1 or spec.get("initContainers"):
        raise Refused(422, "this fake runs one container per pod")
    volumes = {volume["name"] for volume in spec.get("volumes") or []}
    for mount in spec["containers"][0].get("volumeMounts") or []:
        if mount["name"] not in volumes:
            raise Refused(422, f"volumeMounts: Not found: {mount['name']!r}")


def matches(labels: dict[str, str], selector: str) -> bool:
    """Tells whether labels fit a selector such as `a=b,c!=d,!e`."""
    for part in filter(None, selector.split(",")):
        if "!=" in part:
            key, value = part.split("!=")
            fits = labels.get(key) != value
        elif "=" in part:
            key, value = re.split("==?", part)
            fits = labels.get(key) == value
        elif part.startswith("!"):
            fits = part[1:] not in labels
        else:
            fits = part in labels
        if not fits:
            return False
    return True


def expand(text: str, variables: dict[str, str]) -> str:
    """Replaces `$(NAME)` by a variable that is known, and `$$` by `$`, as Kubernetes does."""

    def replace(match: re.Match) -> str:
        if match[0] == "$$":
            return "$"
        return variables.get(match[1], match[0])

    return re.sub(r"\$\$|\$\(([^)]*)\)", replace, text)


def now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
