"""What the app needs around its screens: the session with the hive, keys, themes, clipboard, notifications."""
