"""The command line; installed as `gaitkit.cli`."""
