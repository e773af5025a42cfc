"""One command as it is on the wire: the line that is sent, the data that belongs to it."""

from dataclasses import dataclass, field

from .parser import Data


@dataclass(eq=False, slots=True)
class Request:
    """A command that is sent or about to be, and the untagged responses that it collected.

    `collects`: names of the untagged responses that belong to it. `more` is sent after the first
    line without waiting for `+` (LITERAL+, RFC 7888). `secrets` are never logged. `opens` is the
    folder that SELECT or EXAMINE opens. Data before its tagged OK may belong to the folder that
    was selected before, so later requests do not collect it.
    """

    name: str
    arguments: str = field(default="", repr=False)
    collects: frozenset[str] = frozenset()
    more: bytes = field(default=b"", repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    opens: str | None = None
    tag: bytes = b""
    data: list[Data] = field(default_factory=list)
    cut: int = 0  # number of responses that did not fit and were cut to their beginning

    def line(self) -> bytes:
        """Return the octets to send; raise ValueError if they would contain NUL, CR or LF."""
        text = f"{self.name} {self.arguments}".rstrip(" ")
        if any(character in text for character in "\0\r\n"):
            raise ValueError(f"NUL, CR or LF in a {self.name} command")
        # Names of folders may contain any octets: see `encode_folder`.
        octets = text.encode("utf-8", "surrogateescape")
        return self.tag + b" " + octets + b"\r\n" + self.more

    @property
    def needs_folder(self) -> bool:
        """Return True if the command needs a selected folder."""
        return self.name.startswith("UID ")
