"""What a proposal would do: both sides are evaluated at once, and compared."""
