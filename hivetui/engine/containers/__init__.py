"""The agents' containers: configuration, limits, units, web ports, journals, and what nixos-container does."""
