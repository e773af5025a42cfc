"""Steps and forms of the config flow, the options flow and the subentry flows.

Start with: `setup_steps`, the base class of the config flow in `config_flow.py`. It combines
`account_steps` (test the login) and `oauth_flow` (get a token). `folder_flow` and `search_flow`
are subentry flows. The modules `*_forms`, `form_fields` and `form_errors` have no steps.
"""
