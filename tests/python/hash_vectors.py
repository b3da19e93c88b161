"""Checks `tests/fixtures/hash_vectors.json` against this Python's hashlib, and appends digests that it does not hold yet.

    python3 tests/python/hash_vectors.py [ALGORITHM ...]

Lines that are there are never changed: buckets are for ever. A vector holds algorithm, salt (null: the bare id, as in
version 1), id, digest, bucket, and the percentages at which the rule of the Python framework serves the id.
"""

import json
import pathlib
import sys

from reference import digest_of, position_of

FIXTURE = pathlib.Path(__file__).parent.parent / "fixtures" / "hash_vectors.json"
PERCENTAGES = [0, 1, 2, 5, 10, 25, 33, 40, 50, 66, 75, 90, 95, 99, 100]
SALTS = [None, "multi_step_api_router", "llm_provider.2"]
# Of the ids of the first algorithms these many are enough for another one: the tricky ones, and some that are drawn.
IDS = 49


def vector(algorithm, salt, instance_id):
    """What hashlib says about one id."""
    hashed = instance_id if salt is None else f"{salt}#{instance_id}"
    digest = digest_of(hashed, algorithm)
    position = position_of(hashed, algorithm)
    return {
        "algorithm": algorithm,
        "salt": salt,
        "id": instance_id,
        "digest": digest,
        "bucket": int(digest[:16], 16) * 100_000 >> 64,
        "served": [percent for percent in PERCENTAGES if position < percent / 100 or percent == 100],
    }


def main():
    """Checks what is there, then appends the algorithms that are named."""
    vectors = json.loads(FIXTURE.read_text())
    for found in vectors:
        expected = vector(found["algorithm"], found["salt"], found["id"])
        if found != expected:
            sys.exit(f"found {found}\nexpected {expected}")
    there = {found["algorithm"] for found in vectors}
    ids = [found["id"] for found in vectors[:IDS]]
    for algorithm in sys.argv[1:]:
        if algorithm not in there:
            vectors += [vector(algorithm, salt, instance_id) for salt in SALTS for instance_id in ids]
    lines = (json.dumps(one, ensure_ascii=False) for one in vectors)
    FIXTURE.write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(f"{len(vectors)} vectors are right")


if __name__ == "__main__":
    main()
