"""Real parts for the end-to-end tests and the demo: servers, a Home Assistant, a browser."""
