"""Settings: TOML below, environment above, every error naming file, key and mend."""
