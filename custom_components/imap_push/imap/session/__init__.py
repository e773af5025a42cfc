"""One login and what it does with folders: EXAMINE, FETCH, SEARCH, STORE, STATUS, LIST.

`session.Session` watches; `desk.Desk` does what a user asks.
"""
