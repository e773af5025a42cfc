"""An account in Home Assistant: its entry, subentries, devices, marks and saved searches."""
