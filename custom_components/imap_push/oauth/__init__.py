"""OAuth2: providers, device authorization, token requests and renewal."""
