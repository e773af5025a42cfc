"""An account in Home Assistant: subentries, devices, marks, saved searches, connection log."""
