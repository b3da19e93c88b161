"""Programs in unpacked images, entered as an engine enters them: for the tests of images and of what uses them."""

import json
from pathlib import Path

USER = 65532

# What an engine does: a mount namespace of its own, the root read-only, a volume where one is wanted.
ENTER = """
set -e
root=$1 volume=$2
shift 2
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -o remount,bind,ro "$root"
[ -z "$volume" ] || mount --bind "$volume" "$root/tmp"
exec chroot --userspec=65532:65532 "$root" "$@"
"""


def blob(layout, digest):
    return json.loads((layout / "blobs" / digest.replace(":", "/")).read_text())


def configuration(images, name):
    """What the image of this name, among these layouts, says of itself."""
    layout = Path(images) / name
    [manifest] = json.loads((layout / "index.json").read_text())["manifests"]
    return blob(layout, blob(layout, manifest["digest"])["config"]["digest"])


def entered(images, roots, name, arguments=(), volume=""):
    """The command that runs an image, by the entry point that it names."""
    root = Path(roots) / name / "rootfs"
    program = configuration(images, name)["config"]["Entrypoint"]
    unshare = ["unshare", "--mount", "--propagation", "private"]
    return [*unshare, "sh", "-c", ENTER, "enter", str(root), str(volume), *program, *arguments]
