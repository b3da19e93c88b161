"""Reads cells of revisions of version 1 as the reference does, and says whether Python would have written them.

Input: for every cell four bytes that hold its length, big-endian, and its UTF-8.
Output: first the version of Python, then for every cell one line: `same`, or what Python would have written.
"""

import ast
import re
import sys
import unicodedata

ESCAPE = re.compile(r"\\u[0-9a-f]{4}|\\U[0-9a-f]{8}")


def judge(cell):
    written = str(ast.literal_eval(cell))
    return "same" if without_unassigned(written) == without_unassigned(cell) else ascii(written)


def without_unassigned(text):
    """Leaves out characters that this Python doesn't know: a newer Unicode may have made them printable."""

    def kept(character, spelling):
        return "" if unicodedata.category(character) == "Cn" else spelling

    text = ESCAPE.sub(lambda match: kept(chr(int(match[0][2:], 16)), match[0]), text)
    return "".join(kept(character, character) for character in text)


def main():
    print(*sys.version_info[:3], sep=".")
    while header := sys.stdin.buffer.read(4):
        print(judge(sys.stdin.buffer.read(int.from_bytes(header, "big")).decode()))


main()
