"""Proposed repositories, which their authors control: read and fetched from without running anything of theirs."""
