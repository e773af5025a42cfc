"""Submit the forms of the config flow, and results of the discovery for them."""

from collections.abc import Mapping
from typing import Any

from custom_components.imap_push.const import DOMAIN
from custom_components.imap_push.imap import (
    Discovery,
    Provider,
    Security,
    Server,
    Source,
    provider_of_domain,
)
from homeassistant.config_entries import SOURCE_USER
from homeassistant.const import CONF_ADDRESS, CONF_PASSWORD
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from . import HOST, PASSWORD, USERNAME, suggested


async def start_flow(hass: HomeAssistant) -> str:
    """Start the setup of an account; return the ID of the flow."""
    form = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_USER}
    )
    assert form["type"] is FlowResultType.FORM
    assert form["step_id"] == "user"
    flow_id: str = form["flow_id"]
    return flow_id


async def submit(hass: HomeAssistant, flow: Any, user_input: Mapping[str, Any]) -> Any:
    """Submit a form."""
    flow_id = flow if isinstance(flow, str) else flow["flow_id"]
    return await hass.config_entries.flow.async_configure(flow_id, dict(user_input))


async def choose(hass: HomeAssistant, flow: Any, option: str) -> Any:
    """Select an option of a menu."""
    return await submit(hass, flow, {"next_step_id": option})


async def submit_address(hass: HomeAssistant, address: str = USERNAME) -> Any:
    """Start the setup of an account and submit its address; return the next step."""
    return await submit(hass, await start_flow(hass), {CONF_ADDRESS: address})


async def submit_password(
    hass: HomeAssistant, form: Any, password: str = PASSWORD, **server: Any
) -> Any:
    """Submit a password form, with changes to the server that it shows."""
    user_input = {CONF_PASSWORD: password} if password else {}
    user_input["server"] = suggested(form)["server"] | server
    return await submit(hass, form, user_input)


def make_server(**changes: Any) -> Server:
    """Return discovered server settings."""
    fields: dict[str, Any] = {
        "host": HOST,
        "port": 993,
        "security": Security.TLS,
        "username": USERNAME,
    }
    return Server(**fields | changes)


def make_discovery(
    server: Server | None = None,
    provider: Provider | None = None,
    *,
    source: Source = Source.AUTOCONFIG,
    is_trusted: bool = True,
) -> Discovery:
    """Return a discovery result."""
    return Discovery(
        server=server or make_server(),
        source=source,
        is_trusted=is_trusted,
        provider=provider,
    )


def provider_discovery(domain: str) -> Discovery:
    """Return the discovery result for an address at a provider of the bundled table."""
    provider = provider_of_domain(domain)
    assert provider is not None
    assert provider.host is not None
    server = make_server(
        host=provider.host, username=f"jane@{domain}", auth=provider.auth
    )
    return make_discovery(server, provider, source=Source.BUNDLED)
