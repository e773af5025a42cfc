"""Mail as automations see it: in events, triggers, conditions and actions.

Start with: `event_data`, the fields of a mail. `filter` and `targets` are for triggers and
conditions; `service_schemas`, `files` and `file_names` are for actions. `errors` converts errors
of the IMAP engine to messages for the user.
"""
