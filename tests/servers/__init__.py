"""What users need, on each real mail server that scripts/servers can start."""
