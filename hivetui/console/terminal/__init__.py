"""The terminal: driver, splash screen, watchdog, crash report; what knows Textual's private parts."""
