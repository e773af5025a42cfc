"""Parse messages: convert FETCH items into a `Mail`, its text and its attachments.

Start with:

- `header.parse_mail`: header fields and BODYSTRUCTURE -> `Mail`. `encoded_words`, `addresses` and
  `dates` parse the fields, `charset` decodes them.
- `part`: the tree of body parts, and which of them are text, files and inline images. It is parsed
  from BODYSTRUCTURE (`body_structure`) or from the octets of the message (`multipart`).
- `body_text`: the text of a tree; `html` and `plain_text` convert its parts to plain text.
- `attachments`: the files of a tree.
- `preview`: what to FETCH so that the text is complete.
- `budget`: limits the work that one message may cause.

All functions accept arbitrary octets and do not raise on malformed input.
"""
