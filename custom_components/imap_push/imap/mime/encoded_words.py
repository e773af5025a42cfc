"""Encoded words of header fields and parameters (RFC 2047)."""

import binascii
from itertools import groupby
import re
from typing import Final

from .budget import Budget
from .characters import one_line

# An encoded word, its charset perhaps with a language (RFC 2231 5), and a run of them.
_WORD: Final = re.compile(
    r"=\?([^?*\s]+)(?:\*[^?\s]*)?\?([bq])\?(.*?)\?=", re.IGNORECASE
)
_WORDS: Final = re.compile(rf"{_WORD.pattern}(?:\s*{_WORD.pattern})*+", re.IGNORECASE)


def decode_words(text: str, budget: Budget) -> str:
    """Return a text as one line, its encoded words decoded; what cannot be stays as it is."""
    if "=?" in text:
        text = _WORDS.sub(lambda run: _decode_run(run, budget), text)
    return one_line(text)


def _decode_run(run: re.Match[str], budget: Budget) -> str:
    """Return adjacent words as text: one may end within a character that the next completes."""
    words = _WORD.finditer(run[0])
    return "".join(
        budget.decode(b"".join(map(_word_octets, group)), charset)
        for charset, group in groupby(words, key=lambda word: word[1].lower())
    )


def _word_octets(word: re.Match[str]) -> bytes:
    # Octets that were no text in any charset may be here as lone surrogates.
    payload = word[3].encode("utf-8", "replace")
    if word[2] in "qQ":
        return binascii.a2b_qp(payload, header=True)
    try:
        return binascii.a2b_base64(payload + b"==")
    except binascii.Error:
        return word[0].encode("utf-8", "replace")
