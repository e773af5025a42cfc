# Label in lower case -> name of its encoding (WHATWG Encoding Standard 4.2).
LABELS: dict[str, str]
