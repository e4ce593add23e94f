"""The steps between the artefacts: each reads one kind of file and writes one kind."""
