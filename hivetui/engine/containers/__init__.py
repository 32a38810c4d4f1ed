"""nixos-container, configuration, limits, units, ports and logs."""
