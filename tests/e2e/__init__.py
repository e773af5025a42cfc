"""The main job, end to end: real Home Assistants, real mail servers, a real browser."""
