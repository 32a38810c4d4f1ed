"""Operations: each runs in a process of its own, and is known by its record on disk."""
