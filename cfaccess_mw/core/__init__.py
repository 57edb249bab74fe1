"""Is this token good, and may its bearer pass here? Pure: no clock, lock, socket, environment, logging or framework."""
