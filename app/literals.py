"""Single values as people type them: a JSON literal is that, anything else is text."""


def literal(text: str) -> object:
    """The JSON literal that `text` is, else the text itself."""
    import msgspec

    from domain.aggregation.numbers import number_from_text

    if text[:1] in "-0123456789":
        number = number_from_text(text)
        return text if number is None else number
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    return text if isinstance(value, (dict, list)) else value


def spelled(value: object) -> str:
    """The text that `literal` reads as this value: text in quotes only where it would be something
    else without.
    """
    from domain.aggregation.numbers import canonical

    if isinstance(value, str) and literal(value) == value:
        return value
    return canonical(value).decode()
