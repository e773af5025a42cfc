"""The steps and forms of set-up, options and subentries."""
