"""The way to a value in decoded JSON."""


def walk(value: object, path: str) -> object:
    """The value at a dotted path; a number is an index. None without one."""
    for word in path.split("."):
        if isinstance(value, dict):
            value = value.get(word)
        elif isinstance(value, list) and word.isascii() and word.isdigit():
            value = value[int(word)] if int(word) < len(value) else None
        else:
            return None
    return value
