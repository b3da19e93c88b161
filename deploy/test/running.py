"""A service as a process, for the tests beside what they deploy."""

import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

STOP_SECONDS = 10
READY_SECONDS = 20


class Service:
    """A service that was started with this command and these variables; `url` is where it listens."""

    def __init__(self, command, variables):
        # A busy machine may take longer to read than the default.
        variables = {"FLAG_LISTEN": "127.0.0.1:0", "FLAG_STORE_DEADLINE_MS": "2000", **variables}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, env=variables, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
        found = (re.search(r"serves (http://\S+)", line) for line in self.process.stdout)
        self.url = next((one[1] for one in found if one), None)
        if self.url is None:
            self.kill()
            raise AssertionError(f"{command} ended with {self.process.returncode}")

    def get(self, path, headers={}):
        """Gets what answers 200, also if it takes a moment to be ready: as probes do, for as long as they would."""
        request = urllib.request.Request(self.url + path, headers=headers)
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    return answer.read().decode()
            except urllib.error.HTTPError as error:
                with error:
                    if error.code != 503 or time.monotonic() > deadline:
                        raise
            time.sleep(0.1)

    def stop(self):
        """Asks it to stop, as an orchestrator does, and gives its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
