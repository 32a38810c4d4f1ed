"""The machine: paths, processes, files, locks and temporary directories."""
