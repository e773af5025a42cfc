"""One login and what it does with folders: EXAMINE, FETCH, SEARCH, STORE, STATUS, LIST.

`watch` and `client` use `session.Session`. `sync` is for watching; `list`, `search`, `fetch` and
`store` are for requests of the user.
"""
