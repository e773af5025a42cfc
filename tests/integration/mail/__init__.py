"""Mail data: filters, event fields, files and errors."""
