# Of webencodings, which ships no types, only the table of labels is used.
