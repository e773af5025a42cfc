"""Entities, logbook, recorder, media source and the LLM API."""
