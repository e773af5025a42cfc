"""The steps and forms of setup, options and subentries."""
