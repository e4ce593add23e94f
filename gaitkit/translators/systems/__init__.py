"""The systems, one module each; `gaitkit.translators.registry` lists them."""
