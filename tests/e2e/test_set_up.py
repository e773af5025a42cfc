"""Adding, reloading and removing an account."""

from custom_components.imap_push.const import DOMAIN

from .home import MISTYPED, Account, Home, account_title, credentials
from .mailbox import Mailbox
from .waiting import next_events, until, until_equal

from tests.rig.dovecot import Dovecot
from tests.rig.proxy import Proxy


async def test_a_wrong_password_can_be_corrected_in_the_same_form(
    home: Home, mailbox: Mailbox
) -> None:
    """The form shows the error and accepts the right password; a duplicate is rejected."""
    port = mailbox.server.imaps_port
    form = await home.open_form()
    assert (form["type"], form["step_id"]) == ("form", "server")

    wrong = credentials(mailbox.user, port, password=MISTYPED)
    refused = await home.client.configure_flow(form["flow_id"], wrong)
    assert (refused["type"], refused["errors"]) == (
        "form",
        {"base": "login_refused_because"},
    )
    kept = {
        field["name"]: field["description"]["suggested_value"]
        for field in refused["data_schema"]
        if "description" in field
    }
    assert kept == wrong

    right = credentials(mailbox.user, port)
    added = await home.client.configure_flow(form["flow_id"], right)
    assert (added["type"], added["title"]) == (
        "create_entry",
        account_title(mailbox.user),
    )

    form = await home.open_form()
    again = await home.client.configure_flow(form["flow_id"], right)
    assert (again["type"], again["reason"]) == ("abort", "already_configured")

    account = Account(home, mailbox.user, added["result"]["entry_id"])
    await account.until_state("connectivity", "on")


async def test_an_account_is_imported_from_core_imap(
    home: Home, mailbox: Mailbox
) -> None:
    """The password is not typed again; core IMAP does not change, and mail arrives."""
    known = credentials(mailbox.user, mailbox.server.imaps_port)
    form = await home.client.start_flow("imap")
    core = await home.client.configure_flow(
        form["flow_id"],
        {
            "username": known["username"],
            "password": known["password"],
            "server": known["host"],
            "port": known["port"],
        },
    )
    assert core["type"] == "create_entry", core
    try:
        arrivals = await home.new_mail()
        menu = await home.client.start_flow(DOMAIN)
        form = await home.client.configure_flow(
            menu["flow_id"], {"next_step_id": "take_over"}
        )
        assert known["password"] not in str(form)
        [field] = form["data_schema"]
        added = await home.client.configure_flow(
            form["flow_id"], {"account": field["description"]["suggested_value"]}
        )
        assert (added["type"], added["title"]) == (
            "create_entry",
            account_title(mailbox.user),
        )
        account = Account(home, mailbox.user, added["result"]["entry_id"])
        await account.until_state("connectivity", "on")
        await mailbox.deliver("New")
        [mail] = await next_events(arrivals)
        assert mail["subject"] == "New"
    finally:
        # aioimaplib of core IMAP sends DONE a second time while it leaves IDLE.
        home.expect_warnings("Fatal error on SSL protocol")
        await home.client.delete_entry(core["result"]["entry_id"])


async def test_entities_of_an_empty_mailbox(account: Account) -> None:
    """Every entity exists from the start."""
    assert await account.states() == {
        "connectivity": "on",
        "push_mode": "notify",
        "unread": "0",
        "new_mail": "unknown",
    }


async def test_mail_that_was_there_before_gives_no_event(
    home: Home, mailbox: Mailbox
) -> None:
    """Existing mail is counted; the first event is for the first new mail."""
    await mailbox.deliver_all(["Old", "Older"])
    arrivals = await home.new_mail()
    account = await home.add_account(mailbox.user, mailbox.server.imaps_port)
    await account.until_state("unread", "2")

    await mailbox.deliver("New")
    [mail] = await next_events(arrivals)
    assert mail["subject"] == "New"


async def test_a_reload_closes_the_old_connection(
    account: Account, mailbox: Mailbox, proxy: Proxy
) -> None:
    """The old connection is closed, a new one is opened, and no event is repeated."""
    arrivals = await account.home.new_mail()
    await mailbox.deliver("Before")
    await next_events(arrivals)
    connections = proxy.connections

    await account.home.client.reload_entry(account.entry_id)
    await until(lambda: proxy.connections == connections + 1)
    await until(lambda: proxy.open_connections == 1)
    await account.until_state("connectivity", "on")

    await mailbox.deliver("After")
    [mail] = await next_events(arrivals)
    assert mail["subject"] == "After"


async def test_a_removed_account_leaves_no_traces(
    account: Account, dovecot: Dovecot, proxy: Proxy
) -> None:
    """No connection, no entity, no device and no file."""
    home = account.home
    marks = home.folder / ".storage" / f"{DOMAIN}.{account.entry_id}"
    await until(marks.exists)
    assert proxy.open_connections == 1

    await account.remove()
    await until(lambda: proxy.open_connections == 0)
    assert _disconnect_reason(dovecot, account.user) == "Logged out"
    nothing: dict[str, str] = {}
    await until_equal(account.states, nothing)
    devices = await home.client.call("config/device_registry/list")
    assert not [d for d in devices if account.entry_id in d["config_entries"]]
    assert not marks.exists()


def _disconnect_reason(dovecot: Dovecot, user: str) -> str:
    """Return the reason in Dovecot's log for the end of the user's last session."""
    lines = [line for line in dovecot.log.splitlines() if f"imap({user})" in line]
    return lines[-1].split("Disconnected: ")[1].split(" in=")[0]
