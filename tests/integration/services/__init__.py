"""Actions and the permissions they check."""
