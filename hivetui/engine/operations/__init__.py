"""Operations: each a process of its own, known by its record on disk."""
