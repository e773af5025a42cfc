"""The search for secrets finds them."""

from base64 import b64encode
from pathlib import Path

import pytest

from tests.e2e.leaks import find_leaks

SECRET = "hush/2X7Q9"
ADDRESS = "jane@example.org"


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("console.log", f"LOGIN jane {SECRET}", True),
        ("home-assistant.log.1", "password=hush%2F2X7Q9&x", True),
        ("deeper/anything.json", b64encode(SECRET.encode()).decode(), True),
        ("home-assistant_v2.db", f"\0\1{SECRET}\2", True),
        (".storage/core.restore_state", SECRET, True),
        (".storage/core.config_entries", SECRET, False),
        ("console.log", f"connected as {ADDRESS}", True),
        ("home-assistant_v2.db", f"sender {ADDRESS}", False),
        ("console.log", "nothing", False),
        *[
            ("console.log", b64encode(f"\0{user}\0{SECRET}".encode()).decode(), True)
            for user in ("jan", "jane", "janet")
        ],
        (
            "console.log",
            b64encode(f"user=jane\1auth=Bearer {SECRET}\1\1".encode()).decode(),
            True,
        ),
    ],
)
def test_found_leaks(tmp_path: Path, name: str, text: str, *, found: bool) -> None:
    """Secrets outside of the places where they are stored, addresses in logs."""
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"before\n{text}\nafter\n")
    leaks = find_leaks(tmp_path, secrets=(SECRET,), addresses=(ADDRESS,))
    assert [leak.partition(":")[0] for leak in leaks] == [name] * found
