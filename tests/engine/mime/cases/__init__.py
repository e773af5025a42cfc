"""Messages as mail programs write them, and what a person reads in them."""
