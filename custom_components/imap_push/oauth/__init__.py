"""OAuth2 without user interface: providers, device authorization, token renewal.

Start with: `tokens`, which gives the IMAP engine an access token (`account_from_entry`). The
config flow also uses `providers` and `device_code`. `endpoint` sends the HTTP requests.
"""
