"""What a replica of the Python framework serves from the rows of the flag table.

As a module: `Reference(rows).decide(...)`, where rows are pairs of a key and a dict of its cells, all text.
As a program: a JSON object a line on standard input, and a line on standard output for each:

    {"rows": [{"key": "...", "cells": {...}}], "project_name": "...", "flag_type": "...", "flag_name": "...",
     "instance_ids": ["...", ...], "hash_algorithm": "md5"}

is answered by a list of `[flag_value, rollout_group]`, one for each id, or by `{"error": "..."}`. The algorithm may be
left out.
"""

import ast
import hashlib
import json
import sys
from typing import NamedTuple


class NoFlagData(Exception):
    """The flag has no revision."""


class InvalidPercentage(ValueError):
    """A percentage, or the total of all, is not in range."""

    def __init__(self, percentage):
        super().__init__(
            f"Rollout percentage: {percentage} is invalid. Value should be an integer in range [0, 100]."
        )


class Decision(NamedTuple):
    """What an instance receives."""

    flag_value: bool | str
    rollout_group: str


class Reference:
    """The flags in rows, as they were when the rows were read."""

    def __init__(self, rows, hash_algorithm="md5"):
        self.rows = dict(rows)
        self.hash_algorithm = hash_algorithm

    def decide(self, project_name, flag_type, flag_name, instance_id):
        """What the instance receives from the newest revision; raises what reading a cell raises."""
        return self.revision(project_name, flag_type, flag_name).decide(instance_id, self.hash_algorithm)

    def revision(self, project_name, flag_type, flag_name):
        """The newest revision: the last row whose key begins like those of the flag."""
        prefix = f"PROJECT#{project_name}#ROWTYPE#REVISION#FLAGTYPE#{flag_type}#FLAGNAME#{flag_name}#TIME#"
        keys = [key for key in self.rows if key.startswith(prefix)]
        if not keys:
            raise NoFlagData(f"{project_name}/{flag_type}/{flag_name} has no revision")
        return Revision.of_cells(self.rows[max(keys, key=str.encode)], flag_type)


class Revision(NamedTuple):
    """Who gets what."""

    control_value: bool | str
    treatments: list

    @classmethod
    def of_cells(cls, cells, flag_type):
        """Reads a row. The control value of a data flag is bare text, every other value a literal."""
        control_value = cells["ControlValue"]
        if flag_type == "feature":
            control_value = ast.literal_eval(control_value)
        return cls(control_value, ast.literal_eval(cells["Treatments"]))

    def decide(self, instance_id, hash_algorithm="md5"):
        """Override lists first, then percentages in the order of the treatments, then the control value."""
        self.check_percentages()
        for number, treatment in enumerate(self.treatments, 1):
            if instance_id in (treatment["OverrideList"] or []):
                return Decision(treatment["Value"], f"treatment_{number}")
        position = position_of(instance_id, hash_algorithm)
        percent = 0
        for number, treatment in enumerate(self.treatments, 1):
            percent += treatment["PercentRollout"]
            if position < percent / 100:
                return Decision(treatment["Value"], f"treatment_{number}")
        return Decision(self.control_value, "control")

    def check_percentages(self):
        """Raises for the first percentage that is out of range, else for the total."""
        percentages = [treatment["PercentRollout"] for treatment in self.treatments]
        for percentage in [*percentages, sum(percentages)]:
            if not 0 <= percentage <= 100:
                raise InvalidPercentage(percentage)


def position_of(instance_id, hash_algorithm="md5"):
    """Where the instance stands, from 0 to 1: the digest of its id as a share of the largest one."""
    digest = digest_of(instance_id, hash_algorithm)
    return int(digest, 16) / (2 ** (4 * len(digest)) - 1)


def digest_of(text, hash_algorithm="md5"):
    """The digest of a text, in hexadecimal."""
    return hashlib.new(hash_algorithm, text.encode()).hexdigest()


def answer(asked):
    """Answers one line."""
    rows = ((row["key"], row["cells"]) for row in asked["rows"])
    reference = Reference(rows, asked.get("hash_algorithm", "md5"))
    flag = (asked["project_name"], asked["flag_type"], asked["flag_name"])
    try:
        return [reference.decide(*flag, instance_id) for instance_id in asked["instance_ids"]]
    except (NoFlagData, LookupError, SyntaxError, TypeError, ValueError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


def main():
    """Answers line by line."""
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
