"""What automations get and use: filters, event data, action schemas, files, errors."""
