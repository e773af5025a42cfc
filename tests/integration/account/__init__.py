"""An account at runtime: set-up and unload, coordinator, folders, saved searches, stored data."""
