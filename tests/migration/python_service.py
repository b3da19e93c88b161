"""The service of the Python framework, re-created over the flag table and the log table of a Bigtable instance.

It reads the same environment and the same rows as the original and answers `GET /get-feature-flag` as it does. Each
answer is decided by `tests/python/reference.py` and logged with the eleven columns less ours. It keeps no cache, so
that a comparison sees the newest revision at once.

    python python_service.py PORT    # 0 takes a free one; the first line of output is its address
"""

import json
import os
import sys
import uuid
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from google.cloud.bigtable.data import BigtableDataClient, ReadRowsQuery, RowRange, SetCell

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "python"))
from reference import NoFlagData, Reference  # noqa: E402

FAMILY = "metadata"
PARAMETERS = ("project_name", "instance_id", "flag_type", "flag_name")


class Tables:
    """The two tables."""

    def __init__(self, environment=os.environ):
        client = BigtableDataClient(project=environment["PROJECT_ID"])
        instance = environment["INSTANCE_ID"]
        self.flags = client.get_table(instance, environment["BT_TABLE_ID"])
        self.log = client.get_table(instance, environment["FF_LOG_TABLE_ID"])

    def rows_of(self, project_name, flag_type, flag_name):
        """The revisions of a flag, as pairs of a key and its cells, all text."""
        prefix = f"PROJECT#{project_name}#ROWTYPE#REVISION#FLAGTYPE#{flag_type}#FLAGNAME#{flag_name}#TIME#"
        # The character after `#` ends the range.
        query = ReadRowsQuery(row_ranges=RowRange(prefix, prefix[:-1] + "$"))
        for row in self.flags.read_rows(query):
            yield row.row_key.decode(), {cell.qualifier.decode(): cell.value.decode() for cell in row}

    def log_answer(self, question, decision, request_id):
        """Writes the row of an answer."""
        created_time = str(datetime.now(timezone.utc).replace(tzinfo=None))
        flag_type, flag_name, instance_id = (question[name] for name in ("flag_type", "flag_name", "instance_id"))
        key = (
            f"PROJECT#{question['project_name']}#FLAGTYPE#{flag_type}#FLAGNAME#{flag_name}"
            f"#INSTANCEID#{instance_id}#REQUESTID#{request_id}#TIME#{created_time}"
        )
        cells = {
            "RequestID": request_id,
            "Name": flag_name,
            "CreatedTimestamp": created_time,
            "Type": flag_type.upper(),
            "InstanceID": instance_id,
            "AssignedValue": str(decision.flag_value),
            "AssignedGroup": decision.rollout_group,
            "CacheFlag": "False",
        }
        self.log.mutate_row(key, [SetCell(FAMILY, column, text) for column, text in cells.items()])


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path.rstrip("/") != "/get-feature-flag":
            return self.reply(404, {"detail": "Not Found"})
        found = parse_qs(url.query, keep_blank_values=True)
        missing = [name for name in PARAMETERS if name not in found]
        if missing:
            return self.reply(422, {"detail": [{"loc": ["query", name], "msg": "Field required"} for name in missing]})
        return self.reply(*self.answer({name: found[name][0] for name in PARAMETERS}))

    def answer(self, question):
        """The status and the body for a question."""
        if question["flag_type"] not in ("feature", "data"):
            return 400, {"detail": f"Invalid flag type: {question['flag_type']}."}
        flag = (question["project_name"], question["flag_type"], question["flag_name"])
        try:
            decision = Reference(self.server.tables.rows_of(*flag)).decide(*flag, question["instance_id"])
        except NoFlagData as error:
            return 404, {"detail": f"No Flag Data found: {error}"}
        except (LookupError, SyntaxError, TypeError, ValueError) as error:
            return 500, {"detail": str(error)}
        request_id = str(uuid.uuid4())
        self.server.tables.log_answer(question, decision, request_id)
        names = {name: question[name] for name in PARAMETERS if name != "project_name"}
        return 200, {"request_id": request_id, **names, **decision._asdict()}

    def reply(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Says nothing of each request."""


def main():
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    server.tables = Tables()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
