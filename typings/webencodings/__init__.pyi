# Only the table of labels is used. The library has no type hints.
