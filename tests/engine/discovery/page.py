"""Generate the table of docs/providers.md from the bundled providers.

Run `python -m tests.engine.discovery.page` to write it.
"""

from collections.abc import Iterator, Mapping
import json
from pathlib import Path
from typing import Any, Final

from custom_components.imap_push.imap.discovery import providers

PAGE: Final = Path(__file__).parents[3] / "docs" / "providers.md"
HEADER: Final = (
    "| Provider | Addresses | Server | Sign in with | Page | Confirmed by |",
    "|---|---|---|---|---|---|",
)
PASSWORDS: Final = {
    "authorization_code": "authorization code",
    "proton_bridge": "password of Proton Mail Bridge",
    "secure_mail_key": "secure mail key",
}
NOTES: Final = {
    "authorization_code": "turn on IMAP first",
    "enable_imap": "turn on IMAP first",
    "icloud_domain": "the username is the iCloud address",
    "microsoft": "turn on IMAP first",
    "paid_plan": "paid plans only",
}
CUSTOM_DOMAINS: Final = "custom domains"


def rows() -> list[str]:
    """Return the lines of the table: the header, and a row for each provider, sorted by name."""
    path = Path(providers.__file__).parent / "providers.json"
    facts = json.loads(path.read_text(encoding="utf-8")).values()
    return [*HEADER, *sorted(map(_row, facts), key=str.casefold)]


def _row(facts: Mapping[str, Any]) -> str:
    page = facts.get("page")
    cells = (
        facts["name"],
        _addresses(facts),
        _server(facts),
        "; ".join(_sign_in(facts)),
        f"[page]({page})" if page else "",
        facts["source"],
    )
    return f"| {' | '.join(cells)} |"


def _addresses(facts: Mapping[str, Any]) -> str:
    domains = facts.get("domains", [])
    more = f" and {len(domains) - 1} more" if len(domains) > 1 else ""
    named = [domains[0] + more] if domains else []
    return "; ".join([*named, *([CUSTOM_DOMAINS] if facts.get("mx") else [])])


def _server(facts: Mapping[str, Any]) -> str:
    if "host" not in facts:
        return "none"
    port = f":{facts['port']}" if "port" in facts else ""
    security = " STARTTLS" if facts.get("security") == "starttls" else ""
    return f"{facts['host']}{port}{security}"


def _sign_in(facts: Mapping[str, Any]) -> Iterator[str]:
    hint = facts.get("hint", "")
    if "host" not in facts:
        yield "no IMAP"
        return
    methods = []
    if "password" in facts["auth"]:
        methods.append("password")
    if "app_password" in facts["auth"]:
        methods.append(PASSWORDS.get(hint, "app password"))
    if "oauth" in facts:
        methods.append("OAuth2")
    yield " or ".join(methods)
    if hint in NOTES:
        yield NOTES[hint]
    if facts.get("username") == "local_part":
        yield "the username is the part before the @"


def main() -> None:
    """Replace the table; the text before and after it is not changed."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(HEADER[0])
    after = rest.partition("\n\n")[2]
    PAGE.write_text(
        before + "\n".join(rows()) + "\n" + (f"\n{after}" if after else ""),
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
