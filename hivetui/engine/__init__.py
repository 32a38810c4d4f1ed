"""The engine: all of a hive without a screen. Knows neither Textual nor Rich."""
