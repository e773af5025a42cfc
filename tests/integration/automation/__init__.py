"""Triggers, conditions, blueprints and the automations of the documentation."""
