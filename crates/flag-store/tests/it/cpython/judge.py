"""Reads texts by `ast.literal_eval` and says what became of each.

Input: for every text four bytes that hold its length, big-endian, and its UTF-8.
Output: first the version of Python, then for every text one line:
- `refused`, if `literal_eval` refuses it;
- `beyond WHAT`, if it is accepted, but holds what flag_store refuses by design (see `parse_python`);
- `value VALUE` otherwise; how a VALUE is spelled is said at `canonical`.
"""

import ast
import io
import sys
import tokenize
import warnings

MOST_BRACKETS = 64
MOST_RADIX_DIGITS = 256
REFUSALS = (SyntaxError, ValueError, TypeError, MemoryError, RecursionError)


def judge(text):
    # What literal_eval does first with a text, done here once for both that need the tree.
    source = text.lstrip(" \t")
    try:
        tree = ast.parse(source, mode="eval")
        value = ast.literal_eval(tree)
    except REFUSALS:
        return "refused"
    what = beyond(source, tree)
    return f"beyond {what}" if what else f"value {canonical(value)}"


def beyond(source, tree):
    """Names a thing that is refused by design, even if a later key replaces it; None if there is none.

    Goes by the source, not by the value, since the value has lost what was replaced.
    """
    if is_too_deep(source):
        return "depth"
    if has_named_characters(source):
        return "named character"
    for node in ast.walk(tree):
        match node:
            case ast.Set() | ast.Call():
                return "set"
            case ast.BinOp() | ast.Constant(value=complex()):
                return "complex number"
            case ast.Constant(value=bytes()):
                return "bytes"
            case ast.Constant(value=value) if value is ...:
                return "ellipsis"
            case ast.Constant(value=str(value)) if any("\ud800" <= c <= "\udfff" for c in value):
                return "surrogate"
            case ast.Constant(value=int(value)) if is_long_with_radix(source, node, value):
                return "long integer with a radix"
            case ast.Dict(keys=keys) if not all(is_text(key) for key in keys):
                return "key"
    return None


def is_text(node):
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def is_too_deep(source):
    if sum(map(source.count, "([{")) <= MOST_BRACKETS:
        return False
    depth = deepest = 0
    for token in tokenize.generate_tokens(io.StringIO(source, newline="").readline):
        if token.type == tokenize.OP:
            depth += (token.string in "([{") - (token.string in ")]}")
            deepest = max(deepest, depth)
    return deepest > MOST_BRACKETS


def has_named_characters(source):
    r"""Whether there is a `\N{…}` that is an escape: then Python refuses the text if its bracket is missing."""
    if r"\N{" not in source:
        return False
    try:
        ast.literal_eval(source.replace(r"\N{", r"\N_"))
    except REFUSALS:
        return True
    return False


def is_long_with_radix(source, node, value):
    # So short, it has too few digits to any base.
    if value.bit_length() <= MOST_RADIX_DIGITS:
        return False
    spelling = ast.get_source_segment(source, node).replace("_", "").lower()
    is_decimal = spelling[1:2] not in ("x", "o", "b")
    return not is_decimal and len(spelling[2:].lstrip("0")) > MOST_RADIX_DIGITS


def canonical(value):
    """One spelling for each plain value, in ASCII: `N T F`, `i1`, `f1.5`, `s` and hexadecimal UTF-8, `[…,…,]`, `{…:…,}`."""
    match value:
        case None:
            return "N"
        case bool():
            return "T" if value else "F"
        case int():
            return f"i{value}"
        case float():
            return f"f{value!r}"
        case str():
            return "s" + value.encode().hex()
        case list() | tuple():
            return "[" + "".join(canonical(item) + "," for item in value) + "]"
        case dict():
            entries = (f"{canonical(key)}:{canonical(item)}," for key, item in value.items())
            return "{" + "".join(entries) + "}"


def main():
    warnings.simplefilter("ignore")
    print(*sys.version_info[:3], sep=".")
    while header := sys.stdin.buffer.read(4):
        text = sys.stdin.buffer.read(int.from_bytes(header, "big")).decode()
        print(judge(text))


main()
