"""Mail in automations: filters, event data, schemas of actions, files, error messages."""
